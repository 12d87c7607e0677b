"""XML: a message for each record, whose nodes answer XPath. Nothing outside the document is ever looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

from lxml import etree
from pydantic import Field, field_validator

from edi_gateway.formats.strictness import Strict, strictly
from edi_gateway.formats.trees.payload import ends_with, payload, refused
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin
from edi_gateway.quantities import Size
from edi_gateway.segment import Segment

_DOCTYPE: Final = re.compile(rb"<!DOCTYPE|<\x00!\x00D\x00O\x00C\x00T\x00Y\x00P\x00E", re.IGNORECASE)
_PROLOG: Final = 1 << 16
_Names = tuple[tuple[str, str], ...]


class XmlNode(Segment):
    """An element; ``tag`` is its name without its namespace."""

    __slots__ = ("element", "names")
    planned: ClassVar[bool] = False

    def __init__(
        self, element: etree._Element, names: _Names, tag: str = "", number: int = 0, parent: Segment | None = None
    ) -> None:
        super().__init__(tag, number, 0, 0)
        self.element = element
        self.names = names
        self.parent = parent

    @property
    def line(self) -> int:
        """See Segment.line."""
        return int(self.element.sourceline or 0)

    def get(self, element: int, component: int = 1) -> str:  # noqa: ARG002  nothing of a tree has a number
        """See Segment.get."""
        return ""

    def named(self, name: str) -> str:
        """See Segment.named: what the XPath expression finds."""
        return _text(_search(name, self.names, self.element))

    def each(self, expression: str) -> Sequence[Segment]:
        """See Segment.each: every element the expression leads to."""
        found = _search(expression, self.names, self.element)
        elements = found if isinstance(found, list) else []
        return [
            XmlNode(element, self.names, element.tag.rpartition("}")[2], number, self)
            for number, element in enumerate(elements, 1)
            if isinstance(element, etree._Element) and isinstance(element.tag, str)  # noqa: SLF001  its only name
        ]


@lru_cache(maxsize=4096)
def _compiled(expression: str, names: _Names) -> etree.XPath:
    return etree.XPath(expression, namespaces=dict(names), regexp=False, smart_strings=False)


def _search(expression: str, names: _Names, element: etree._Element) -> Any:
    try:
        return _compiled(expression, names)(element)
    except etree.XPathError:
        return []


def _text(found: Any) -> str:
    """The text of what was found, blanks and line breaks in it as one; of several the first that says something."""
    if isinstance(found, list):
        return next(filter(None, map(_text, found)), "")
    if isinstance(found, etree._Element):  # noqa: SLF001
        return " ".join("".join(found.itertext()).split())
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return f"{found:.15g}" if found == found else ""  # noqa: PLR0124  NaN is no text
    return " ".join(str(found).split())


class Xml(Plugin):
    """Reads an XML document; each of its records is a message. Names are matched without their namespaces."""

    records: str = Field(".", description="XPath of the records, seen from the outermost element; that one by default")
    namespaces: dict[str, str] = Field(
        default_factory=dict, description="prefix → namespace; with any, names are matched with their namespaces"
    )
    max_size: Size = Field(32_000_000, ge=1, description="a larger document is set aside: it is read as a whole")
    strict: Strict = False

    @field_validator("records")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        try:
            etree.XPath(value)
        except etree.XPathError as error:
            raise ValueError(f"found {value!r}, expected an XPath expression such as //shipment ({error})") from None
        return value

    def is_complete(self, content: bytes) -> bool:
        """Whether the last tag is closed."""
        return ends_with(content, (b">",))

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the document; raises DocumentError when it is no XML, or has a document type."""
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        said, _ = payload(content, self.max_size, strict=self.strict)
        names: _Names = tuple(sorted(self.namespaces.items()))
        root = XmlNode(_parsed(said), names)
        if not names:
            _strip_namespaces(root.element)
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref="",
            messages=self._messages(root),
            position=Position(start=0, end=len(content)),
        )

    def _messages(self, root: XmlNode) -> Iterator[Message]:
        records = root.each(self.records)
        if not records:
            place = Position(line=root.line, name=self.records)
            advice = "look at what the channel collects, or name the records as they are called now"
            found = f"<{etree.QName(root.element).localname}> without any"
            missing = Finding(Severity.QUARANTINE, Level.MESSAGE, place, found, "records", advice, "13")
            yield Message("", "", "", None, place, findings=(missing,))
        for number, record in enumerate(records, 1):
            assert isinstance(record, XmlNode), "levels of XML are XML"
            parent = None if record.element is root.element else root
            body = XmlNode(record.element, root.names, parent=parent)
            place = Position(message=str(number), line=body.line)
            yield Message("", "", str(number), body, place)


def _parsed(content: bytes) -> etree._Element:
    if _DOCTYPE.search(content, 0, _PROLOG):
        raise _with_doctype()
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        line, _ = error.position
        place = Position(line=line or 1)
        advice = "the document is cut short or no XML: ask the sender to send it again"
        raise refused(_shown(content, line or 1), f"XML ({error.msg})", advice, place) from None
    except (ValueError, LookupError) as error:
        raise refused(_shown(content, 1), f"XML ({error})") from None
    if root.getroottree().docinfo.doctype:
        raise _with_doctype()
    return root


def _with_doctype() -> Exception:
    advice = "such a document may make its reader fetch files or fill its memory: ask for one without"
    return refused("a document type (<!DOCTYPE)", "XML without", advice)


def _shown(content: bytes, line: int) -> str:
    lines = content.split(b"\n", line)
    return lines[line - 1][:60].decode("utf-8", "replace").strip() if len(lines) >= line else "the end"


def _strip_namespaces(root: etree._Element) -> None:
    for element in root.iter("*"):
        if "}" in element.tag:
            element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            local = name.rpartition("}")[2]
            if local not in element.attrib:
                element.attrib[local] = element.attrib[name]
