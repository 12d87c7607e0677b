"""JSON and JSON Lines: a message for each record, whose nodes answer JMESPath."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from itertools import count
from typing import Any, ClassVar, Final, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field, field_validator

from edi_gateway.formats.strictness import Strict, empty_file, strictly
from edi_gateway.formats.text import PADDING, settle
from edi_gateway.formats.trees.payload import ends_with, payload, refused
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin
from edi_gateway.quantities import Size
from edi_gateway.segment import Segment

_SHOWN: Final = 60
_LONGEST_NUMBER: Final = 4_000  # digits; Python makes no whole number of more


class Written(float):
    """A number with a point or an exponent, as it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Of its text."""
        made = super().__new__(cls, text)
        made.text = text
        return made


class JsonNode(Segment):
    """A value of a JSON document; ``tag`` is the expression that led to it."""

    __slots__ = ("_line", "value")
    planned: ClassVar[bool] = False

    def __init__(
        self, value: Any, tag: str = "", number: int = 0, parent: Segment | None = None, line: int = 0
    ) -> None:
        super().__init__(tag, number, 0, 0)
        self.value = value
        self.parent = parent
        self._line = line

    @property
    def line(self) -> int:
        """See Segment.line: in JSON Lines, that of the record."""
        return self._line

    def get(self, element: int, component: int = 1) -> str:  # noqa: ARG002  nothing of a tree has a number
        """See Segment.get."""
        return ""

    def named(self, name: str) -> str:
        """See Segment.named: what the JMESPath expression finds."""
        return text_of(_search(name, self.value))

    def each(self, expression: str) -> Sequence[Segment]:
        """See Segment.each: every item of a list, or the one value."""
        found = _search(expression, self.value)
        if found is None:
            return []
        items = found if isinstance(found, list) else [found]
        return [JsonNode(item, expression, number, self, self._line) for number, item in enumerate(items, 1)]


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _search(expression: str, value: Any) -> Any:
    """What the expression finds; nothing where a function meets what it is not made for, such as null."""
    try:
        return _compiled(expression).search(value)
    except (JMESPathError, RecursionError, OverflowError, ValueError):
        return None


def text_of(value: Any) -> str:
    """A value as text; of a list the first that says something, of an object nothing."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Written):
        return value.text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, list):
        return next(filter(None, map(text_of, (item for item in value if not isinstance(item, list)))), "")
    return ""


@dataclass(slots=True)
class _Parser:
    """Reads one JSON text and notes what is odd about it."""

    odd: list[str] = field(default_factory=list)

    def read(self, text: str) -> Any:
        """The value; raises ValueError or RecursionError."""
        return json.loads(
            text,
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_float=Written,
            parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_NUMBER else digits,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            self.odd.append(f"the key {', '.join(map(repr, twice))} twice in one object: the last is taken")
        return made

    def _constant(self, name: str) -> None:
        self.odd.append(f"{name}, which JSON does not know: taken as null")


def _remarks(odd: Sequence[str], place: Position, level: Level) -> tuple[Finding, ...]:
    return tuple(
        Finding(Severity.WARNING, level, place, found, "JSON as RFC 8259 has it", "", "12")
        for found in dict.fromkeys(odd)
    )


class Json(Plugin):
    """Reads a JSON document; each of its records is a message."""

    records: str = Field(
        "", description="JMESPath of the records; left out: the items of a list, or the whole document"
    )
    encoding: str = Field("", description="such as cp1252; left out: UTF-8, or cp1252 where it is none")
    max_size: Size = Field(32_000_000, ge=1, description="a larger document is set aside: it is read as a whole")
    strict: Strict = False

    @field_validator("records")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        try:
            if value:
                jmespath.compile(value)
        except JMESPathError as error:
            why = str(error).partition("\n")[0]
            raise ValueError(f"found {value!r}, expected a JMESPath expression such as shipments ({why})") from None
        return value

    def is_complete(self, content: bytes) -> bool:
        """Whether the last bracket is there."""
        return ends_with(content, (b"}", b"]"))

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the document; raises DocumentError when it is no JSON or has no records."""
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        said, begin = payload(content, self.max_size, strict=self.strict)
        decoding = settle(said, self.encoding)
        parser = _Parser()
        document = _document(decoding.content[decoding.begin :].decode(decoding.codec, "replace"), parser, begin)
        root = JsonNode(document)
        findings = [decoding.remark] if decoding.remark else []
        findings += _remarks(parser.odd, Position(), Level.INTERCHANGE)
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref="",
            messages=self._messages(root),
            position=Position(start=0, end=len(content)),
            findings=tuple(findings),
        )

    def _messages(self, root: JsonNode) -> Iterator[Message]:
        found = _search(self.records, root.value) if self.records else root.value
        if found is None:
            place = Position(name=self.records)
            advice = "look at what the channel collects, or name the records as they are called now"
            missing = Finding(Severity.QUARANTINE, Level.MESSAGE, place, "", "records", advice, "13")
            yield Message("", "", "", None, place, findings=(missing,))
            return
        records = found if isinstance(found, list) else [found]
        if not records:
            none = Finding(Severity.WARNING, Level.INTERCHANGE, Position(name=self.records), "no record", "records")
            yield Message("", "", "", None, Position(), findings=(none,))
        for number, record in enumerate(records, 1):
            reference = str(number)
            body = JsonNode(record, parent=None if record is root.value else root)
            yield Message("", "", reference, body, Position(message=reference))


def _document(text: str, parser: _Parser, begin: int) -> Any:
    try:
        return parser.read(text)
    except json.JSONDecodeError as error:
        found = text[error.pos : error.pos + _SHOWN].partition("\n")[0] or "the end"
        at = begin + len(text[: error.pos].encode())
        place = Position(line=error.lineno, start=at, end=at)
        advice = "the document is cut short or no JSON: ask the sender to send it again"
        raise refused(found, f"JSON ({error.msg})", advice, place) from None
    except RecursionError:
        raise refused("brackets within brackets, too many to follow", "JSON that is nested less deeply") from None


class JsonLines(Plugin):
    """Reads JSON Lines: each line is a record and a message of its own."""

    encoding: str = Field("", description="such as cp1252; left out: UTF-8, or cp1252 where it is none")
    max_line: Size = Field(4_000_000, ge=1, description="a longer line is set aside")
    strict: Strict = False

    def is_complete(self, content: bytes) -> bool:
        """Whether the last line is closed."""
        return ends_with(content, (b"}", b"]"))

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the document; raises DocumentError when it is empty."""
        if not content.strip(PADDING):
            raise empty_file(content, "a record a line", strict=self.strict)
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        decoding = settle(content, self.encoding)
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref="",
            messages=self._messages(decoding.content, decoding.begin, decoding.codec),
            position=Position(start=0, end=len(content)),
            findings=(decoding.remark,) if decoding.remark else (),
        )

    def _messages(self, content: bytes, start: int, codec: str) -> Iterator[Message]:
        stream = BytesIO(content)
        stream.seek(start)
        for number in count(1):
            raw = stream.readline()
            if not raw:
                return
            if raw.strip(PADDING):
                place = Position(message=str(number), line=number, start=start, end=start + len(raw))
                yield self._message(raw, codec, place)
            start += len(raw)

    def _bounded(self, raw: bytes) -> bytes:
        if len(raw) > self.max_line:
            raise ValueError(f"{len(raw)} bytes, of which {self.max_line} are allowed")
        return raw

    def _message(self, raw: bytes, codec: str, place: Position) -> Message:
        parser = _Parser()
        try:
            value = parser.read(self._bounded(raw).decode(codec, "replace").strip())
        except (ValueError, RecursionError) as error:
            found = raw[:_SHOWN].decode(codec, "replace").strip()
            advice = "ask the sender to mend the line; the others are read"
            expected = f"a JSON value on one line ({error})"
            unread = Finding(Severity.QUARANTINE, Level.MESSAGE, place, found, expected, advice, "12")
            return Message("", "", place.message, None, place, findings=(unread,))
        body = JsonNode(value, line=place.line)
        body.start, body.end = place.start, place.end
        return Message("", "", place.message, body, place, findings=_remarks(parser.odd, place, Level.MESSAGE))
