"""From the bytes that arrived to those a format reads: first decrypted, then unpacked, as the channel says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edi_gateway.model import Finding
from edi_gateway.transforms import openpgp, packed, pgp
from edi_gateway.transforms.options import Decrypt, Unpack
from edi_gateway.transforms.pieces import Piece, refusal


@dataclass(frozen=True, slots=True)
class Opening:
    """How the files of a channel are opened before they are read."""

    unpack: Unpack
    decrypt: Decrypt | None = None


AS_IT_COMES: Final = Opening(Unpack())


def pieces(content: bytes, opening: Opening) -> Iterator[Piece | Finding]:
    """What is to be read of a file, in order, and a finding for each part that cannot be had."""
    plain = _decrypted(content, opening)
    if isinstance(plain, Finding):
        yield plain
    else:
        yield from _unpacked(plain, opening.unpack)


def opened(content: bytes, opening: Opening) -> bytes:
    """All that can be read of a file in one piece: what the offsets of events and findings count in."""
    return b"".join(piece.content for piece in pieces(content, opening) if isinstance(piece, Piece))


def is_closed(content: bytes, opening: Opening) -> bool:
    """Whether the bytes have to be opened before anything can be read in them."""
    return openpgp.is_encrypted(content) or _is_packed(content, opening.unpack)


def is_whole(content: bytes, opening: Opening) -> bool:
    """Whether bytes that have to be opened have their end, judged without a key."""
    return openpgp.is_whole(content) if openpgp.is_encrypted(content) else packed.is_whole(content, opening.unpack)


def _decrypted(content: bytes, opening: Opening) -> bytes | Finding:
    options, encrypted = opening.decrypt, openpgp.is_encrypted(content)
    if options is None and encrypted:
        return refusal("an encrypted file (PGP)", "a plain one", "give the channel decrypt, reload, then retry")
    if options is None or (options.plain == "accept" and not encrypted):
        return content
    if not encrypted:
        advice = "ask the sender to encrypt it, or set plain: accept in the channel's decrypt"
        return refusal("a file that is not encrypted", "a file encrypted with PGP", advice)
    return pgp.decrypt(content, options, packed.most(opening.unpack, len(content)))


def _unpacked(content: bytes, options: Unpack) -> Iterator[Piece | Finding]:
    if _is_packed(content, options):
        yield from packed.unpack(content, options)
    elif options.accept in {"gzip", "zip"}:
        found, advice = f"bytes that begin with {content[:4]!r}", "if it comes plain, too, set unpack: {accept: auto}"
        yield refusal(found, f"a {options.accept} file", advice)
    else:
        yield Piece(content)


def _is_packed(content: bytes, options: Unpack) -> bool:
    as_gzip = options.accept in {"auto", "gzip"} and packed.is_gzip(content)
    return as_gzip or (options.accept in {"auto", "zip"} and packed.is_zip(content))
