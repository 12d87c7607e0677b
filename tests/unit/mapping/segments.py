"""Segments written by hand, so that the mapping language is tested without any syntax."""

from __future__ import annotations

from edi_gateway.model import Message, Position, Segment


class PlainSegment(Segment):
    """A segment whose elements are given: ``"RFF+CN:123"`` without any release character."""

    def __init__(self, text: str, number: int = 0, *children: Segment) -> None:
        tag, *elements = text.split("+")
        super().__init__(tag, number, 0, 0)
        self._elements = [element.split(":") for element in elements]
        self.children = list(children)
        for child in children:
            child.parent = self

    def get(self, element: int, component: int = 1) -> str:
        """See Segment.get."""
        if element == 0:
            return self.tag
        composite = self._elements[element - 1] if element <= len(self._elements) else []
        return composite[component - 1] if component <= len(composite) else ""

    def components(self, element: int) -> list[str]:
        """See Segment.components."""
        return self._elements[element - 1] if element <= len(self._elements) else []


def segment(text: str, *children: Segment) -> PlainSegment:
    """A segment with others nested below it."""
    return PlainSegment(text, 0, *children)


def message(*body: Segment, version: str = "D:01B:UN") -> Message:
    """A message of these segments, numbered as they stand."""
    root = segment("UNH+1", *body)
    for number, each in enumerate(_all(root), 1):
        each.number = number
    return Message("IFTSTA", version, "1", root, Position(interchange="I1", message="1", segment=1, tag="UNH"))


def _all(root: Segment) -> list[Segment]:
    return [root, *(below for child in root.children for below in _all(child))]
