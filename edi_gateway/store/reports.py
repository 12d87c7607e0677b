"""What messages report, as `record` takes it, and what can be worked out of it before a database is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from edi_gateway.model import Location, MessageFunction, TrackingEvent
from edi_gateway.store.dossier import Number
from edi_gateway.store.engine import is_storable, storable
from edi_gateway.store.rows import OF_CARRIER, OF_MESSAGE, minutes, place_of, structure, words_of

_TEXTS: Final = tuple(field.name for field in fields(TrackingEvent) if field.type == "str")

_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH: Final = _EPOCH_UTC.replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class MessageReport:
    """One message's events and what the message does to what was said before.

    A cancellation voids the events it lists; listing none, it voids its whole document number. A replacement voids
    what earlier messages of its document number said and it does not repeat.
    """

    function: MessageFunction
    carrier: str
    document_number: str  # BGM 1004; "" when the carrier gives none
    issued_at: datetime | None
    events: Sequence[TrackingEvent]

    @property
    def amends(self) -> bool:
        """Whether it concerns events it does not list."""
        if self.function is MessageFunction.ORIGINAL or not self.document_number:
            return False
        return self.function is MessageFunction.REPLACEMENT or not self.events


# One report of an event: its number, the event, its message, the columns that its words, references and place fill, its
# time by the clock of UTC, as a row has it too, its offset in minutes, and its fingerprint. A plain tuple, because
# there are as many as events.
Said = tuple[Number, TrackingEvent, MessageReport, tuple[Any, ...], str, tuple[Any, ...], datetime, str, int, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message's report as it will read when it comes back from the database, ready to be recorded."""

    report: MessageReport
    said: Sequence[Said]
    window: int


def prepare(report: MessageReport | Prepared, window: int) -> Prepared:
    """Do all that needs no database; ``window`` is the fingerprint's, in minutes."""
    if isinstance(report, Prepared):
        return report if report.window == window else prepare(report.report, window)
    said = _said(report, window)
    if not _reads_the_same(report, said):
        report = replace(
            report,
            document_number=storable(report.document_number),
            events=[_storable(event) for event in report.events],
        )
        said = _said(report, window)
    return Prepared(report, said, window)


def _said(report: MessageReport, window: int) -> list[Said]:
    said: list[Said] = []
    for event in report.events:
        ahead = event.occurred_at.utcoffset()
        if ahead is None:
            raise ValueError(f"an instant without a zone: {event.occurred_at}")
        # Two readings of a wall time that comes twice are equal, though they are an hour apart.
        clock, text = _utc.__wrapped__(event.occurred_at) if event.occurred_at.fold else _utc(event.occurred_at)
        said.append(
            (
                (event.carrier, event.tracking_number),
                event,
                report,
                words_of(event),
                structure(event.references),
                place_of(event.provenance),
                clock,
                text,
                minutes(ahead),
                event.fingerprint(window),
            )
        )
    return said


@lru_cache(maxsize=8192)  # many events share a minute
def _utc(moment: datetime) -> tuple[datetime, str]:
    """An instant by the clock of UTC, and as a row has it."""
    clock = _EPOCH + (moment - _EPOCH_UTC)
    return clock, clock.isoformat(" ", "microseconds")


def _reads_the_same(report: MessageReport, said: Iterable[Said]) -> bool:
    """Whether a database takes every text as it is; False where it only may not."""
    texts = [report.document_number]
    for _, _, _, words, references, place, _, _, _, _ in said:
        texts += words[OF_CARRIER]
        texts += place[OF_MESSAGE]
        texts.append(references)
    everything = "".join(texts)
    # What is refused stands in JSON as an escape, half of a pair of surrogates like all of it.
    return is_storable(everything) and "\\u0000" not in everything and "\\ud" not in everything


def _storable(event: TrackingEvent) -> TrackingEvent:
    place, source = event.location, event.provenance
    cleaned: dict[str, Any] = {name: storable(getattr(event, name)) for name in _TEXTS}
    cleaned["location"] = Location(storable(place.name), storable(place.unlocode), storable(place.country))
    cleaned["references"] = {
        storable(qualifier): tuple(map(storable, values)) for qualifier, values in event.references.items()
    }
    cleaned["provenance"] = replace(source, interchange=storable(source.interchange), message=storable(source.message))
    return replace(event, **cleaned)
