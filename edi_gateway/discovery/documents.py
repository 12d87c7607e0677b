"""Documents as nested objects: JSON, JSON Lines and XML, also where the sample ends before they do."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lxml import etree

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_CLOSERS: Final = {"{": "}", "[": "]"}
_DEEPEST: Final = 200
_STATUS_LINE: Final = re.compile(r"HTTP/\d(?:\.\d)? .*?\r?\n\r?\n", re.DOTALL)
_LINES: Final = 20_000


def without_head(text: str) -> str:
    """The body of an answer that was kept with the head of the web server's."""
    head = _STATUS_LINE.match(text)
    return text[head.end() :] if head else text


def json_document(text: str, *, whole: bool) -> Any:
    """The document; None when the text is none. Of one that goes on, what is complete of it."""
    try:
        return json.loads(text if whole else _closed(text))
    except (ValueError, RecursionError):
        return None


def json_lines(text: str, *, whole: bool) -> list[Any] | None:
    """The records, one a line; None when most lines are no JSON objects."""
    lines = [line for line in text.split("\n")[: _LINES + 1] if line.strip()]
    if not whole and len(lines) > 1:
        del lines[-1]
    found = [record for line in lines[:_LINES] if isinstance(record := json_document(line, whole=True), dict)]
    return found if found and len(found) > len(lines) // 2 else None


def _closed(text: str) -> str:
    """A document that was cut off, up to the last object that was whole, with its brackets closed."""
    opened: list[str] = []
    end, closing = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSERS:
            opened.append(mark)
            if len(opened) > _DEEPEST:
                break
        elif mark in "]}" and opened:
            opened.pop()
            end, closing = token.end(), "".join(_CLOSERS[each] for each in reversed(opened))
    return text[:end] + closing


def xml_document(content: bytes, *, whole: bool) -> tuple[dict[str, Any], list[str]] | None:
    """The outermost element as an object, attributes as "@name", and the namespaces seen; None when it is no XML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, recover=not whole,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    if root is None:
        return None
    spaces = sorted({space for element in root.iter("*") if (space := etree.QName(element).namespace)})
    return _object(root, 0), spaces


def _object(element: etree._Element, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    below: dict[str, list[Any]] = {}
    for child in element.iterchildren("*"):
        if depth < _DEEPEST:
            below.setdefault(_name(child, element), []).append(_value(child, depth + 1))
    made |= {name: each[0] if len(each) == 1 else each for name, each in below.items()}
    if not below and (text := " ".join((element.text or "").split())):
        made["."] = text
    return made


def _value(element: etree._Element, depth: int) -> Any:
    made = _object(element, depth)
    return made.get(".", "") if not made.keys() - {"."} else made


def _local(name: Any) -> str:
    return str(name).rpartition("}")[2]


def _name(child: etree._Element, holder: etree._Element) -> str:
    """Its name; where elements of one name lie within each other, with what their attribute "name" says, too."""
    name, said = _local(child.tag), child.get("name", "")
    if name == _local(holder.tag) and re.fullmatch(r"[\w.:-]+", said):
        return f"{name}[@name='{said}']"
    return name
