"""What one customer receives at one place: the keys of a destination, and which of them its kind has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from edi_gateway.config.acknowledging import AwaitedOptions, Retry
from edi_gateway.config.fields import Section, as_list
from edi_gateway.config.file_names import FileNameText
from edi_gateway.config.numbers import ControlNumbers
from edi_gateway.config.rules import Rule
from edi_gateway.located import Loc, Located
from edi_gateway.pipeline import partners
from edi_gateway.pipeline.partners import ALL, Trigger
from edi_gateway.quantities import Duration, Size

EventWord = Literal["all", "status_changes", "reason_changes", "estimated_delivery_changes"]
TRIGGERS: Final[Mapping[str, str]] = {
    "all": ALL,
    "status_changes": Trigger.STATUS,
    "reason_changes": Trigger.REASON,
    "estimated_delivery_changes": Trigger.ESTIMATE,
}
NOTIFICATION_RETRY: Final = (
    *(timedelta(seconds=seconds) for seconds in (5, 300, 1800)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)  # ten attempts over 75 hours and 35 minutes
_OF_FILES: Final[Mapping[str, str]] = {
    "batch": "each event is told at once, by itself",
    "file_name": "a notification is named by its message id",
    "control_numbers": "notifications are counted for each shipment",
    "encrypt": "what is sent by HTTPS is encrypted on its way",
    "acknowledgement": "the answer to the request is the acknowledgement",
    "unencodable": "JSON holds every character",
}
_OF_NOTIFICATIONS: Final[Mapping[str, str]] = {
    "layout": "files are laid out by format and mapping",
    "vocabulary": "statuses get the customer's words by the mapping",
    "history": "a file holds many events as it is",
}


class Batch(Section):
    """When pending events become a file."""

    every: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        timedelta(minutes=5), description="the longest an event waits for others to share its file"
    )
    at_most: int = Field(500, ge=1, le=10_000, description="events in one file; as soon as they are there it is sent")
    max_bytes: Size = Field(1_000_000, ge=1_000, description="size of one file; one event alone may exceed it")

    def wired(self) -> partners.Batch:
        """The batch as the pipeline knows it."""
        return partners.Batch(self.every, self.at_most, self.max_bytes)


class DestinationOptions(Section):
    """What one customer receives, in which form, where and when."""

    sink: dict[str, Any] = Field(description="where files go, or who is notified: a type and its options")
    format: dict[str, Any] | None = Field(
        None, description="the syntax and envelope of the files: a type and its options"
    )
    mapping: str | None = Field(None, description="the mapping that lays out events in messages")
    layout: Literal["canonical", "tracker"] | None = Field(
        None, description="what a notification looks like, unless format and mapping say so; canonical when left out"
    )
    vocabulary: str | None = Field(
        None,
        description="what statuses are called in a notification: canonical, nine_status, or as in a mapping's statuses;"
        " canonical when left out, and nine_status with the layout tracker",
    )
    history: bool = Field(default=False, strict=True, description="true: each notification tells all of the shipment")
    file_name: FileNameText | None = Field(
        None, description="name of each file; {control:09} in it, {date:%Y%m%d}, {customer}, {destination} if wanted"
    )
    encrypt: dict[str, Any] | None = Field(None, description="for whom files are encrypted (PGP), and who signs them")
    test: bool = Field(
        default=False, strict=True, description="true: it receives the customer's test data, and nothing else"
    )
    events: (
        Annotated[tuple[EventWord, ...], BeforeValidator(as_list, json_schema_input_type=list[EventWord] | EventWord)]
        | None
    ) = Field(
        None,
        min_length=1,
        description="every event, or those that change the status, its reason or the estimated delivery; one or a list;"
        " all when left out, and status_changes for notifications",
    )
    only: tuple[Rule, ...] = Field(
        (), description="rules of which one must fit, besides those of the customer; what was subscribed to as well"
    )
    batch: Batch = Field(Batch(), description="when pending events become a file")
    control_numbers: ControlNumbers = Field(ControlNumbers(), description="the sequence of control numbers")
    retry: Retry | None = Field(
        None, description="pauses after each failed attempt; as gateway.yaml, or ten attempts in 75 h for notifications"
    )
    order: Literal["any", "strict", "shipment"] = Field(
        "any",
        description="strict: nothing is sent while an earlier one is neither delivered nor given up by a person;"
        " shipment: the same among the notifications of one shipment",
    )
    in_flight: int = Field(4, ge=1, le=64, description="files sent at the same time; with strict order always one")
    unencodable: Literal["refuse", "replace"] = Field(
        "refuse", description="a character the charset lacks: set the event aside, or write the nearest character"
    )
    acknowledgement: AwaitedOptions | None = Field(
        None, description="the acknowledgement the customer owes for each file; none when left out"
    )
    enabled: bool = Field(
        default=True, strict=True, description="false: nothing is collected for it, its secrets not looked at"
    )

    @property
    def own_layout(self) -> bool:
        """Whether format and mapping say what is sent."""
        return self.format is not None or self.mapping is not None

    @property
    def called(self) -> str:
        """The vocabulary of notifications."""
        return self.vocabulary or ("nine_status" if self.layout == "tracker" else "canonical")


def triggers(options: DestinationOptions, *, one_by_one: bool) -> frozenset[str]:
    """What a destination wants to hear of."""
    words = options.events or ("status_changes" if one_by_one else "all",)
    return frozenset(TRIGGERS[word] for word in words)


def misplaced(located: Located, loc: Loc, *, one_by_one: bool) -> Iterator[str]:
    """Keys that make no sense for this kind of destination, or that it lacks, each with what to do."""
    said = located.get(loc)
    keys = said.keys() if isinstance(said, dict) else ()
    for key, why in (_OF_FILES if one_by_one else _OF_NOTIFICATIONS).items():
        if key in keys:
            kind = "is told event by event" if one_by_one else "gets files"
            yield f"{_place(located, (*loc, key))}: this destination {kind}, expected no such key: {why}"
    if one_by_one:
        yield from _of_layouts(located, loc, keys)
        return
    for key in ("format", "mapping", "file_name"):
        if key not in keys:
            meaning = DestinationOptions.model_fields[key].description
            yield f"{_place(located, loc)}: missing key {key!r}, expected {meaning}"
    if "order" in keys and located.get((*loc, "order")) == "shipment":
        at = _place(located, (*loc, "order"))
        yield f"{at}: found 'shipment', expected any or strict: a file tells of many shipments"


def _of_layouts(located: Located, loc: Loc, keys: Collection[str]) -> Iterator[str]:
    own = [key for key in ("format", "mapping") if key in keys]
    if len(own) == 1:
        other = "mapping" if own == ["format"] else "format"
        yield f"{_place(located, (*loc, own[0]))}: missing key {other!r} beside it, expected both, or a layout instead"
    for key in ("layout", "vocabulary", "history") if own else ():
        if key in keys:
            yield f"{_place(located, (*loc, key))}: format and mapping say what is sent, expected no such key"
    if "format" in keys and located.get((*loc, "format", "type")) not in {"json", None}:
        found = located.get((*loc, "format", "type"))
        yield f"{_place(located, (*loc, 'format', 'type'))}: found {found!r}, expected json: a notification is JSON"
    if located.get((*loc, "layout")) == "tracker" and "history" in keys:
        yield f"{_place(located, (*loc, 'history'))}: a tracker has all its checkpoints, expected no such key"


def _place(located: Located, loc: Loc) -> str:
    return f"{located.at(loc)}: {'.'.join(map(str, loc))}"
