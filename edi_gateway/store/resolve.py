"""From reports to facts: which reports tell of the same event, and which of them still stand.

Pure functions of the set of reports, so that files may arrive in any order, twice, and in any grouping.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from edi_gateway.model import MessageFunction

# Between messages that do not say when they were issued, or say the same: what overrides what.
_WEIGHT: Final[Mapping[MessageFunction, int]] = {
    MessageFunction.ORIGINAL: 0,
    MessageFunction.CANCELLATION: 1,
    MessageFunction.REPLACEMENT: 2,
}


class Issue(NamedTuple):
    """What decides which of two messages has the last word."""

    function: MessageFunction
    issued_at: datetime | None
    received_at: datetime
    document_id: int


class Report(NamedTuple):
    """One message's word about one event."""

    fingerprint: str  # of the event as this message told it
    fact: str
    occurred_at: datetime  # aware, in the carrier's offset
    date_only: bool
    correction: bool
    issue: Issue
    document_number: str
    message: str
    segment: int
    start: int
    id: int = 0  # of its stored row
    event_id: int = 0  # of the event it is stored with

    @property
    def key(self) -> tuple[int, str, int, int, str]:
        """Equal when the same place of the same document is read again and says the same."""
        return self.issue.document_id, self.message, self.segment, self.start, self.fingerprint


class Resolved(NamedTuple):
    """One event, as all its reports together tell it."""

    fingerprint: str
    occurred_at: datetime
    date_only: bool
    correction: bool
    retracted: bool
    reports: list[Report]


def overrides(later: Issue, earlier: Issue) -> bool:
    """Whether the first message has the last word over the second: by the time they were issued, else by function."""
    if later.issued_at is not None and earlier.issued_at is not None and later.issued_at != earlier.issued_at:
        return later.issued_at > earlier.issued_at
    if later.function is not earlier.function:
        return _WEIGHT[later.function] > _WEIGHT[earlier.function]
    if later.function is not MessageFunction.REPLACEMENT or later.document_id == earlier.document_id:
        return False  # one document may spread a replacement over several messages
    return (later.received_at, later.document_id) > (earlier.received_at, earlier.document_id)


def resolve(reports: Iterable[Report], amendments: Mapping[str, Sequence[Issue]]) -> list[Resolved]:
    """Gather one tracking number's reports into events; ``amendments`` by document number.

    Timed reports with one fingerprint are one event. A report that names only the day joins the earliest timed
    event of that fact and day, or is an event of its own while there is none.
    """
    timed: dict[str, list[Report]] = defaultdict(list)
    dated: dict[tuple[str, date], list[Report]] = defaultdict(list)
    void: set[Report] = set()
    for report in reports:
        if any(overrides(issue, report.issue) for issue in amendments.get(report.document_number, ())):
            void.add(report)
        if report.date_only:
            dated[report.fact, report.occurred_at.date()].append(report)
        else:
            timed[report.fingerprint].append(report)
    groups = list(timed.values())
    homes = _homes(groups, void) if dated else {}
    for day, told in dated.items():
        if day in homes:
            homes[day].extend(told)
        else:
            groups.append(told)
    return [_resolved(group, void) for group in groups]


def _homes(groups: Sequence[list[Report]], void: set[Report]) -> dict[tuple[str, date], list[Report]]:
    """Fact and day → the earliest event of that day that somebody still reports with its time."""
    homes: dict[tuple[str, date], list[Report]] = {}
    starts: dict[tuple[str, date], tuple[datetime, str]] = {}
    for group in groups:
        live = [report for report in group if report not in void]
        start = min(((report.occurred_at, report.fingerprint) for report in live), default=None)
        for day in {(report.fact, report.occurred_at.date()) for report in live}:
            if start is not None and (day not in starts or start < starts[day]):
                starts[day], homes[day] = start, group
    return homes


def _resolved(group: list[Report], void: set[Report]) -> Resolved:
    strikes = [
        report.issue for report in group if report.issue.function is MessageFunction.CANCELLATION and report not in void
    ]
    standing = [
        report
        for report in group
        if report.issue.function is not MessageFunction.CANCELLATION
        and report not in void
        and not any(overrides(strike, report.issue) for strike in strikes)
    ]
    timed = [report for report in group if not report.date_only]
    shown = [report for report in standing if not report.date_only or not timed] or timed or group
    first = min(shown, key=lambda report: (report.occurred_at, report.occurred_at.utcoffset(), report.fingerprint))
    return Resolved(
        fingerprint=timed[0].fingerprint if timed else min(report.fingerprint for report in group),
        occurred_at=first.occurred_at,
        date_only=not timed,
        correction=any(report.correction for report in standing),
        retracted=not standing,
        reports=group,
    )
