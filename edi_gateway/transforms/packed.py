"""gzip and zip: unpacked in memory, never to disk, and never further than the limits allow."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import PureWindowsPath
from typing import Final

from edi_gateway.model import Finding
from edi_gateway.transforms.options import Unpack
from edi_gateway.transforms.pieces import Piece, refusal

GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")  # a first member, or the end of an empty archive
_MOST_MEMBERS: Final = 10_000
_ENTRY: Final = b"PK\x01\x02"  # begins each entry of a zip's directory
_OFFICE: Final = "[Content_Types].xml"  # in every workbook and document of the Office formats
_ENCRYPTED: Final = 0x1  # flag of a zip's member
_WITHOUT_RATIO: Final = 1_000_000  # bytes; small files may well be very repetitive
_STEP: Final = 1 << 16
_WINDOW: Final = 31  # zlib: a gzip header, and the largest window
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_RAISE: Final = "if it is an honest file, raise the limits (unpack of the channel), reload, then retry"


class _LimitError(Exception):
    """Says which limit was exceeded."""


class _BrokenError(Exception):
    """Says what is wrong with a gzip file; ``cut`` when only its end is missing."""

    def __init__(self, found: str, *, cut: bool = False) -> None:
        self.cut = cut
        super().__init__(found)


class _Room:
    """How much may still be unpacked of one file; ``packed`` is the size it has."""

    def __init__(self, options: Unpack, packed: int) -> None:
        self._options, self._packed, self._taken = options, packed, 0

    def take(self, count: int) -> None:
        """Account for so many unpacked bytes; raises _LimitError."""
        taken = self._taken + count
        if taken > self._options.max_size:
            raise _LimitError(f"max_size, {self._options.max_size:,} bytes")
        if taken > most(self._options, self._packed):
            raise _LimitError(f"max_ratio, {self._options.max_ratio} times its {self._packed:,} bytes")
        self._taken = taken


def most(options: Unpack, size: int) -> int:
    """How many bytes may come out of that many."""
    return min(options.max_size, max(_WITHOUT_RATIO, size * options.max_ratio))


def is_gzip(content: bytes) -> bool:
    """Whether the bytes begin as gzip does."""
    return content.startswith(GZIP)


def is_zip(content: bytes) -> bool:
    """Whether the bytes begin as a zip archive does; a workbook (xlsx) is none, although it is made of one."""
    return content.startswith(ZIP) and not _is_office(content)


def is_packed(content: bytes) -> bool:
    """Whether the bytes begin as gzip or zip does."""
    return is_gzip(content) or is_zip(content)


def is_whole(content: bytes, options: Unpack) -> bool:
    """Whether a packed file has its end; one that is broken or too large is as whole as it will ever be."""
    if not is_gzip(content):
        return zipfile.is_zipfile(BytesIO(content))
    try:
        for _ in _inflate(content, _Room(options, len(content))):
            pass
    except _BrokenError as broken:
        return not broken.cut
    except _LimitError:
        return True
    return True


def unpack(content: bytes, options: Unpack) -> Iterator[Piece | Finding]:
    """The pieces of a packed file in order, and a finding in place of each that cannot be had."""
    if is_gzip(content):
        yield _gunzip(content, options)
    else:
        yield from _unzip(content, options)


def _gunzip(content: bytes, options: Unpack) -> Piece | Finding:
    unpacked = BytesIO()
    try:
        for part in _inflate(content, _Room(options, len(content))):
            unpacked.write(part)
    except _LimitError as limit:
        return _too_large("a gzip file", limit)
    except _BrokenError as broken:
        advice = "ask the sender for the whole file" if broken.cut else "ask the sender for the file again"
        return refusal(f"{broken}, after {unpacked.tell():,} unpacked bytes", "a whole gzip file (RFC 1952)", advice)
    if is_packed(unpacked.getvalue()):
        return _packed_again("a gzip file", "")
    return Piece(unpacked.getvalue())


def _inflate(content: bytes, room: _Room) -> Iterator[bytes]:
    """The unpacked bytes of all members of a gzip file, a little at a time; raises _BrokenError, _LimitError."""
    data, at = memoryview(content), 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(_WINDOW)
        while not member.eof:
            fed: bytes | memoryview = member.unconsumed_tail
            if not fed:
                fed = data[at : at + _STEP]
                at += len(fed)
            try:
                part = member.decompress(fed, _STEP)
            except zlib.error as error:
                raise _BrokenError(f"a damaged gzip file ({error})") from None
            if not fed and not part and not member.eof:
                raise _BrokenError("a gzip file that breaks off", cut=True)
            room.take(len(part))
            yield part
        at -= len(member.unused_data)
        while at < len(data) and not data[at]:
            at += 1  # members may be filled up with zeros
        if at == len(data):
            return
        if not GZIP.startswith(bytes(data[at : at + 2])):
            raise _BrokenError(f"{len(data) - at:,} bytes behind the end of a gzip file")
    raise _BrokenError(f"more than {_MOST_MEMBERS:,} members in a gzip file")


def _unzip(content: bytes, options: Unpack) -> Iterator[Piece | Finding]:
    if content.count(_ENTRY) > _MOST_MEMBERS:
        yield refusal(
            f"more than {_MOST_MEMBERS:,} members in a zip archive", "fewer", "ask the sender for smaller ones"
        )
        return
    if not zipfile.is_zipfile(BytesIO(content)):
        yield refusal("a zip archive without its end", "a whole zip archive", "ask the sender for the whole file")
        return
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except Exception as error:  # noqa: BLE001 -- zipfile raises whatever the bytes make it stumble over
        yield refusal(f"a damaged zip archive ({_said(error)})", "a whole zip archive", "ask the sender for it again")
        return
    with archive:
        room = _Room(options, len(content))
        members = [member for member in archive.infolist() if not _is_passed_over(member)]
        if not members:
            yield refusal("a zip archive without a file", "at least one file", "ask the sender what it should hold")
        for member in members:
            yield _member(archive, member, room)


def _is_passed_over(member: zipfile.ZipInfo) -> bool:
    """Folders, and what a Mac adds to each archive."""
    return member.is_dir() or member.filename.startswith("__MACOSX/")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: _Room) -> Piece | Finding:
    name = member.filename
    if _leads_out(name):
        return refusal("a name that leads out of the archive", "a plain name", "ask the sender what this file is", name)
    if member.flag_bits & _ENCRYPTED:
        return refusal("a member that is encrypted with a password", "one that is not", "ask the sender for PGP", name)
    if member.compress_type not in _METHODS:
        found = f"a member packed by method {member.compress_type}"
        return refusal(found, "stored or deflate", "ask the sender for an ordinary zip archive", name)
    unpacked = BytesIO()
    try:
        room.take(member.file_size)  # no more is ever read of it, whatever it would unpack to
        with archive.open(member) as file:
            while part := file.read(_STEP):
                unpacked.write(part)
    except _LimitError as limit:
        return _too_large("a member", limit, name)
    except Exception as error:  # noqa: BLE001 -- zipfile raises whatever the bytes make it stumble over
        found = f"a damaged member ({_said(error)})"
        return refusal(found, "a whole one", "ask the sender for the file again", name)
    if is_packed(unpacked.getvalue()):
        return _packed_again("a zip archive", name)
    return Piece(unpacked.getvalue(), name)


def _leads_out(name: str) -> bool:
    """Whether a name is absolute or climbs up; nothing is ever written under it, but an honest sender has no such."""
    windows = PureWindowsPath(name)
    return bool(windows.drive or windows.root) or ".." in windows.parts  # in Unix's way of writing, too


def _is_office(content: bytes) -> bool:
    if content.count(_ENTRY) > _MOST_MEMBERS:
        return False
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return _OFFICE in archive.NameToInfo
    except Exception:  # noqa: BLE001 -- a damaged archive is told of where it is unpacked
        return False


def _too_large(what: str, limit: _LimitError, name: str = "") -> Finding:
    return refusal(f"{what} that unpacks to more than {limit}", "one within the limits", _RAISE, name)


def _packed_again(what: str, name: str) -> Finding:
    return refusal(f"a packed file within {what}", "files packed once", "ask the sender to pack files only once", name)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
