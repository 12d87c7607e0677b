"""Trees of segments to be written, in the order of their guide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edi_gateway.errors import RefusedError
from edi_gateway.formats.guide import Guide
from edi_gateway.model import OutboundSegment


def arranged(segments: Iterable[OutboundSegment], guide: Guide, directory: str, path: str) -> list[OutboundSegment]:
    """Every level in the order that directory (or version) writes it below ``path``; equal tags keep theirs.

    Raises RefusedError when it has no such segment at that place.
    """
    below = []
    for segment in segments:
        place = f"{path}/{segment.tag}"
        problem = guide.check(directory, place)
        if problem:
            raise RefusedError(problem)
        below.append(replace(segment, children=arranged(segment.children, guide, directory, place)))
    order = guide.order(directory, path) if below else []
    return sorted(below, key=lambda segment: order.index(segment.tag))


def flat(segments: Iterable[OutboundSegment]) -> Iterator[OutboundSegment]:
    """Each segment, then those below it."""
    for segment in segments:
        yield segment
        yield from flat(segment.children)
