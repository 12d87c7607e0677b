"""What partners say of our deliveries: matched, kept, and added up to what became of each delivery."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from edi_gateway.acknowledgements import Kind, Statement, Verdict
from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import AWAITED, METADATA, DeliveryState, StatementRow
from edi_gateway.worlds import is_test, world_for

DELIVERY: Final = METADATA.tables["delivery"]
STATEMENT: Final = METADATA.tables["statement"]
_AWAITED: Final = text(AWAITED)  # spelled out, so that the database sees that its partial index fits
_LARGEST: Final = 10**18  # no control number has more digits
_CANDIDATES: Final = 50  # deliveries of one number: of several sequences, or after a roll-over
_NO: Final = (Verdict.REJECTED, Verdict.PARTLY_REJECTED)
_YES: Final = (Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_ERRORS)
_GROUPS: Final = ("", "QM", "QO")  # of 214 and 315, the sets that are sent
_EDIFACT: Final = (Kind.CONTRL, Kind.APERAK)
_CLOSES: Final = {  # what is awaited → what is as good as that
    Kind.FUNCTIONAL: {Kind.FUNCTIONAL, Kind.IMPLEMENTATION},
    Kind.IMPLEMENTATION: {Kind.FUNCTIONAL, Kind.IMPLEMENTATION},
}


@dataclass(frozen=True, slots=True)
class Match:
    """The delivery a statement is about (None: nothing of ours), and what was said of it before, where that differs."""

    delivery_id: int | None = None
    before: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many deliveries of a destination wait for an acknowledgement longer than agreed, and the oldest of them."""

    count: int
    delivery_id: int
    name: str
    since: datetime


def withdraw(connection: Connection, document_id: int) -> None:
    """Take away what an earlier reading of the document said, so that it counts once."""
    theirs = STATEMENT.c.document_id == document_id
    about = set(connection.execute(select(STATEMENT.c.delivery_id).where(theirs)).scalars())
    connection.execute(delete(STATEMENT).where(theirs))
    for delivery_id in sorted(about):
        _settle(connection, delivery_id)


def enter(
    connection: Connection, document_id: int, received_at: datetime, partner: str, said: Sequence[Statement]
) -> list[Match]:
    """Match statements of a partner with what was delivered to it, and let them count; one match for each."""
    matches = []
    for statement in said:
        found = _delivery(connection, partner, statement)
        if found is None:
            matches.append(Match())
            continue
        before = _standing(connection, found.id, statement)
        row = {
            "document_id": document_id,
            "delivery_id": found.id,
            "kind": statement.kind,
            "verdict": statement.verdict,
            "part": storable(statement.part),
            "reasons": [storable(reason) for reason in statement.reasons],
            "received_at": received_at,
        }
        connection.execute(insert(STATEMENT), row)
        _settle(connection, found.id)
        matches.append(Match(found.id, before if before is not statement.verdict else None))
    return matches


def of_delivery(db: Database, delivery_id: int) -> list[StatementRow]:
    """Everything that was said of a delivery, in order."""
    about = select_rows(StatementRow).where(StatementRow.delivery_id == delivery_id)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(about.order_by(col(StatementRow.received_at), col(StatementRow.id))))


def overdue(db: Database, destinations: Collection[str], now: datetime) -> dict[str, Overdue]:
    """Destinations of these that wait for acknowledgements longer than agreed."""
    late = select(DELIVERY).where(_AWAITED, DELIVERY.c.acknowledge_by < now)
    with db.read() as connection:
        found: dict[str, Overdue] = {}
        counts = late.with_only_columns(DELIVERY.c.destination, func.count(), func.min(DELIVERY.c.id))
        for destination, count, first in connection.execute(counts.group_by(DELIVERY.c.destination)):
            if destination in destinations:
                row = connection.execute(select(DELIVERY).where(DELIVERY.c.id == first)).one()
                found[destination] = Overdue(count, row.id, row.name, row.acknowledge_by)
        return found


def rejected(db: Database, destinations: Collection[str]) -> dict[str, tuple[int, int, str]]:
    """Destinations of these with rejected deliveries: how many, and number and name of the latest."""
    these = DELIVERY.c.state == DeliveryState.REJECTED
    with db.read() as connection:
        counts = select(DELIVERY.c.destination, func.count(), func.max(DELIVERY.c.id)).where(these)
        rows = connection.execute(counts.group_by(DELIVERY.c.destination)).all()
        names = {
            last: connection.execute(select(DELIVERY.c.name).where(DELIVERY.c.id == last)).scalar_one()
            for _, _, last in rows
        }
    return {at: (count, last, names[last]) for at, count, last in rows if at in destinations}


def _delivery(connection: Connection, partner: str, said: Statement) -> Row[Any] | None:
    """The latest delivery to that partner with that number, and if possible between those parties.

    In EDIFACT the parties are named with the number, and have to be ours and his. Live and test data are counted apart,
    so one number may be of both: a test acknowledges a test.
    """
    number = said.number
    if number is None or number > _LARGEST:
        return None
    alike = select(DELIVERY).where(
        DELIVERY.c.customer.in_((partner, world_for(partner))),
        DELIVERY.c.control_number == number,
        DELIVERY.c.acknowledges == "",
        DELIVERY.c.attempts > 0,
    )
    rows = connection.execute(alike.order_by(DELIVERY.c.id.desc()).limit(_CANDIDATES)).all()
    syntax = "EDIFACT" if said.kind in _EDIFACT else "X12"
    rows = [row for row in rows if not row.sequence or row.sequence.startswith(syntax)]
    if said.group not in _GROUPS:
        return None
    if said.kind is Kind.CONTRL:
        rows = [row for row in rows if _between(row, said)]
    rows = [row for row in rows if is_test(row.customer) == said.test] or rows
    return next((row for row in rows if row.sender and _between(row, said)), rows[0] if rows else None)


def _between(row: Row[Any], said: Statement) -> bool:
    """Whether a delivery went between these parties; one of an earlier version does not say."""
    return row.sender in {"", said.sender.strip()} and row.recipient in {"", said.recipient.strip()}


def _standing(connection: Connection, delivery_id: int, said: Statement) -> Verdict | None:
    """What was last said of the same in the same way; that it was received is no verdict yet."""
    same = select(STATEMENT.c.verdict).where(
        STATEMENT.c.delivery_id == delivery_id,
        STATEMENT.c.kind == said.kind,
        STATEMENT.c.part == storable(said.part),
        STATEMENT.c.verdict != Verdict.RECEIVED,
    )
    latest = same.order_by(STATEMENT.c.received_at.desc(), STATEMENT.c.id.desc()).limit(1)
    return connection.execute(latest).scalar() if said.verdict is not Verdict.RECEIVED else None


def _settle(connection: Connection, delivery_id: int) -> None:
    """Let a delivery's state be what everything that was said of it adds up to."""
    row = connection.execute(select(DELIVERY).where(DELIVERY.c.id == delivery_id).with_for_update()).one()
    if row.state in {DeliveryState.SUPERSEDED, DeliveryState.SKIPPED}:
        return
    about = select(STATEMENT).where(STATEMENT.c.delivery_id == delivery_id)
    said = connection.execute(about.order_by(STATEMENT.c.received_at, STATEMENT.c.id)).all()
    state = _adds_up(said, row.expects)
    if state is None and row.state not in {DeliveryState.ACKNOWLEDGED, DeliveryState.REJECTED}:
        return
    now = utc_now()
    values: dict[str, Any] = {
        "state": state or DeliveryState.DELIVERED,
        "acknowledged_at": (row.acknowledged_at or now) if state is not DeliveryState.DELIVERED and state else None,
        "delivered_at": row.delivered_at or now,  # who speaks of it has it
        "next_attempt_at": None,
    }
    connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(values))


def _adds_up(said: Iterable[Row[Any]], expects: str) -> DeliveryState | None:
    """What became of a delivery; None when nothing was said. Of the same, the latest counts.

    An acknowledgement of the whole speaks for its parts; one of single messages counts for each of them.
    """
    whole: dict[Kind, Verdict] = {}
    parts: dict[tuple[Kind, str], Verdict] = {}
    for row in said:
        if row.part:
            parts[row.kind, row.part] = row.verdict
        elif row.verdict is not Verdict.RECEIVED or row.kind not in whole:
            whole[row.kind] = row.verdict
    parts = {key: verdict for key, verdict in parts.items() if key[0] not in whole}
    verdicts = [*whole.values(), *parts.values()]
    if not verdicts:
        return None
    if any(verdict in _NO for verdict in verdicts):
        return DeliveryState.REJECTED
    closing = _CLOSES.get(Kind(expects), {Kind(expects)}) if expects else set(Kind)
    yes = {kind for kind, verdict in whole.items() if verdict in _YES}
    yes |= {kind for (kind, _), verdict in parts.items() if verdict in _YES}
    return DeliveryState.ACKNOWLEDGED if yes & closing else DeliveryState.DELIVERED
