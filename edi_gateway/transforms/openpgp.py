"""What can be told of PGP files without a key: whether bytes are one, and whether its end is there (RFC 4880, 4.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

_ARMOUR: Final = b"-----BEGIN PGP MESSAGE-----"
_END: Final = b"-----END PGP MESSAGE-----"
_NEAR: Final = 200  # bytes at the end of a file in which its last line is
_KEY, _PASSWORD = 1, 3  # packets that say how to come by the session key
_VERSIONS: Final = {_KEY: b"\x02\x03\x06", _PASSWORD: b"\x04\x05\x06"}
_DATA: Final = frozenset({9, 18, 20})  # packets that hold what is encrypted


class _Packet(NamedTuple):
    """One packet: its kind, where its content begins and where it ends; it may end behind the bytes there are."""

    tag: int
    start: int
    end: int


def is_encrypted(content: bytes) -> bool:
    """Whether the bytes begin as an encrypted PGP file does, armoured or not."""
    if content[:_NEAR].lstrip().startswith(_ARMOUR):
        return True
    first = _packet(content, 0)
    if first is None or first.tag not in _VERSIONS:
        return False
    return content[first.start : first.start + 1] in {bytes([each]) for each in _VERSIONS[first.tag]}


def is_whole(content: bytes) -> bool:
    """Whether an encrypted file has its end; of one in an outdated form that tells no length nobody can say."""
    if content[:_NEAR].lstrip().startswith(_ARMOUR):
        return _END in content[-_NEAR:]
    at, data = 0, False
    while at < len(content):
        packet = _packet(content, at)
        if packet is None:
            return True  # damaged: it will not get any better
        data = data or packet.tag in _DATA
        at = packet.end
    return data and at == len(content)


def _packet(content: bytes, at: int) -> _Packet | None:
    """The packet that begins there; None where none can begin. Bytes that are not there count as zero."""
    first = _byte(content, at)
    if not first & 0x80:
        return None
    if not first & 0x40:
        size = (1, 2, 4, 0)[first & 3]
        start = at + 1 + size
        length = int.from_bytes(content[at + 1 : start].ljust(size, b"\0"), "big")
        return _Packet(first >> 2 & 15, start, start + length if size else len(content))
    at += 1
    begins = 0
    while True:
        start, length, partial = _length(content, at)
        begins = begins or start
        at = start + length
        if not partial:
            return _Packet(first & 63, begins, at)


def _length(content: bytes, at: int) -> tuple[int, int, bool]:
    """Where what is counted begins, its length, and whether more of the packet follows behind it."""
    first = _byte(content, at)
    if first < 192:
        return at + 1, first if at < len(content) else 1, False  # a length that is missing: the end is, too
    if first < 224:
        return at + 2, (first - 192 << 8) + _byte(content, at + 1) + 192, False
    if first == 255:
        return at + 5, int.from_bytes(content[at + 1 : at + 5].ljust(4, b"\0"), "big"), False
    return at + 1, 1 << (first & 31), True


def _byte(content: bytes, at: int) -> int:
    return content[at] if at < len(content) else 0
