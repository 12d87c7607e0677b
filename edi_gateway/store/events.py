"""Recording what messages report: dedupe, cancellation, replacement, epochs and shipment state, set by set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.model import Location, MessageFunction, TrackingEvent
from edi_gateway.store import dossier as dossiers
from edi_gateway.store import rows, sequel
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import AMENDMENT, EVENT, PROVENANCE, Dossier, Number, Question
from edi_gateway.store.engine import Database, is_storable, storable
from edi_gateway.store.reconcile import Change, Telling, changes, gather, split
from edi_gateway.store.resolve import Issue, Report
from edi_gateway.store.rows import place_of, structure, words_of
from edi_gateway.store.write import write

_TEXTS: Final = tuple(field.name for field in fields(TrackingEvent) if field.type == "str")


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


# An event, the message that tells it, and its columns: words, references, place of its provenance.
Said = tuple[TrackingEvent, MessageReport, tuple[Any, ...], str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call to `record` changed. ``duplicates`` counts reports that told nothing new."""

    new: int
    duplicates: int
    retracted: int
    changes: list[Change]


def record(
    connection: Connection,
    document_id: int,
    received_at: datetime,
    reports: Sequence[MessageReport],
    *,
    window: int = 1,
    gap: timedelta = DEFAULT_GAP,
    reprocess: bool = False,
    stale: Container[int] = (),
) -> Recorded:
    """Write what a document reports: events, provenance, shipments; in the caller's transaction.

    The result is a function of the set of all reports: arrival order and grouping do not matter, and recording the
    same again changes nothing. ``window`` is the fingerprint's, in minutes; a longer silence than ``gap`` begins
    another shipment. With ``reprocess`` the reports are all the document says now: events that only its former
    reading told are retracted. ``stale`` documents are to be read anew after this one: what they filled in is dropped.
    """
    reports, said = _said(reports)
    _take_turns(connection, {report.carrier for report in reports} | {one[0].carrier for one in said})
    question = Question()
    if reprocess:
        _withdraw(connection, document_id, question)
    _amend(connection, document_id, received_at, [report for report in reports if report.amends], question)
    told, odd = _by_number(said, _amended(connection, reports))
    odd |= question.numbers
    usual = {number: those for number, those in told.items() if number not in odd} if odd else told
    following = sequel.following(connection, usual, window, gap)
    changed = sequel.write(connection, following, document_id, received_at)
    rest = told.keys() - {number for number, _, _ in following}
    if rest or question.numbers:
        tellings = [
            _telling(document_id, received_at, report, event, window)
            for number in rest
            for event, report, *_ in told[number]
        ]
        changed += _reconcile(connection, tellings, question, window, gap, stale)
    kinds = [change.kind for change in changed]
    new, retracted = kinds.count("new"), kinds.count("retracted")
    reported = sum(len(report.events) for report in reports if report.function is not MessageFunction.CANCELLATION)
    return Recorded(new, max(reported - new, 0), retracted, changed)


def was_told(db: Database, document_id: int) -> bool:
    """Whether something a document says is recorded already: what it says now takes that's place."""
    with db.read() as connection:
        told = select(PROVENANCE.c.id).where(PROVENANCE.c.document_id == document_id).limit(1)
        amended = select(AMENDMENT.c.id).where(AMENDMENT.c.document_id == document_id).limit(1)
        return any(connection.execute(some).first() for some in (told, amended))


def _said(reports: Sequence[MessageReport]) -> tuple[Sequence[MessageReport], list[Said]]:
    """The reports as they will read when they come back from the database, and their events with their columns."""
    said = _sayings(reports)
    words = [report.document_number for report in reports]
    for _, _, of_event, references, place in said:
        words += of_event[rows.OF_CARRIER]
        words += place[rows.OF_MESSAGE]
        words.append(references)
    everything = "".join(words)
    # What is not storable stands in JSON as an escape; a pair of surrogates is merely suspected.
    if is_storable(everything) and "\\u0000" not in everything and "\\ud" not in everything:
        return reports, said
    cleaned = [
        replace(
            report,
            document_number=storable(report.document_number),
            events=[_storable(event) for event in report.events],
        )
        for report in reports
    ]
    return cleaned, _sayings(cleaned)


def _sayings(reports: Iterable[MessageReport]) -> list[Said]:
    return [
        (event, report, words_of(event), structure(event.references), place_of(event.provenance))
        for report in reports
        for event in report.events
    ]


def _storable(event: TrackingEvent) -> TrackingEvent:
    place, source = event.location, event.provenance
    cleaned: dict[str, Any] = {name: storable(getattr(event, name)) for name in _TEXTS}
    cleaned["location"] = Location(storable(place.name), storable(place.unlocode), storable(place.country))
    cleaned["references"] = {
        storable(qualifier): tuple(map(storable, values)) for qualifier, values in event.references.items()
    }
    cleaned["provenance"] = replace(source, interchange=storable(source.interchange), message=storable(source.message))
    return replace(event, **cleaned)


def _by_number(
    said: Iterable[Said], amended: Collection[tuple[str, str]]
) -> tuple[dict[Number, list[Said]], set[Number]]:
    """What is said of each number, and the numbers told of by more than originals that name a time and stand."""
    told: dict[Number, list[Said]] = {}
    odd: set[Number] = set()
    for one in said:
        event, report, words, _, _ = one
        number = words[:2]
        if number in told:
            told[number].append(one)
        else:
            told[number] = [one]
        plain = report.function is MessageFunction.ORIGINAL and not event.date_only
        if not plain or (amended and (event.carrier, report.document_number) in amended):
            odd.add(number)
    return told, odd


def _amended(connection: Connection, reports: Iterable[MessageReport]) -> set[tuple[str, str]]:
    """Those of (carrier, document number) that something cancels or replaces."""
    document_numbers = {report.document_number for report in reports} - {""}
    if not document_numbers:
        return set()
    these = {"numbers": listed(connection, document_numbers)}
    return {(carrier, number) for carrier, number in connection.execute(_amending(connection.dialect.name), these)}


@lru_cache
def _amending(dialect: str) -> Select[Any]:
    borne = among(dialect, AMENDMENT.c.document_number, "numbers")
    return select(AMENDMENT.c.carrier, AMENDMENT.c.document_number).where(borne)


def _reconcile(
    connection: Connection,
    told: Sequence[Telling],
    question: Question,
    window: int,
    gap: timedelta,
    stale: Container[int],
) -> list[Change]:
    """Resolve everything that was ever said of what is in question, and store the outcome."""
    question.numbers.update((one.event.carrier, one.event.tracking_number) for one in told)
    question.facts.update(one.report.fact for one in told)
    if not question.numbers:
        return []
    files = dossiers.load(connection, question, window)
    fresh = _add_new(files, told)
    amendments = dossiers.amendments(connection, files.values())
    epochs = [
        epoch
        for file in files.values()
        for epoch in split(file, gather(file, fresh[file.number], amendments.get(file.number[0], {}), stale), gap)
    ]
    write(
        connection, files.values(), epochs, {one.report: one.event for tellings in fresh.values() for one in tellings}
    )
    return [change for epoch in epochs for change in changes(epoch)]


def _telling(
    document_id: int, received_at: datetime, message: MessageReport, event: TrackingEvent, window: int
) -> Telling:
    source = event.provenance
    report = Report(
        fingerprint=event.fingerprint(window),
        fact=event.fact,
        occurred_at=event.occurred_at,
        date_only=event.date_only,
        correction=event.correction,
        issue=Issue(message.function, message.issued_at, received_at, document_id),
        document_number=message.document_number,
        message=source.message,
        segment=source.segment,
        start=source.start,
    )
    return Telling(report, event)


def _take_turns(connection: Connection, carriers: Iterable[str]) -> None:
    """On PostgreSQL, until the commit: one recorder per carrier at a time (SQLite has one writer anyway)."""
    if connection.dialect.name == "postgresql":
        for carrier in sorted(carriers):
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(carrier, 0))))


def _withdraw(connection: Connection, document_id: int, question: Question) -> None:
    """Forget what the document was last understood to say; whatever it concerned is in question."""
    of_document = AMENDMENT.c.document_id == document_id
    amended = connection.execute(select(AMENDMENT.c.carrier, AMENDMENT.c.document_number).where(of_document)).all()
    _ask(connection, PROVENANCE.c.document_id == document_id, question)
    _ask_bearing(connection, {(row.carrier, row.document_number) for row in amended}, question)
    _take_turns(connection, {carrier for carrier, _ in question.numbers})
    for table in (PROVENANCE, AMENDMENT):
        connection.execute(delete(table).where(table.c.document_id == document_id))


def _amend(
    connection: Connection,
    document_id: int,
    received_at: datetime,
    messages: Sequence[MessageReport],
    question: Question,
) -> None:
    """Store amendments that are not stored yet; whatever they concern is in question."""
    if not messages:
        return
    theirs = select(AMENDMENT).where(AMENDMENT.c.document_id == document_id)
    known = {(row.carrier, row.document_number, row.function, row.issued_at) for row in connection.execute(theirs)}
    told = {(message.carrier, message.document_number, message.function, message.issued_at) for message in messages}
    new = [
        {
            "carrier": carrier,
            "document_number": number,
            "function": function,
            "issued_at": issued_at,
            "document_id": document_id,
            "received_at": received_at,
        }
        for carrier, number, function, issued_at in told - known
    ]
    if new:
        connection.execute(insert(AMENDMENT), new)
    _ask_bearing(connection, {(carrier, number) for carrier, number, _, _ in told}, question)


def _ask_bearing(connection: Connection, amended: Iterable[tuple[str, str]], question: Question) -> None:
    """Put in question what was ever reported under these (carrier, document number)."""
    of_carrier: dict[str, list[str]] = defaultdict(list)
    for carrier, document_number in amended:
        of_carrier[carrier].append(document_number)
    for carrier, document_numbers in of_carrier.items():
        # The second condition says what the first implies, so that the partial index is used.
        borne = among(connection.dialect.name, PROVENANCE.c.document_number, "numbers")
        told = (EVENT.c.carrier == carrier) & borne & (PROVENANCE.c.document_number != "")
        _ask(connection, told, question, numbers=listed(connection, document_numbers))


def _ask(connection: Connection, told: ColumnElement[bool], question: Question, **named: object) -> None:
    events = select(EVENT.c.id, EVENT.c.carrier, EVENT.c.tracking_number).select_from(PROVENANCE.join(EVENT))
    for row in connection.execute(events.where(told), named):
        question.events.add(row.id)
        question.numbers.add((row.carrier, row.tracking_number))


def _add_new(files: Mapping[Number, Dossier], told: Iterable[Telling]) -> Mapping[Number, list[Telling]]:
    """Put each report that is not stored yet into its dossier; return them by tracking number."""
    fresh: dict[Number, list[Telling]] = defaultdict(list)
    known = {number: {report.key for report in file.reports} for number, file in files.items()}
    for one in told:
        number = (one.event.carrier, one.event.tracking_number)
        if one.report.key not in known[number]:
            known[number].add(one.report.key)
            files[number].reports.append(one.report)
            fresh[number].append(one)
    return fresh
