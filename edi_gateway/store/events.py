"""Recording what messages report: dedupe, cancellation, replacement, epochs and shipment state, set by set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.model import MessageFunction
from edi_gateway.store import dossier as dossiers
from edi_gateway.store import sequel
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import AMENDMENT, EVENT, PROVENANCE, Dossier, Number, Question
from edi_gateway.store.engine import Database
from edi_gateway.store.reconcile import Change, Telling, changes, gather, split
from edi_gateway.store.reports import MessageReport, Prepared, Said, prepare
from edi_gateway.store.resolve import Issue, Report
from edi_gateway.store.write import write


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
    reports: Sequence[MessageReport | Prepared],
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
    prepared = [prepare(report, window) for report in reports]
    said = [one for each in prepared for one in each.said]
    messages = [each.report for each in prepared]
    take_turns(connection, {message.carrier for message in messages} | {one[0][0] for one in said})
    question = Question()
    if reprocess:
        _withdraw(connection, document_id, question)
    _amend(connection, document_id, received_at, [message for message in messages if message.amends], question)
    told, odd = _by_number(said, _amended(connection, messages))
    odd |= question.numbers
    usual = {number: those for number, those in told.items() if number not in odd} if odd else told
    following = sequel.following(connection, usual, window, gap)
    changed = sequel.write(connection, following, document_id, received_at)
    rest = told.keys() - {number for number, _, _ in following}
    if rest or question.numbers:
        tellings = [_telling(document_id, received_at, one) for number in rest for one in told[number]]
        changed += _reconcile(connection, tellings, question, window, gap, stale)
    kinds = [change.kind for change in changed]
    new, retracted = kinds.count("new"), kinds.count("retracted")
    reported = sum(len(each.said) for each in prepared if each.report.function is not MessageFunction.CANCELLATION)
    return Recorded(new, max(reported - new, 0), retracted, changed)


def was_told(db: Database, document_id: int) -> bool:
    """Whether something a document says is recorded already: what it says now takes that's place."""
    with db.read() as connection:
        told = select(PROVENANCE.c.id).where(PROVENANCE.c.document_id == document_id).limit(1)
        amended = select(AMENDMENT.c.id).where(AMENDMENT.c.document_id == document_id).limit(1)
        return any(connection.execute(some).first() for some in (told, amended))


def _by_number(
    said: Iterable[Said], amended: Collection[tuple[str, str]]
) -> tuple[dict[Number, list[Said]], set[Number]]:
    """What is said of each number, and the numbers told of by more than originals that name a time and stand."""
    told: dict[Number, list[Said]] = {}
    odd: set[Number] = set()
    original = MessageFunction.ORIGINAL
    for one in said:
        number, event, message = one[0], one[1], one[2]
        if number in told:
            told[number].append(one)
        else:
            told[number] = [one]
        if (
            event.date_only
            or message.function is not original
            or (amended and (number[0], message.document_number) in amended)
        ):
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
    found = [change for epoch in epochs for change in changes(epoch)]
    brief = {entry.id for file in files.values() for entry in file.settled}
    whole = dossiers.full(connection, {change.event_id for change in found} & brief)
    return [change._replace(event=whole.get(change.event_id, change.event)) for change in found]


def _telling(document_id: int, received_at: datetime, said: Said) -> Telling:
    _, event, message, _, _, _, _, _, _, fingerprint = said
    report = Report(
        fingerprint=fingerprint,
        fact=event.fact,
        occurred_at=event.occurred_at,
        date_only=event.date_only,
        correction=event.correction,
        issue=Issue(message.function, message.issued_at, received_at, document_id),
        document_number=message.document_number,
        message=event.provenance.message,
        segment=event.provenance.segment,
        start=event.provenance.start,
    )
    return Telling(report, event)


def take_turns(connection: Connection, carriers: Iterable[str]) -> None:
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
    take_turns(connection, {carrier for carrier, _ in question.numbers})
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
