"""Character sets of EDIFACT: what UNB S001 promises, what the bytes really are, what an outbound text may hold."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Final

# Syntax identifier 0001 → codec. UNOA to UNOK: ISO 9735 annex and its parts 1 and 2; UNOL and UNOW: code list 0001
# of the later service directories. IATA, IATB and KECA are private identifiers of the airlines and of Korea.
CODECS: Final[Mapping[str, str]] = {
    "UNOA": "ascii",
    "UNOB": "ascii",
    "UNOC": "iso8859-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOL": "iso8859-15",
    "UNOW": "utf-8",
    "UNOX": "iso2022_jp",
    "UNOY": "utf-8",
    "IATA": "ascii",
    "IATB": "ascii",
    "KECA": "cp949",
}

# Character encoding 0133 of syntax 4, where it says more than the identifier does.
_ENCODINGS: Final[Mapping[str, str]] = {"4": "cp850", "7": "utf-8"}
_PLAIN_ENCODINGS: Final = frozenset({"", "1", "2"})  # ASCII of seven and eight bits: the identifier decides

# ISO 9735 versions 1 to 3: the characters of level A and level B, and no others.
_LEVEL_A: Final = r" A-Z0-9.,\-()/='+:?!\"%&*;<>"
_OUTSIDE: Final[Mapping[str, re.Pattern[str]]] = {
    "UNOA": re.compile(f"[^{_LEVEL_A}]"),
    "UNOB": re.compile(f"[^{_LEVEL_A}a-z]"),
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # no character set of ISO 9735 carries controls as data
_SHIFTED: Final = re.compile(rb"\x1b\$[@B][^\x1b\r\n]*+")


def codec_of(identifier: str, encoding: str = "") -> str:
    """Codec for syntax identifier 0001 and encoding 0133; "" when we cannot tell."""
    if encoding in _PLAIN_ENCODINGS:
        return CODECS.get(identifier, "")
    return _ENCODINGS.get(encoding, "")


def codec_named(name: str) -> str:
    """Codec for a syntax identifier or a Python codec name; raises LookupError when it is neither."""
    return CODECS.get(name.upper()) or codecs.lookup(name).name


def mask_shifted(content: bytes) -> bytes:
    """Blot out the two-byte runs of ISO 2022, byte for byte: what looks like a delimiter in there is half a letter."""
    # One byte is looked for ten times as fast as two, and no other thread can run meanwhile.
    if b"\x1b" not in content or b"\x1b$" not in content:
        return content
    return _SHIFTED.sub(lambda run: b"x" * len(run[0]), content)


def encodable(text: str, charset: str) -> str | None:
    """First character of ``text`` that syntax identifier ``charset`` cannot carry, None when it carries them all.

    Control characters are never carried. Raises KeyError for an identifier that is not in ``CODECS``.
    """
    outside = _OUTSIDE.get(charset, _CONTROL).search(text)
    limit = outside.start() if outside else len(text)
    try:
        text[:limit].encode(CODECS[charset])
    except UnicodeEncodeError as error:
        return text[error.start]
    return text[limit] if outside else None
