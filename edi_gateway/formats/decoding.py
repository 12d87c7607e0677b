"""How bytes become text: what was declared, what the bytes really are, what is left when neither helps."""

from __future__ import annotations

from typing import Final, NamedTuple

FALLBACK: Final = "iso8859-1"  # knows every byte
_WIDE: Final = frozenset({"utf-8", "cp949", "iso2022_jp"})  # more than one byte a character: not mistaken for UTF-8


class Decoding(NamedTuple):
    """How bytes are to be decoded, and a remark when that is not what was declared ("" otherwise)."""

    codec: str
    remark: str = ""


def settle(data: bytes, declared: str, *, certain: bool = False) -> Decoding:
    """Decide how to decode ``data`` that was declared as codec ``declared``.

    Text that is UTF-8 although one byte a character was declared is read as UTF-8, unless ``certain`` says that
    the declaration comes from somebody who knows. What does not decode at all is read as ISO 8859-1.
    """
    if data.isascii() and declared != "iso2022_jp":
        return Decoding("ascii")
    doubtful = declared == "ascii" or not (certain or declared in _WIDE)
    if doubtful and _decodes(data, "utf-8"):
        return Decoding("utf-8", "text in UTF-8")
    if _decodes(data, declared):
        return Decoding(declared)
    return Decoding(FALLBACK, f"bytes that are not {declared} (read as {FALLBACK})")


def _decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
