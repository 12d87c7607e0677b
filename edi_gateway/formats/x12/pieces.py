"""Cuts many small sets at once, where nothing about them is unusual: most of the cost of a small set is its own."""

from __future__ import annotations

from typing import Final

from edi_gateway.formats.syntax import Shape, cut_plain, starts_of, tags_of
from edi_gateway.formats.x12.envelope import Envelope

_PIECE: Final = 1 << 16  # bytes cut at once


class Pieces:
    """The sets of an interchange, in their order, as far as they are plain: in ASCII, unwrapped, with sound tags."""

    __slots__ = (
        *("_careful", "_content", "_empty", "_gap", "_grammar", "_index", "_offset"),
        *("_starts", "_tags", "_texts", "start"),
    )

    def __init__(self, envelope: Envelope) -> None:
        mark = envelope.grammar.delimiters.element
        self._content = envelope.content
        self._grammar = envelope.grammar
        self._empty = f"L11{mark}{mark}"  # a reference without a value
        self._texts: list[str] = []
        self._tags: list[str] = []
        self._starts: list[int] = []
        self._gap = 0
        self.start = 0  # from where the shapes count
        self._index = 0
        self._offset = -1  # where the segment at ``_index`` begins
        self._careful = 0  # up to there, sets have to be cut one by one

    def take(self, start: int, trailer: int) -> Shape | None:
        """The set from ST at ``start`` to SE at ``trailer``; None when it has to be cut with care."""
        if start != self._offset and start < self._careful:
            return None
        if start != self._offset or trailer >= self._careful:
            self._cut(start)
            if start != self._offset:
                return None
        try:
            end = self._tags.index("SE", self._index) + 1
        except ValueError:  # it goes on behind this piece
            self._offset = -1
            return None
        here = slice(self._index, end)
        shape = Shape(self._texts[here], self._tags[here], self._starts[here])
        self._index, self._offset = end, trailer + len(self._texts[end - 1]) + self._gap
        return shape

    def _cut(self, start: int) -> None:
        """Cut what follows ``start``, or find that it is not plain."""
        grammar, content = self._grammar, self._content
        terminator = grammar.delimiters.terminator
        end = content.rfind(terminator.encode("latin-1"), start, start + _PIECE) + len(terminator)
        self._texts, self._tags, self._index, self._offset = [], [], 0, -1
        self._careful = max(end, start + 1)
        data = content[start:end]
        text = data.decode("latin-1")
        if end <= start or not data.isascii() or self._empty in text:
            return
        texts, gap = cut_plain(text, grammar.delimiters)
        tags = tags_of(texts, grammar)
        if tags and "" not in tags:
            self._texts, self._tags, self._gap, self._offset, self.start = texts, tags, gap, start, start
            self._starts = starts_of(texts, gap)
