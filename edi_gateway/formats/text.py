"""Bytes → text: byte order marks, UTF-8 that is none, line breaks of old machines."""

from __future__ import annotations

import codecs
from functools import partial
from typing import Final, NamedTuple

from edi_gateway.errors import RefusedError
from edi_gateway.formats.nearest import nearest
from edi_gateway.model import Finding, Level, Position, Severity

_PIECE: Final = 1 << 20
_WIDE: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
PADDING: Final = b" \t\r\n\x00\x1a"


class Decoding(NamedTuple):
    """Bytes ready to be cut into lines, the codec to read them by, where the text begins, and a remark."""

    content: bytes
    codec: str
    begin: int
    remark: Finding | None = None


def settle(content: bytes, wanted: str) -> Decoding:
    """How to read the bytes; ``wanted`` is a codec, or "" for UTF-8, and cp1252 where it is none.

    UTF-16 is written anew as UTF-8, so that lines can be cut; places are then those of the new text.
    """
    for mark, codec in _WIDE:
        if content.startswith(mark):
            content = content[len(mark) :].decode(codec, "replace").encode()
    begin = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    content = _with_line_feeds(content)
    codec = "utf-8" if begin or not wanted else wanted
    odd = _first_odd(content, codec)
    if odd is None:
        return Decoding(content, codec, begin)
    found = content[odd : odd + 1].hex().upper()
    line = content.count(b"\n", 0, odd) + 1
    remark = Finding(
        Severity.WARNING,
        Level.INTERCHANGE,
        Position(start=odd, end=odd + 1, line=line),
        f"byte {found}, which is not in {codec}",
        f"text in {codec}",
        "read as cp1252; set 'encoding' if the text reads wrong",
        "21",
    )
    return Decoding(content, _one_byte(content), begin, remark)


def _with_line_feeds(content: bytes) -> bytes:
    """Lines of old machines end with a carriage return alone."""
    return content.replace(b"\r", b"\n") if b"\n" not in content and b"\r" in content else content


def _first_odd(content: bytes, codec: str) -> int | None:
    """Offset of the first byte the codec cannot read."""
    decoder, pending = codecs.getincrementaldecoder(codec)(), 0
    for at in range(0, len(content), _PIECE):
        piece = content[at : at + _PIECE]
        try:
            decoder.decode(piece, final=at + _PIECE >= len(content))
        except UnicodeDecodeError as error:
            return max(0, at - pending + error.start)
        pending = len(decoder.getstate()[0])
    return None


def _one_byte(content: bytes) -> str:
    """cp1252, and Latin-1 where the bytes are none of cp1252 either."""
    return "latin-1" if content.translate(None, bytes(set(range(256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D})) else "cp1252"


def codec_named(name: str) -> str:
    """The codec's own name; raises ValueError when it is none that writes a line feed as one byte."""
    try:
        codec = codecs.lookup(name).name
        plain = "\n;A".encode(codec) == b"\n;A"
    except (LookupError, UnicodeError):
        raise ValueError(f"{name!r} is no encoding, expected one such as utf-8, cp1252 or latin-1") from None
    if not plain:
        raise ValueError(f"{name!r} cannot be cut into lines, expected one such as utf-8, cp1252 or latin-1")
    return codec


def encoded(text: str, codec: str) -> bytes:
    """The text in bytes; raises RefusedError that names the first character the codec cannot carry."""
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise RefusedError(
            f"found {character!r} (U+{ord(character):04X}) in {text[max(0, error.start - 20) : error.end + 10]!r},"
            f" which {codec} cannot carry; send in UTF-8 if the partner reads it, or set unencodable: replace"
        ) from None


def replaced(text: str, codec: str) -> str:
    """The text with every character the codec cannot carry written by the nearest that it can, at last a blank."""
    return "".join(nearest(character, partial(_carries, codec)) for character in text)


def _carries(codec: str, text: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
