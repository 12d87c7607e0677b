"""The usual case, and fast: reports that come after everything known of their tracking number.

Such a report tells a new event and changes nothing that is stored but where its shipment stands, so neither the events
nor the reports before it need be looked at. What makes that certain, for every number whose reports pass:

* All its reports are originals that name a time, none bears an amended document number (the caller sees to these), and
  no two have one fingerprint: each is an event of its own, and stands.
* They are later, by more than the dedupe window, than ``latest_at`` of its only shipment, which is later than anything
  a stored report can speak of, a day without a time included: so none is known, and none takes in a day's report.
* Together with all that is stored they lie within one gap: there is still one epoch.
* Later than everything, they move the stored state one by one, and the state is all that has to be known.

Whatever does not pass goes through `reconcile`, which comes to the same result (tests/unit/store/test_sequel.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from json import JSONDecoder
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, select

from edi_gateway.history import is_estimate, may_move, stays
from edi_gateway.model import Classifier, Direction, MessageFunction, Status
from edi_gateway.store import rows
from edi_gateway.store.bulk import Row, among, instant_text, instants, listed, stored_text
from edi_gateway.store.dossier import EVENT, SHIPMENT, Number
from edi_gateway.store.engine import reserve_ids
from edi_gateway.store.reconcile import Change
from edi_gateway.store.reports import MessageReport, Said

_STATUS: Final[Mapping[str, Status]] = {status.value: status for status in Status}
_DIRECTION: Final[Mapping[str, Direction]] = {direction.value: direction for direction in Direction}
_ORIGINAL: Final = MessageFunction.ORIGINAL.value
_JSON: Final = JSONDecoder()
_BARE: Final = len("2026-03-01 08:00:00.000000")
_EVENT: Final = 1  # in what is said
_CLOCK: Final = 6
_FINGERPRINT: Final = 9


_Known = Sequence[Any]  # a shipment's id, tracking number and the columns of `rows.STATE`, as text
Sequel = tuple[Number, _Known, Sequence[Said]]  # what follows on what is known of a number, in the order of time
_Message = tuple[int, str, str, str | None, str]
_NEW: Final = (
    0,
    "",
    Status.UNKNOWN.value,
    "",
    Direction.FORWARD.value,
    None,
    "",
    None,
    None,
    "{}",
    None,
    None,
    None,
    None,
)


def following(
    connection: Connection, told: Mapping[Number, Sequence[Said]], window: int, gap: timedelta
) -> list[Sequel]:
    """Those of the numbers whose reports follow on; only originals with a time and without amendments may be asked."""
    known = _known(connection, told)
    pause = timedelta(minutes=window + 1)  # a minute more, because fingerprints round to whole minutes
    found: list[Sequel] = []
    for number, said in told.items():
        shipment = known.get(number, _NEW)
        if shipment is None:
            continue  # several epochs
        in_order = _in_order(said) if len(said) > 1 else said
        if in_order and _follow(shipment, in_order[0][_CLOCK], in_order[-1][_CLOCK], pause, gap):
            found.append((number, shipment, in_order))
    return found


def write(connection: Connection, sequels: Sequence[Sequel], document_id: int, received_at: datetime) -> list[Change]:
    """Store new events with their provenance, and where their shipments stand now."""
    page = _Page(connection, document_id, received_at)
    keys = iter(reserve_ids(connection, EVENT, sum(len(said) for _, _, said in sequels)))
    fresh = iter(reserve_ids(connection, SHIPMENT, sum(known is _NEW for _, known, _ in sequels)))
    for number, known, said in sequels:
        page.add(number, known, known[0] or next(fresh), said, keys)
    rows.insert_shipments(connection, page.new)
    rows.update_shipments(connection, sorted(page.changed))
    rows.insert_events(connection, page.events)
    rows.insert_provenance(connection, page.provenance)
    return page.changes


def _known(connection: Connection, numbers: Iterable[Number]) -> Mapping[Number, _Known | None]:
    """The only shipment of each number that is known; None where there are several."""
    of_carrier: dict[str, list[str]] = defaultdict(list)
    for carrier, tracking_number in numbers:
        of_carrier[carrier].append(tracking_number)
    found: dict[Number, _Known | None] = {}
    query = _query(connection.dialect.name)
    for carrier, tracking_numbers in of_carrier.items():
        these = {"of": carrier, "numbers": listed(connection, tracking_numbers)}
        for row in connection.execute(query, these).all():
            number = (carrier, row[1])
            found[number] = None if number in found else row
    return found


@lru_cache
def _query(dialect: str) -> Select[Any]:
    words = ("status", "reason", "direction", "fingerprint", "milestones")
    state = [
        (stored_text if name in words else instant_text)(dialect, SHIPMENT.c[name]).label(name) for name in rows.STATE
    ]
    theirs = among(dialect, SHIPMENT.c.tracking_number, "numbers")
    return select(SHIPMENT.c.id, SHIPMENT.c.tracking_number, *state).where(
        SHIPMENT.c.carrier == bindparam("of"), theirs
    )


def _in_order(said: Sequence[Said]) -> Sequence[Said]:
    """The reports in the order of `history`; none when two of them tell the same event."""
    if len({fingerprint for *_, fingerprint in said}) < len(said):
        return ()
    return sorted(said, key=lambda one: (one[_CLOCK], one[_EVENT].status.rank, one[_FINGERPRINT]))


def _follow(known: _Known, first: datetime, last: datetime, pause: timedelta, gap: timedelta) -> bool:
    if known is _NEW:
        return last - first <= gap
    earliest_at, latest_at = known[-2], known[-1]
    if earliest_at is None or latest_at is None:
        return False  # a version wrote it that did not keep them
    return first - _clock(latest_at) >= pause and last - _clock(earliest_at) <= gap


def _clock(text: str) -> datetime:
    return datetime.fromisoformat(text[:_BARE])


class _Page:
    """The rows of one call."""

    def __init__(self, connection: Connection, document_id: int, received_at: datetime) -> None:
        self._instant = instants(connection)
        self._zone = self._instant(received_at)[_BARE:]
        self._document_id = document_id
        self._received_at = self._instant(received_at)
        self._messages: dict[int, _Message] = {}  # by identity: all of them are held by who calls
        self.new: list[Row] = []
        self.changed: list[Row] = []
        self.events: list[str | int | None] = []
        self.provenance: list[str | int | None] = []
        self.changes: list[Change] = []

    def add(self, number: Number, known: _Known, shipment_id: int, said: Sequence[Said], keys: Iterator[int]) -> None:
        """Take in what follows on what is known of a number."""
        key, _, stands, reason, way, status_at, decided, began, ended, times, expected, stated, earliest, latest = known
        status, direction = _STATUS[stands], _DIRECTION[way]
        milestones: dict[str, list[str]] = _JSON.raw_decode(times)[0] if key else {}
        received_at, zone = self._received_at, self._zone
        for _, event, message, words, references, place, _, at, offset, fingerprint in said:
            event_id, before, before_that, latest = next(keys), status, reason, at + zone
            earliest = earliest or latest
            if event.classifier is Classifier.ACT:
                began, ended = began or latest, latest
            if may_move(event):
                _mark(milestones, event.status, at)
                if not stays(status, direction, event):
                    status, reason, direction = event.status, event.reason, event.direction
                    status_at, decided = latest, fingerprint
            told = self._messages.get(id(message)) or self._message(message)
            before_it = expected
            if is_estimate(event) and (told[3] or told[1], latest) > (stated or "", expected or ""):
                stated, expected = told[3] or told[1], latest
            self.events += rows.event_row(
                words, references, latest, offset, event_id, fingerprint, shipment_id, 0, received_at
            )
            self.provenance += rows.provenance_row(place, event_id, latest, offset, 0, event.correction.real, told)
            changed = before_that != reason, before_it != expected
            self.changes.append(Change("new", event_id, shipment_id, event, before, status, *changed))
        row = (
            shipment_id, str(status), reason, str(direction), status_at, decided,
            began, ended, _listed(milestones), expected, stated, earliest, latest,
        )  # fmt: skip
        if key:
            self.changed.append(row)
        else:
            self.new.append((*row, 1, *number))

    def _message(self, message: MessageReport) -> _Message:
        """What all reports of a message have in common."""
        issued_at = self._instant(message.issued_at) if message.issued_at else None
        told = (self._document_id, self._received_at, _ORIGINAL, issued_at, message.document_number)
        self._messages[id(message)] = told
        return told


def _mark(milestones: dict[str, list[str]], status: Status, at: str) -> None:
    moment = at.replace(" ", "T").removesuffix(".000000") + "+00:00"  # as `datetime.isoformat` has it
    milestones[str(status)] = [milestones[status][0] if status in milestones else moment, moment]


def _listed(milestones: Mapping[str, Sequence[str]]) -> str:
    """As JSON; neither statuses nor instants hold anything that needs an escape."""
    said = [f'"{name}": ["{first}", "{last}"]' for name, (first, last) in sorted(milestones.items())]
    return f"{{{', '.join(said)}}}"
