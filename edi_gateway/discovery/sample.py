"""The sample a person has: its first few megabytes, unpacked, as bytes and as text."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edi_gateway.errors import ConfigError
from edi_gateway.formats.text import PADDING, settle

MOST: Final = 4_000_000  # bytes looked at
_GZIP: Final = b"\x1f\x8b"
_BINARY: Final = {
    b"PK\x03\x04": "a ZIP archive or a workbook (.xlsx): unpack it, or save the sheet as CSV",
    b"%PDF": "a PDF: ask for the data it was made of",
    b"\xd0\xcf\x11\xe0": "an old Office file: save it as CSV",
    b"-----BEGIN PGP": "encrypted by PGP: decrypt it first",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What is looked at. ``encoding`` is "" for UTF-8; ``whole`` is False when the file goes on."""

    name: str
    content: bytes
    text: str
    encoding: str
    whole: bool
    packed: bool


def read_sample(path: Path) -> Sample:
    """The beginning of a file; raises ConfigError when it cannot be read or holds nothing a mapping can be made of."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return sample_of(path.name, raw)


def sample_of(name: str, raw: bytes) -> Sample:
    """As read_sample, of the first bytes of a file; more than MOST of them say that it goes on."""
    packed = raw.startswith(_GZIP)
    if packed:
        raw = _unpacked(name, raw)
    whole = len(raw) <= MOST
    content = raw if whole else _whole_lines(raw[:MOST])
    binary = next((what for mark, what in _BINARY.items() if content.startswith(mark)), "")
    if binary:
        raise ConfigError(f"{name}: found {binary}")
    if not content.strip(PADDING):
        raise ConfigError(f"{name}: found an empty file, expected a sample with events in it")
    decoding = settle(content, "")
    if b"\x00" in decoding.content.strip(PADDING):
        raise ConfigError(f"{name}: found bytes that are no text, expected EDIFACT, X12, rows, JSON or XML")
    text = decoding.content[decoding.begin :].decode(decoding.codec, "replace")
    return Sample(name, content, text, "" if decoding.codec == "utf-8" else decoding.codec, whole, packed)


def _unpacked(name: str, raw: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        return unpacker.decompress(raw, MOST + 1)
    except zlib.error as error:
        raise ConfigError(f"{name}: found a gzip file that cannot be unpacked ({error})") from error


def _whole_lines(content: bytes) -> bytes:
    """Up to the last line break, so that no line and no character is cut; as it is when lines are very long."""
    end = content.rfind(b"\n") + 1
    if end > len(content) // 2:
        return content[:end]
    return content.decode("utf-8", "ignore").encode() if _is_utf8(content) else content


def _is_utf8(content: bytes) -> bool:
    try:
        content[:-4].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        return error.start >= len(content) - 8
    return True
