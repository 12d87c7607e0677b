"""Brings what is stored about a tracking number into line with all that was ever reported of it; in memory only."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

from edi_gateway.history import HistoryEvent, ShipmentState, is_estimate, moves, split_epochs, state_of
from edi_gateway.model import Classifier, Location, MessageFunction, Status, TrackingEvent
from edi_gateway.store.dossier import Dossier, Entry, Shipment, Stand
from edi_gateway.store.resolve import Issue, Report, Resolved, resolve

_DAY_ANYWHERE: Final = timedelta(hours=60)  # from noon in one zone to midnight in any other
_AT_ONCE: Final = timedelta(0)


Kind = Literal["new", "completed", "retracted", "decides", "voided", "restated"]


class Telling(NamedTuple):
    """A report together with the event as it tells it."""

    report: Report
    event: TrackingEvent


class Change(NamedTuple):
    """An event that counts from now on ("new"), that may fit other rules now ("completed"), or that counts no longer.

    The statuses are the shipment's current ones just before and after it: first what the batch retracts, the latest
    first, then what is new, in the order it happened. Between the two, the event that "decides" when nothing new is
    told, or one that is "voided" when nothing is left to decide. An estimate that was stated once more is "restated".
    """

    kind: Kind
    event_id: int
    shipment_id: int
    event: TrackingEvent
    previous_status: Status
    status: Status
    reason_changed: bool
    estimate_changed: bool = False

    @property
    def status_changed(self) -> bool:
        """Whether the shipment's current status is another one now."""
        return self.status is not self.previous_status

    @property
    def moved(self) -> bool:
        """Whether the shipment's current status or its reason is another one now."""
        return self.status_changed or self.reason_changed


class Epoch(NamedTuple):
    """One shipment with the events that are its own."""

    shipment: Shipment
    number: int  # from 1 in time order
    entries: Sequence[Entry]


def gather(
    dossier: Dossier, told: Sequence[Telling], amendments: Mapping[str, Sequence[Issue]], stale: Container[int] = ()
) -> list[Entry]:
    """The events that all reports, stored and told now, add up to; ``stale`` as in `record`.

    ``dossier.reports`` holds the reports told now as well. Stored events that nobody reports any more come back
    retracted.
    """
    resolved = resolve(dossier.reports, amendments)
    events = {telling.report: telling.event for telling in told}
    rows = _Rows(dossier, {one.fingerprint for one in resolved})
    entries = list(dossier.settled)
    for one in resolved:
        telling = [events[report] for report in one.reports if not report.id]
        entry = rows.take(one) or _new_entry(dossier, one, telling)
        _tell(entry, one, telling, stale)
        entries.append(entry)
    for entry in rows.left():
        entry.retracted, entry.reported = True, False
        entries.append(entry)
    return entries


def split(dossier: Dossier, entries: Sequence[Entry], gap: timedelta) -> list[Epoch]:
    """Deal the events out to shipments, one per epoch; a shipment stays with its earliest event."""
    counting = [entry for entry in entries if entry.reported] or entries
    loose = [entry for entry in entries if not entry.reported] if counting is not entries else []
    groups = [
        [counting[index] for index in epoch]
        for epoch in split_epochs([entry.event.occurred_at for entry in counting], gap)
    ]
    for entry in loose:  # nobody reports it: it goes with its neighbours and keeps no epoch alive
        begun = [group for group in groups if group[0].event.occurred_at <= entry.event.occurred_at]
        (begun[-1] if begun else groups[0]).append(entry)
    free = dict(dossier.shipments)
    epochs = []
    for number, group in enumerate(groups, start=1):
        theirs = (entry.shipment.id for entry in group if entry.shipment and entry.shipment.id in free)
        shipment = free.pop(next(theirs, 0), None) or Shipment(dossier.number)
        epochs.append(Epoch(shipment, number, group))
    return epochs


def changes(epoch: Epoch) -> Iterator[Change]:
    """What the customers of a shipment may have to hear, as one thing after the other; call once every row has its id.

    Where something was retracted, or the status is another one without a new event (a time became known, events of
    another shipment came), the event that decides comes as well: somebody may not have heard of it while it decided
    nothing.
    """
    kept = {entry.fingerprint: entry for entry in epoch.entries if entry.stood and not entry.retracted}
    lost = {entry.fingerprint: entry for entry in epoch.entries if entry.stood and entry.retracted}
    fresh = {entry.fingerprint: entry for entry in epoch.entries if not entry.stood and not entry.retracted}
    standing, shipment = [entry.history for entry in kept.values()], epoch.shipment
    undone = list(moves(standing, [entry.history for entry in lost.values()]))[::-1]
    left, expected = state_of(standing), _expected([*kept.values(), *lost.values()])
    for move in undone:
        entry = lost[move.event.fingerprint]
        yield _change("retracted", entry, shipment, move.after, move.before, entry is expected)
    if left.fingerprint in kept and (undone or shipment.stood[:2] != left[:2]):
        yield _change("decides", kept[left.fingerprint], shipment, shipment.stood, left)
    elif undone and left.fingerprint not in kept:
        yield _change("voided", lost[undone[-1].event.fingerprint], shipment, shipment.stood, left)
    yield from _expectation(shipment, expected, _expected(kept.values()), left)
    for entry in kept.values():
        if _says_more(entry):
            yield _change("completed", entry, shipment, left, left)
    yield from _news(shipment, standing, fresh, _expected(kept.values()))


def _news(
    shipment: Shipment, standing: Sequence[HistoryEvent], fresh: Mapping[str, Entry], expected: Entry | None
) -> Iterator[Change]:
    for move in moves(standing, [entry.history for entry in fresh.values()]):
        entry = fresh[move.event.fingerprint]
        later = entry.estimate and (not expected or not expected.estimate or entry.estimate > expected.estimate)
        differs = bool(later) and _instant(entry) != _instant(expected)
        expected = entry if later else expected
        yield _change("new", entry, shipment, move.before, move.after, differs)


def _expectation(shipment: Shipment, before: Entry | None, now: Entry | None, state: ShipmentState) -> Iterator[Change]:
    """An expectation that is another one without a new event: an older one stands again, or was stated once more."""
    if now is None or _instant(now) == shipment.stood.estimated_at:
        return
    if before is not now or shipment.stood.estimated_at is None:
        yield _change("completed", now, shipment, state, state, estimate_changed=True)
    else:
        yield _change("restated", now, shipment, state, state, estimate_changed=True)


def _expected(entries: Iterable[Entry]) -> Entry | None:
    """The estimate that was stated last."""
    found = [(entry.estimate, entry.fingerprint, entry) for entry in entries if entry.estimate]
    return max(found, key=itemgetter(0, 1))[2] if found else None


def _instant(entry: Entry | None) -> datetime | None:
    return entry.event.occurred_at if entry else None


def shipment_values(epoch: Epoch) -> dict[str, Any]:
    """The columns of a shipment that its events decide."""
    standing = [entry.history for entry in epoch.entries if not entry.retracted]
    happened = [event.occurred_at for event in standing if event.classifier is Classifier.ACT]
    state = state_of(standing)
    expected = max((entry.estimate for entry in epoch.entries if entry.estimate and not entry.retracted), default=None)
    return {
        "epoch": epoch.number,
        "status": state.status,
        "reason": state.reason,
        "direction": state.direction,
        "status_at": state.status_at,
        "fingerprint": state.fingerprint,
        "first_event_at": min(happened, default=None),
        "last_event_at": max(happened, default=None),
        "estimated_at": expected.occurs_at if expected else None,
        "estimate_stated_at": expected.stated_at if expected else None,
        "earliest_at": min(entry.event.occurred_at for entry in epoch.entries),
        "latest_at": _latest(epoch.entries),
        "milestones": {
            status.value: [moment.astimezone(UTC).isoformat() for moment in times]
            for status, times in sorted(state.milestones.items())
        },
    }


def _latest(entries: Iterable[Entry]) -> datetime | None:
    """The last instant a report can name and still concern one of these; a day without a time may end in any zone."""
    try:
        return max(
            entry.event.occurred_at + (_DAY_ANYWHERE if entry.event.date_only else _AT_ONCE) for entry in entries
        )
    except OverflowError:
        return None  # the calendar ends there


class _Rows:
    """A dossier's stored events, each to be taken by one resolved event."""

    def __init__(self, dossier: Dossier, wanted: set[str]) -> None:
        self._entries = dict(dossier.entries)
        self._by_fingerprint = {entry.fingerprint: entry for entry in dossier.entries.values()}
        self._wanted = wanted

    def take(self, one: Resolved) -> Entry | None:
        """The row with its fingerprint, else the date-only row that now learns its time."""
        entry = self._by_fingerprint.get(one.fingerprint) or next(self._untimed(one.reports), None)
        return self._entries.pop(entry.id) if entry else None

    def left(self) -> Iterable[Entry]:
        """Rows nobody took: no report tells of them any more."""
        return self._entries.values()

    def _untimed(self, reports: Iterable[Report]) -> Iterator[Entry]:
        for report in reports:
            entry = self._entries.get(report.event_id)
            if entry and entry.event.date_only and entry.fingerprint not in self._wanted:
                yield entry


def _new_entry(dossier: Dossier, one: Resolved, telling: Sequence[TrackingEvent]) -> Entry:
    received_at = min(report.issue.received_at for report in one.reports)
    if telling:
        return Entry(telling[0], one.fingerprint, received_at)
    apart = next(dossier.entries[report.event_id] for report in one.reports)  # it stood with another event so far
    return Entry(apart.event, one.fingerprint, received_at)


def _tell(entry: Entry, one: Resolved, telling: Sequence[TrackingEvent], stale: Container[int]) -> None:
    """Let the row say what the resolved event says: blanks filled, time and standing as decided."""
    if telling and all(not report.id or report.issue.document_id in stale for report in one.reports):
        entry.event = telling[0]  # nobody else tells it (any more): what was read before is not to be kept
    for event in telling:
        entry.event = _filled(entry.event, event)
    event = entry.event
    if (event.occurred_at, event.date_only, event.correction) != (one.occurred_at, one.date_only, one.correction):
        same_time = [event, *telling]
        basis = next((told.time_basis for told in same_time if told.occurred_at == one.occurred_at), event.time_basis)
        entry.event = replace(
            event, occurred_at=one.occurred_at, date_only=one.date_only, correction=one.correction, time_basis=basis
        )
    entry.fingerprint, entry.retracted = one.fingerprint, one.retracted
    entry.reports, entry.reported = one.reports, True
    entry.stated_at = _stated_at(one.reports) if is_estimate(entry.event) else None


def _stated_at(reports: Iterable[Report]) -> datetime | None:
    issues = (report.issue for report in reports if report.issue.function is not MessageFunction.CANCELLATION)
    return max((issue.issued_at or issue.received_at for issue in issues), default=None)


def _filled(event: TrackingEvent, told: TrackingEvent) -> TrackingEvent:
    """The event with its blanks filled by another telling; what is there is never overwritten."""
    if event is told:
        return event
    here, there = event.location, told.location
    filled: dict[str, Any] = {
        "location": Location(here.name or there.name, here.unlocode or there.unlocode, here.country or there.country),
        "text": event.text or told.text,
        "signatory": event.signatory or told.signatory,
        "account": event.account or told.account,
        "references": {
            qualifier: tuple(dict.fromkeys((*event.references.get(qualifier, ()), *told.references.get(qualifier, ()))))
            for qualifier in (*event.references, *(set(told.references) - set(event.references)))
        },
    }
    changed = {name: value for name, value in filled.items() if value != getattr(event, name)}
    return replace(event, **changed) if changed else event


def _says_more(entry: Entry) -> bool:
    """Whether a report has filled in what customers' rules ask for: account, references or country."""
    if not entry.stored:
        return False
    before = entry.stored[0]
    assert isinstance(before, TrackingEvent)
    asked = (before.account, before.references, before.location.country)
    return asked != (entry.event.account, entry.event.references, entry.event.location.country)


def _change(
    kind: Kind,
    entry: Entry,
    shipment: Shipment,
    before: ShipmentState | Stand,
    after: ShipmentState,
    estimate_changed: bool = False,
) -> Change:
    return Change(
        kind=kind,
        event_id=entry.id,
        shipment_id=shipment.id,
        event=entry.event,
        previous_status=before.status,
        status=after.status,
        reason_changed=before.reason != after.reason,
        estimate_changed=estimate_changed,
    )
