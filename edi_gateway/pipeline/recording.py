"""What a document says → rows: events, duties, findings and interchanges of one batch in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from sqlalchemy import Connection

from edi_gateway.acknowledgements import ReceivedMessage
from edi_gateway.model import Finding, Interchange, Level, MessageFunction, Severity
from edi_gateway.pipeline.answering import Answering, received
from edi_gateway.pipeline.feeding import seen
from edi_gateway.pipeline.matching import Said, match
from edi_gateway.pipeline.partners import Audience, Channel, Destination, Feed
from edi_gateway.pipeline.reading import Reading
from edi_gateway.pipeline.routing import owed
from edi_gateway.pipeline.views import utc
from edi_gateway.store import (
    events,
    feed,
    findings,
    inbox,
    interchanges,
    outbox,
    statements,
    subscriptions,
    tracked,
    trackers,
)
from edi_gateway.store.reports import MessageReport, Prepared, prepare
from edi_gateway.store.tables import Document, DocumentState, InterchangeState

_DUPLICATE = "26"  # EDIFACT 0085


@dataclass(slots=True)
class Part:
    """What a batch holds of one interchange, ``number`` from 1; number 0 belongs to none."""

    number: int
    opens: Interchange | None = None  # it begins here, with all findings of its envelope
    digest: str = ""  # of its bytes
    broken: bool = False  # its envelope is
    reports: list[Prepared] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    received: list[ReceivedMessage] = field(default_factory=list)
    states: list[Said] = field(default_factory=list)

    def add(self, reading: Reading, carrier: str, window: int, *, answered: bool) -> int:
        """Take in one step of reading, as ready as it can be; returns what it weighs."""
        self.findings += reading.findings
        self.states += reading.states
        if answered and reading.of is not None:
            self.received.append(received(reading, reading.of))
        said = reading.said
        if said is None:
            return len(reading.findings) + len(reading.states)
        report = MessageReport(said.function, carrier, said.document_number, said.issued_at, said.events)
        self.reports.append(prepare(report, window))
        return len(reading.findings) + len(said.events)


Batch = Sequence[Part]


def batches(
    readings: Iterable[Reading], carrier: str, most: int | None, window: int, *, answered: bool = False
) -> Iterator[tuple[Batch, bool]]:
    """Whole messages in batches of at least ``most`` events (None: all in one), and whether each is the last.

    ``window`` is the fingerprint's, in minutes; ``answered``: what was received is kept for the sender to hear.
    """
    held: list[Part] | None = None
    parts, size, number = [Part(0)], 0, 0
    for reading in readings:
        if held is not None:
            yield held, False
            held = None
        if reading.opens:
            number += 1
            opened = replace(reading.opens, findings=reading.findings)
            parts.append(Part(number, opened, reading.digest, reading.broken))
        if reading.apart:
            parts.insert(0, Part(0))  # it must not share the fate of the interchange before it
        size += parts[0 if reading.apart else -1].add(reading, carrier, window, answered=answered)
        if most is not None and size >= most:
            held, parts, size = parts, [Part(number)], 0
    if held is not None:
        yield held, True
    else:
        yield parts, True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one reading of a document found and changed."""

    state: DocumentState
    counts: inbox.Counts
    quarantined: int
    interchanges: Mapping[InterchangeState, int]
    changed: Sequence[int]  # events that customers may hear of


@dataclass(slots=True)
class Recorder:
    """One reading of one document on its way into the tables, a batch at a time.

    ``reprocess``: what it says now takes the place of all it was understood to say before; then there is one batch.
    """

    document: Document
    channel: Channel
    audience: Audience
    reprocess: bool
    read_before: bool  # something of it is recorded already
    unentered: bool = False  # that, but none of its interchanges
    stale: Container[int] = ()  # documents that are read anew after this one
    answering: Answering | None = None  # None: the sender hears nothing
    counts: inbox.Counts = field(default_factory=inbox.Counts)
    quarantined: int = 0
    matched: int = 0  # statements about deliveries of ours
    changed: list[int] = field(default_factory=list)
    _known: findings.Earlier | None = None
    _entered: dict[int, interchanges.Entered] = field(default_factory=dict)
    _passed_over: set[int] = field(default_factory=set)  # duplicates, and those whose reference is another's
    _said: set[int] = field(default_factory=set)
    _spoilt: set[int] = field(default_factory=set)

    def record(self, connection: Connection, batch: Batch) -> None:
        """Write everything the batch says, and everything that is owed because of it, in the caller's transaction."""
        if self._known is None:
            self._known = findings.earlier(connection, self.document.id)
            statements.withdraw(connection, self.document.id)
        reports, found, acknowledgements = self._heard(connection, batch)
        recorded = events.record(
            connection,
            self.document.id,
            self.document.received_at,
            reports,
            window=self.channel.dedupe_window,
            gap=self.channel.epoch_gap,
            reprocess=self.reprocess,
            stale=self.stale,
        )
        numbers = {(change.event.carrier, change.event.tracking_number) for change in recorded.changes}
        subscribers = subscriptions.subscribers(connection, numbers)
        tracked.heard(connection, numbers)
        destinations = [each for each in self.audience if isinstance(each, Destination)]
        rows = list(owed(destinations, recorded.changes, subscribers))
        silent = trackers.silent(connection, {row.shipment_id for row in rows}) if rows else ()
        outbox.owe(connection, [row for row in rows if (row.customer, row.shipment_id) not in silent])
        feeds = [each for each in self.audience if isinstance(each, Feed)]
        feed.enter(connection, seen(feeds, recorded.changes, subscribers))
        findings.save(connection, self.document.id, found, self._known)
        self.changed += [change.event_id for change in recorded.changes]
        self.quarantined += sum(finding.severity is Severity.QUARANTINE for finding in found)
        self.counts = _sum(
            self.counts,
            inbox.Counts(
                messages=len(reports) + acknowledgements,
                events_new=recorded.new,
                events_duplicate=recorded.duplicates,
                events_retracted=recorded.retracted,
                events_unmapped=sum(not event.mapped for each in reports for event in each.report.events),
                findings=len(found),
            ),
        )

    def settle(self, connection: Connection) -> Outcome:
        """Write down what became of the document, in the transaction that records its last batch."""
        findings.resolve(connection, self._known or {})
        state = self._state()
        accepted = {number for number, entered in self._entered.items() if entered.state is InterchangeState.ACCEPTED}
        failed = accepted if state is DocumentState.QUARANTINED else (accepted & self._spoilt) - self._said
        interchanges.settle(connection, self.document.id, len(self._entered), failed)
        if self.answering:
            self.answering.answer(connection)
        repeats = [entered.repeats for entered in self._entered.values()]
        ignored = state is DocumentState.IGNORED
        standing = self._standing(connection) if self.read_before else self.counts
        inbox.settle(connection, self.document.id, state, standing, duplicate_of=repeats[0] if ignored else None)
        states = Counter(entered.state for entered in self._entered.values())
        states[InterchangeState.ACCEPTED] -= len(failed)
        states[InterchangeState.FAILED] += len(failed)
        return Outcome(state, self.counts, self.quarantined, states, self.changed)

    def _heard(self, connection: Connection, batch: Batch) -> tuple[list[Prepared], list[Finding], int]:
        """Reports and findings of the batch, without those of interchanges that were accepted before.

        And how many acknowledgements it held; what these say counts from now on.
        """
        reports: list[Prepared] = []
        found: list[Finding] = []
        acknowledgements = 0
        for part in batch:
            if part.opens:
                found += self._enter(connection, part, part.opens)
            if self.answering:
                self.answering.add(part.number, part.received)
            if part.number in self._passed_over:
                continue
            reports += part.reports
            found += part.findings + self._match(connection, part)
            acknowledgements += len({said.at for said in part.states})
            if any(each.said or each.report.function is not MessageFunction.ORIGINAL for each in part.reports):
                self._said.add(part.number)
            if any(finding.severity is Severity.QUARANTINE for finding in part.findings):
                self._spoilt.add(part.number)
        return reports, found, acknowledgements

    def _match(self, connection: Connection, part: Part) -> list[Finding]:
        remarks = match(connection, self.document, part.states)
        orphans = sum(remark.severity is Severity.QUARANTINE for remark in remarks)
        if len(part.states) > orphans:
            self.matched += len(part.states) - orphans
            self._said.add(part.number)
        return remarks

    def _enter(self, connection: Connection, part: Part, interchange: Interchange) -> list[Finding]:
        entered = interchanges.enter(
            connection,
            self.document,
            part.number,
            interchange,
            part.digest,
            broken=part.broken,
            unique=self.channel.unique_references,
            unentered=self.unentered,
        )
        self._entered[part.number] = entered
        if self.answering:
            duplicate = entered.state is InterchangeState.DUPLICATE
            self.answering.opens(part.number, interchange, part.digest, repeats=entered.repeats, duplicate=duplicate)
        if entered.repeats is None:
            return []
        self._passed_over.add(part.number)
        return [_repeated(interchange, entered)]

    def _state(self) -> DocumentState:
        if self.quarantined:
            told = self.counts.events_new + self.counts.events_duplicate + self.counts.events_retracted + self.matched
            return DocumentState.PARTLY_PROCESSED if told else DocumentState.QUARANTINED
        states = {entered.state for entered in self._entered.values()}
        return DocumentState.IGNORED if states == {InterchangeState.DUPLICATE} else DocumentState.PROCESSED

    def _standing(self, connection: Connection) -> inbox.Counts:
        """Counts of a document that was read before: what it was the first to tell stays its own."""
        told = self.counts.events_new + self.counts.events_duplicate
        first = min(inbox.told_first(connection, self.document.id), told)
        retracted = self.document.events_retracted + self.counts.events_retracted
        return replace(self.counts, events_new=first, events_duplicate=told - first, events_retracted=retracted)


def _repeated(interchange: Interchange, entered: interchanges.Entered) -> Finding:
    """What is said of an interchange whose reference was accepted before."""
    before = f"document {entered.repeats}, received {utc(entered.received_at)}"
    if entered.state is InterchangeState.DUPLICATE:
        return Finding(
            Severity.WARNING,
            Level.INTERCHANGE,
            interchange.position,
            f"the same interchange as in {before}",
            "each interchange once",
            "nothing of it was read",
            _DUPLICATE,
        )
    return Finding(
        Severity.QUARANTINE,
        Level.INTERCHANGE,
        interchange.position,
        f"reference {interchange.control_ref} of {before}, with another content",
        f"a reference that {interchange.sender} did not use before",
        "ask the sender for a new reference; if this partner uses references again, set unique_references: false on the"
        " channel, then retry",
        _DUPLICATE,
    )


def _sum(one: inbox.Counts, other: inbox.Counts) -> inbox.Counts:
    return inbox.Counts(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))
