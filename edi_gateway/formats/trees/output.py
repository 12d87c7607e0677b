"""The JSON, JSON Lines and XML encoders: a customer's layout as a tree, by keys or by elements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from lxml import etree
from pydantic import Field

from edi_gateway.errors import RefusedError
from edi_gateway.model import OutboundMessage, OutboundSegment
from edi_gateway.plugins import Plugin

_KEY: Final = re.compile(r'"[^"]+"|[A-Za-z_][A-Za-z0-9_]*')
_STEPS: Final = re.compile(r'(?:"[^"]+"|[A-Za-z_][A-Za-z0-9_]*)(?:\.(?:"[^"]+"|[A-Za-z_][A-Za-z0-9_]*))*(?:\[\])?')
_ELEMENT: Final = re.compile(r"[A-Za-z_][\w.-]*")
_Object = dict[str, Any]
_MARK: Final[_Object] = {"test": True}  # first, whatever the layout says


class _Tree(Plugin):
    """What the encoders of trees have in common."""

    recipient: str = Field(description="whose files these are: destinations of one recipient share control numbers")
    test: bool = Field(
        default=False, strict=True, description="mark files as a test: test is true (XML: an attribute of the root)"
    )

    @property
    def partnership(self) -> str:
        """The recipient: within it, control numbers are unique."""
        return f"trees for {self.recipient}"

    @property
    def largest_control(self) -> int:
        """As many digits as other syntaxes have, so that a partner may change to one of them."""
        return 99_999_999_999_999

    def replace(self, text: str) -> str:
        """The text without the control characters that XML knows no way to write; JSON holds every text."""
        return "".join(character if _is_writable(character) else " " for character in text)


class JsonOutput(_Tree):
    """Writes one JSON document in UTF-8. Places are keys, with dots between those of objects in objects."""

    messages: str = Field(
        "", description="key of a list with an object a message (carrier, function); left out: all is one object"
    )
    indent: int = Field(0, ge=0, le=8, description="blanks before each level; 0: all on one line")

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:  # noqa: ARG002
        """The document; raises RefusedError for a place that is no key, and for headers that contradict each other."""
        objects = [_object(message.body) for message in messages]
        document = {self.messages: objects} if self.messages else _as_one(objects)
        document = _MARK | document | _MARK if self.test else document
        return json.dumps(document, ensure_ascii=False, indent=self.indent or None).encode()


class JsonLinesOutput(_Tree):
    """Writes JSON Lines in UTF-8: an object for each outermost level of the layout, with what the header says in it."""

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:  # noqa: ARG002
        """The lines; raises RefusedError for a place that is no key."""
        mark = _MARK if self.test else {}
        lines = (mark | line | mark for message in messages for line in _lines(message.body))
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _lines(root: OutboundSegment) -> Iterator[_Object]:
    for child in root.children:
        line = _object(OutboundSegment(root.tag, names=root.names))
        for key, value in _object(child).items():
            line[key] = value
        yield line


def _object(segment: OutboundSegment) -> _Object:
    made: _Object = {}
    if segment.elements:
        raise RefusedError("a place by number, expected keys such as shipment.number (syntax: json)")
    for name, text in segment.names.items():
        *way, last = _keys(name)
        _inside(made, way, name)[last] = text
    for child in segment.children:
        *way, last = _keys(child.tag)
        below = _inside(made, way, child.tag).setdefault(last, [])
        if not isinstance(below, list):
            raise RefusedError(f"{child.tag} is a list of a level, and a text at the same time")
        below.append(_object(child))
    return made


def _keys(path: str) -> list[str]:
    if not _STEPS.fullmatch(path.strip()):
        raise RefusedError(f"{path!r} can be read but not written, expected keys such as shipment.number")
    return [key.strip('"') for key in _KEY.findall(path)]


def _inside(made: _Object, way: Sequence[str], name: str) -> _Object:
    for key in way:
        made = made.setdefault(key, {})
        if not isinstance(made, dict):
            raise RefusedError(f"{name} lies within a text or a list")
    return made


def _as_one(objects: Sequence[_Object]) -> _Object:
    whole: _Object = {}
    for each in objects:
        for key, value in each.items():
            if isinstance(value, list) and isinstance(whole.get(key), list):
                whole[key] += value
            elif whole.setdefault(key, value) != value:
                raise RefusedError(
                    f"{key} is {whole[key]!r} in one message and {value!r} in another: set messages to a key, so that"
                    " each has an object of its own"
                )
    return whole


class XmlOutput(_Tree):
    """Writes one XML document in UTF-8. Places are elements and attributes, such as Address/City or @code."""

    root: str = Field(description="the outermost element")
    message: str = Field("", description="an element around each message (carrier, function); left out: none")
    namespace: str = Field("", description="the namespace of all elements")
    order: tuple[str, ...] = Field((), description="elements in the order the customer's schema wants them")
    indent: bool = Field(default=False, strict=True, description="a line for each element")

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:  # noqa: ARG002
        """The document; raises RefusedError for a place that is no element, and for a text XML cannot hold."""
        root = etree.Element(self._tag(self.root), nsmap={None: self.namespace} if self.namespace else None)
        for message in messages:
            holder = etree.SubElement(root, self._tag(self.message)) if self.message else root
            self._fill(holder, message.body)
        for element in root.iter():
            element[:] = sorted(element, key=self._rank)
        if self.indent:
            etree.indent(root)
        if self.test:
            root.set("test", "true")
        return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))

    def _fill(self, element: etree._Element, segment: OutboundSegment) -> None:
        if segment.elements:
            raise RefusedError("a place by number, expected elements such as Address/City (syntax: xml)")
        for name, text in segment.names.items():
            path, _, attribute = name.partition("@")
            holder = self._inside(element, [step for step in path.strip("/").split("/") if step not in {"", "."}])
            try:
                if attribute:
                    holder.set(_checked(attribute), text)
                elif holder.text not in {None, text}:
                    raise RefusedError(f"{name} is {holder.text!r} in one message and {text!r} in another: set message")
                else:
                    holder.text = text
            except ValueError as error:
                raise RefusedError(f"{name}: found {text!r}, which XML cannot hold ({error})") from error
        for child in segment.children:
            *way, last = child.tag.removesuffix("[]").split("/")
            self._fill(etree.SubElement(self._inside(element, way), self._tag(last)), child)

    def _inside(self, element: etree._Element, way: Sequence[str]) -> etree._Element:
        for step in way:
            tag = self._tag(step)
            found = element.find(tag)
            element = etree.SubElement(element, tag) if found is None else found
        return element

    def _tag(self, name: str) -> str:
        return f"{{{self.namespace}}}{_checked(name)}" if self.namespace else _checked(name)

    def _rank(self, element: etree._Element) -> int:
        name = str(etree.QName(element).localname)
        return self.order.index(name) if name in self.order else len(self.order)


def _checked(name: str) -> str:
    if not _ELEMENT.fullmatch(name.strip()):
        raise RefusedError(f"{name!r} can be read but not written, expected the name of an element or attribute")
    return name.strip()


def _is_writable(character: str) -> bool:
    code = ord(character)
    return code in {9, 10, 13} or (code >= 32 and not 0xD800 <= code <= 0xDFFF and code not in {0xFFFE, 0xFFFF})
