"""The control numbers of one partner: what came and what is missing, what was sent and what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState, InterchangeState

INTERCHANGE: Final = METADATA.tables["interchange"]
DELIVERY: Final = METADATA.tables["delivery"]
_ROUND: Final = 2  # a number below the highest one divided by this begins the sequence anew
_LEAST_ROUND: Final = 1_000  # if it is lower by more than this, at least
_SPARSE: Final = 100  # more numbers missing than this for each that came: they are no sequence
_SENT: Final = (
    DeliveryState.DELIVERED,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.REJECTED,
)

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Inbound:
    """What came from one sender to one recipient; ``missing`` are ranges of numbers that never came.

    ``consecutive`` is false where the references are no sequence, so that nothing can be missing.
    """

    sender: str
    recipient: str
    accepted: int
    failed: int
    duplicates: int
    first: str
    last: str
    last_at: datetime | None
    consecutive: bool
    missing: Ranges = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outbound:
    """What went to one destination; ``sent`` is all that arrived, whatever was said of it afterwards."""

    destination: str
    sequence: str
    first: int
    last: int
    sent: int
    acknowledged: int
    rejected: list[int]  # control numbers
    overdue: list[int]
    waiting: int  # for an acknowledgement, and still in time
    unsent: int  # sealed, being retried, or dead
    missing: Ranges


def inbound(db: Database, partner: str) -> list[Inbound]:
    """What came from that partner, by sender and recipient."""
    columns = ("sender", "recipient", "control_ref", "control_key", "state", "received_at", "document_id", "number")
    theirs = select(*(INTERCHANGE.c[name] for name in columns)).where(INTERCHANGE.c.carrier == partner)
    ordered = theirs.order_by(INTERCHANGE.c.received_at, INTERCHANGE.c.document_id, INTERCHANGE.c.number)
    by_parties: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    with db.read() as connection:
        for row in connection.execute(ordered):
            by_parties[row.sender, row.recipient].append(row)
    return [_inbound(*parties, rows) for parties, rows in sorted(by_parties.items())]


def outbound(db: Database, partner: str, now: datetime) -> list[Outbound]:
    """What went to that partner, by destination."""
    by_destination: dict[str, list[Row[Any]]] = defaultdict(list)
    with db.read() as connection:
        shared = _numbers(connection, partner)
        theirs = select(DELIVERY).where(DELIVERY.c.customer == partner).order_by(DELIVERY.c.id)
        for row in connection.execute(theirs):
            by_destination[row.destination].append(row)
    return [_outbound(name, rows, shared, now) for name, rows in sorted(by_destination.items())]


def missing(numbers: Iterable[int]) -> Ranges:
    """The ranges left out by numbers in order of their coming; a fall by half or more begins anew."""
    rounds: list[set[int]] = [set()]
    highest = 0
    for number in numbers:
        if number * _ROUND < highest and highest - number > _LEAST_ROUND:
            rounds.append(set())
            highest = 0
        rounds[-1].add(number)
        highest = max(highest, number)
    return [gap for numbers in rounds for gap in _gaps(sorted(numbers))]


def _gaps(numbers: Sequence[int]) -> Ranges:
    return [(one + 1, other - 1) for one, other in pairwise(numbers) if other - one > 1]


def _inbound(sender: str, recipient: str, rows: Sequence[Row[Any]]) -> Inbound:
    states = Counter(row.state for row in rows)
    numbers = [int(row.control_key) for row in rows if row.control_key.isascii() and row.control_key.isdigit()]
    gaps = missing(numbers)
    lost = sum(end - begin + 1 for begin, end in gaps)
    consecutive = len(numbers) == len(rows) and lost <= _SPARSE * len(numbers)
    counted = Counter(row.control_key for row in rows)
    return Inbound(
        sender=sender,
        recipient=recipient,
        accepted=states[InterchangeState.ACCEPTED],
        failed=states[InterchangeState.FAILED],
        duplicates=states[InterchangeState.DUPLICATE],
        first=rows[0].control_ref,
        last=rows[-1].control_ref,
        last_at=rows[-1].received_at,
        consecutive=consecutive,
        missing=gaps if consecutive else [],
        repeated=[key for key, count in counted.items() if count > 1],
    )


def _numbers(connection: Connection, partner: str) -> dict[str, list[int]]:
    """Sequence → every number drawn from it, in order: several destinations may share one."""
    drawn: dict[str, list[int]] = defaultdict(list)
    theirs = select(DELIVERY.c.sequence).where(DELIVERY.c.customer == partner, DELIVERY.c.sequence != "")
    used = select(DELIVERY.c.sequence, DELIVERY.c.control_number).where(DELIVERY.c.sequence.in_(theirs))
    for sequence, number in connection.execute(used.order_by(DELIVERY.c.id)):
        drawn[sequence].append(number)
    return drawn


def _outbound(name: str, rows: Sequence[Row[Any]], drawn: dict[str, list[int]], now: datetime) -> Outbound:
    states = Counter(row.state for row in rows)
    awaited = [row for row in rows if row.state is DeliveryState.DELIVERED and row.acknowledge_by is not None]
    overdue = [row.control_number for row in awaited if row.acknowledge_by < now]
    sequences = dict.fromkeys(row.sequence for row in rows if row.sequence)
    return Outbound(
        destination=name,
        sequence=", ".join(sequences),
        first=rows[0].control_number,
        last=rows[-1].control_number,
        sent=sum(states[state] for state in _SENT),
        acknowledged=states[DeliveryState.ACKNOWLEDGED],
        rejected=[row.control_number for row in rows if row.state is DeliveryState.REJECTED],
        overdue=overdue,
        waiting=len(awaited) - len(overdue),
        unsent=sum(states[state] for state in (DeliveryState.SEALED, DeliveryState.RETRYING, DeliveryState.DEAD)),
        missing=[gap for sequence in sequences for gap in missing(drawn[sequence])],
    )
