"""From the bytes that arrived to those a format reads: what is packed is unpacked, as the channel says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edi_gateway.model import Finding
from edi_gateway.transforms import packed
from edi_gateway.transforms.options import Unpack
from edi_gateway.transforms.pieces import Piece, refusal


@dataclass(frozen=True, slots=True)
class Opening:
    """How the files of a channel are opened before they are read."""

    unpack: Unpack = Unpack()


AS_IT_COMES: Final = Opening()


def pieces(content: bytes, opening: Opening) -> Iterator[Piece | Finding]:
    """What is to be read of a file, in order; a finding for each part that cannot be had. The bytes stay as they are."""
    yield from _unpacked(content, opening.unpack)


def is_closed(content: bytes, opening: Opening) -> bool:
    """Whether the bytes have to be opened before anything can be read in them."""
    return _is_packed(content, opening.unpack)


def is_whole(content: bytes, opening: Opening) -> bool:
    """Whether bytes that have to be opened have their end, judged cheaply."""
    return packed.is_whole(content, opening.unpack)


def opened(content: bytes, opening: Opening) -> bytes:
    """All that can be read of a file in one piece: what the offsets of events and findings count in."""
    return b"".join(piece.content for piece in pieces(content, opening) if isinstance(piece, Piece))


def _unpacked(content: bytes, options: Unpack) -> Iterator[Piece | Finding]:
    if _is_packed(content, options):
        yield from packed.unpack(content, options)
    elif options.accept in {"gzip", "zip"}:
        yield refusal(
            f"bytes that begin with {content[:4]!r}", f"a {options.accept} file", "or set unpack: {accept: auto}"
        )
    else:
        yield Piece(content)


def _is_packed(content: bytes, options: Unpack) -> bool:
    if options.accept == "plain":
        return False
    return (options.accept != "zip" and packed.is_gzip(content)) or (
        options.accept != "gzip" and packed.is_zip(content)
    )
