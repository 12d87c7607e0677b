"""The mapping YAML as typed data: one page of keys, no expressions, no code."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from edi_gateway.mapping.convert import CONVERTERS
from edi_gateway.mapping.path import Levels, Path, Syntax, checked, parse_expression, parse_path, parse_place
from edi_gateway.model import Classifier, Direction, MessageFunction, Status

REASON = re.compile(r"[a-z][a-z_]*(\.[a-z0-9_]+)+")
NAMESPACES = frozenset(
    {
        *("info", "pickup", "transit", "customs", "delay", "hold", "delivery", "attempt", "address", "refused"),
        *("pickup_point", "delivered", "damage", "loss", "return", "cancel", "equipment", "doc", "discrepancy"),
        *("other", "x"),
    }
)
_DIRECTORY = re.compile(r"(\d{2}[A-Z])?\.\.(\d{2}[A-Z])?|\d{2}[A-Z]")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _syntax(info: ValidationInfo) -> Syntax:
    """What the file, or one it builds on, says its places are written in."""
    said: Syntax = (info.context or {}).get("syntax", "segments")
    return said


def _place(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    syntax = _syntax(info)
    return parse_place(value) if syntax == "segments" else parse_expression(value, syntax)


def _segments(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if _syntax(info) != "segments":
        raise ValueError(f'"{value}" names segments, expected places with a name: trees have no segments')
    return parse_path(value)


def _events(value: object, info: ValidationInfo) -> object:
    syntax = _syntax(info)
    if syntax != "segments":
        levels = value if isinstance(value, list) else [value]
        return Levels(tuple(checked(str(level), syntax) for level in levels))
    return _whole_segments(parse_path(value)) if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_source(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


Place = Annotated[Path, BeforeValidator(_place), WithJsonSchema({"type": "string", "examples": ["RFF[1.1=CN]@1.2"]})]
SegmentPath = Annotated[Path, BeforeValidator(_segments), WithJsonSchema({"type": "string", "examples": ["CNI/STS"]})]


def check_reason(reason: str) -> str:
    """A reason is namespaced lower snake case; raises ValueError that says which namespaces there are."""
    if not REASON.fullmatch(reason) or reason.partition(".")[0] not in NAMESPACES:
        msg = f'"{reason}" is no reason: expected <namespace>.<what> in lower case with a namespace of {_spaces()}'
        raise ValueError(msg)
    return reason


def _spaces() -> str:
    return ", ".join(sorted(NAMESPACES))


Reason = Annotated[str, Field(pattern=REASON.pattern), BeforeValidator(lambda text: check_reason(str(text)))]


def _converter(name: str) -> str:
    if name not in CONVERTERS:
        msg = f'"{name}" is no converter: expected one of {", ".join(sorted(CONVERTERS))}'
        raise ValueError(msg)
    return name


OneOrMore = Annotated[tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=list[str] | str)]
Converters = Annotated[
    tuple[Annotated[str, AfterValidator(_converter)], ...],
    BeforeValidator(_as_list, json_schema_input_type=list[str] | str),
]


class Text(_Strict):
    """Where a text comes from: a place, or a constant, with converters applied in order."""

    path: Place | None = Field(None, description="the place in the message")
    join: tuple[Place, ...] = Field((), description="places whose texts follow that of path without a blank")
    const: str | None = Field(None, description="a constant instead of a place")
    convert: Converters = Field((), description="named converters applied in order")
    values: dict[str, str] = Field(default_factory=dict, description='replacement per text, "*" for any other')
    max_length: int | None = Field(None, ge=1, description="cut to this many characters when written")

    @model_validator(mode="after")
    def _one_source(self) -> Text:
        if (self.path is None) == (self.const is None):
            msg = "expected exactly one of path and const"
            raise ValueError(msg)
        return self


class Instant(_Strict):
    """Where a point in time comes from, and what kind of statement it is."""

    path: Place = Field(description="the place of the date or time")
    time: Place | None = Field(None, description="where the time of day stands when it has a place of its own")
    zone: Place | None = Field(None, description="where the time zone stands when it has a place of its own")
    format: OneOrMore = Field(
        ("edifact",),
        min_length=1,
        description="edifact (the 2379 code beside the value), a 2379 code, x12 (373, 337 and 623), iso (ISO 8601),"
        " epoch (seconds or milliseconds since 1970), or a strptime pattern (of date and time with one blank between"
        " them where they stand apart); of a list, the first that fits. Elements with names are iso by default",
    )
    classifier: Classifier | None = Field(None, description="ACT, EST or PLN when this place says so")
    derived: bool = Field(default=False, description="a last resort, not the event's own time: a warning is kept")

    @model_validator(mode="after")
    def _one_segment(self) -> Instant:
        for place in (self.time, self.zone):
            if place is not None and (place.steps):
                msg = f'"{place}" is looked for in the segment of {self.path}: write only "@" with the element'
                raise ValueError(msg)
        return self

    @property
    def formats(self) -> tuple[str, ...]:
        """How it may be written, the usual way first."""
        return ("iso",) if self.path.name and "format" not in self.model_fields_set else self.format


_OneText = Annotated[Text, BeforeValidator(_as_source, json_schema_input_type=str | Text)]
_OneInstant = Annotated[Instant, BeforeValidator(_as_source, json_schema_input_type=str | Instant)]
Texts = Annotated[tuple[_OneText, ...], BeforeValidator(_as_list, json_schema_input_type=list[_OneText] | _OneText)]
Instants = Annotated[
    tuple[_OneInstant, ...], BeforeValidator(_as_list, json_schema_input_type=list[_OneInstant] | _OneInstant)
]


class LocationPlaces(_Strict):
    """Where the parts of a location stand."""

    of: tuple[SegmentPath, ...] = Field((), description="the segments that may hold it; all parts come from the first")
    name: Texts = ()
    unlocode: Texts = ()
    country: Texts = ()
    subdivision: Texts = Field((), description="state or province, for its time zone")

    def parts(self) -> tuple[Texts, ...]:
        """The texts of one location."""
        return self.name, self.unlocode, self.country, self.subdivision


_Places = Annotated[tuple[Place, ...], BeforeValidator(_as_list, json_schema_input_type=list[Place] | Place)]


class Referring(_Strict):
    """Segments that say of what kind the reference in them is."""

    of: SegmentPath = Field(description="the segments")
    qualifier: Place = Field(description="the place of its kind in them, such as @2")
    value: Place = Field(description="the place of the reference in them, such as @1")


References = SegmentPath | Referring | dict[str, _Places]


class EventPlaces(_Strict):
    """Where each field of a tracking event stands; a list means: the first that is there."""

    tracking_number: Texts = Field((), description="the shipment's number at the carrier")
    piece: Texts = Field((), description="the package within the shipment")
    code: Texts = Field((), description="the carrier's status code")
    code_list: Texts = Field((), description="the code list the status code is of (1131)")
    code_agency: Texts = Field((), description="the agency responsible for that list (3055)")
    reason: Texts = Field((), description="status reason codes; all that are there are kept, the first known decides")
    text: Texts = Field((), description="free text of the carrier")
    occurred_at: Instants = Field((), description="when it happened or is expected")
    location: LocationPlaces = Field(LocationPlaces(), description="where")
    account: Texts = Field((), description="the carrier's customer account")
    signatory: Texts = Field((), description="who signed")
    references: tuple[References, ...] = Field(
        (),
        description="segments whose element 1 is qualifier:value, or such with places of their own for the two,"
        " or qualifier → places; all are kept",
    )


class ReportPlaces(_Strict):
    """What a message says of itself."""

    number: Texts = Field((), description="the carrier's number of this report (BGM 1004)")
    function: Texts = Field((), description="the message function code (BGM 1225)")
    functions: dict[str, MessageFunction] = Field(default_factory=dict, description="function code → meaning")
    issued_at: Instants = Field((), description="when the report was made")
    problem: Texts = Field((), description="why a message has no events, as the carrier tells it")


class Requirement(_Strict):
    """What must stand at a place for a segment to be an event we understand."""

    path: Place
    values: tuple[str, ...] = Field((), description='texts of which one must stand there, "" for none at all')
    pattern: str | None = Field(None, description="a regular expression that fits all of the text, instead of values")
    expected: str = Field(description="said to the person who must act")
    advice: str = ""

    @model_validator(mode="after")
    def _one_rule(self) -> Requirement:
        if bool(self.values) == (self.pattern is not None):
            msg = "expected exactly one of values and pattern"
            raise ValueError(msg)
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            msg = f"pattern {self.pattern!r} is no regular expression: {error}"
            raise ValueError(msg) from error
        return self

    def met(self, text: str) -> bool:
        """Whether the text is one that may stand there."""
        return text in self.values if self.pattern is None else re.fullmatch(self.pattern, text) is not None


class CodeEntry(_Strict):
    """What one status code means."""

    status: Status
    reason: Reason | Literal[""] = ""
    classifier: Classifier | None = None
    direction: Direction | None = None
    correction: bool = Field(default=False, description="may leave a terminal status")
    name: str = ""
    reasons: dict[str, CodeEntry] = Field(default_factory=dict, description="meaning with this reason code beside it")


class ReasonEntry(_Strict):
    """What one status reason code means."""

    reason: Reason
    status: Status | None = Field(None, description="a hint for people; the event's own status code decides")
    name: str = ""


def _as_entry(value: object) -> object:
    return {"status": value} if isinstance(value, str) else value


Codes = dict[str, Annotated[CodeEntry, BeforeValidator(_as_entry, json_schema_input_type=Status | CodeEntry)]]


def _as_reason(value: object) -> object:
    return {"reason": value} if isinstance(value, str) else value


Reasons = dict[str, Annotated[ReasonEntry, BeforeValidator(_as_reason, json_schema_input_type=str | ReasonEntry)]]


class CodeList(_Strict):
    """A table of codes and when it applies; the more conditions a table names, the earlier it is asked."""

    list: OneOrMore | None = Field(None, description="code list identifiers (1131) it is for")
    agency: OneOrMore | None = Field(None, description='agencies (3055) it is for; "" is: none named')
    directory: str | None = Field(None, description='directories it is for, such as "..98A", "98B.." or "01B"')
    table: str | None = Field(None, description="a shared table, such as standard/codes/rec24")
    codes: Codes = Field(default_factory=dict)

    @field_validator("directory")
    @classmethod
    def _range(cls, value: str | None) -> str | None:
        if value is not None and not _DIRECTORY.fullmatch(value):
            msg = f'"{value}" is no range of directories: expected "..98A", "98B..", "96A..98A" or "01B"'
            raise ValueError(msg)
        return value

    @property
    def specificity(self) -> int:
        """How many conditions it names, the code list weighing most."""
        return 4 * (self.list is not None) + 2 * (self.agency is not None) + (self.directory is not None)


class SharedTable(_Strict):
    """A file under ``codes/``: a published code list, reviewed once for everybody."""

    list: str
    codes: Codes


class SharedReasons(_Strict):
    """A file under ``codes/`` that holds status reason codes."""

    list: str
    codes: Reasons


class OutboundCode(_Strict):
    """What a customer calls one of our statuses."""

    code: str = Field(description='"" for what the customer has no word for: such an event is set aside')
    list: str = ""
    agency: str = ""
    reason: str = Field("", description="status reason code to write")
    text: str | None = Field(None, description="text to write instead of the carrier's")
    place: int = Field(1, ge=1, description="which of the places of code and reason it is written to")


def _as_outbound(value: object) -> object:
    return {"code": value} if isinstance(value, str) else value


_Outbound = Annotated[OutboundCode, BeforeValidator(_as_outbound, json_schema_input_type=str | OutboundCode)]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = f"found {name!r}, expected an IANA time zone such as Europe/Berlin"
        raise ValueError(msg) from None
    return name


def _whole_segments(path: Path) -> Path:
    if not path.steps or path.is_place:
        msg = f'"{path}" names no segments, expected a path without "@" such as CNI/STS or //STS'
        raise ValueError(msg)
    return path


Zone = Annotated[str, AfterValidator(_zone)]
EventPath = Annotated[
    Path | Levels,
    BeforeValidator(_events),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "examples": ["CNI/STS"]}),
]


class MappingFile(_Strict):
    """One mapping file, as operations people write it."""

    extends: OneOrMore = Field((), description="what this one builds on")
    message: str | None = Field(None, description="the message type it is for")
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        None, description="zone of times that name none; the carrier's file may say otherwise"
    )
    syntax: Syntax | None = Field(
        None, description="what places are written in: paths of segments, JMESPath (json), XPath (xml)"
    )
    format: dict[str, Any] | None = Field(
        None, description="the syntax of the files it reads: a type and its options, as in a channel"
    )
    for_each: EventPath | None = Field(
        None, description="one event for each of these segments, or the levels of a tree down to its events"
    )
    require: tuple[Requirement, ...] | None = Field(None, description="what must stand there for it to be an event")
    report: ReportPlaces | None = Field(None, description="what the message says of itself")
    event: EventPlaces | None = Field(None, description="where each field of a tracking event stands")
    codes: Codes = Field(default_factory=dict, description="status code → status, for any list and agency")
    code_lists: tuple[CodeList, ...] = Field((), description="tables of codes with conditions")
    reasons: Reasons = Field(default_factory=dict, description="status reason code → reason")
    reason_tables: tuple[str, ...] | None = Field(None, description="shared tables of status reason codes")
    header: dict[str, str] = Field(default_factory=dict, description="place → template, written once per message")
    constants: dict[str, str] = Field(default_factory=dict, description="place → text, written with every event")
    statuses: dict[str, _Outbound] = Field(
        default_factory=dict,
        description="STATUS or STATUS/reason → the customer's code; of what is expected EST and PLN are asked first",
    )
    carriers: dict[str, str] = Field(default_factory=dict, description='carrier → its name there, "*" for any other')
    message_per: Literal["carrier", "shipment"] | None = Field(None, description="what one message is about")
