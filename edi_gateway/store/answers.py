"""The acknowledgements we owe for what came: each is made once, and goes again when its interchange comes again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from edi_gateway.acknowledgements import Kind, Verdict
from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import METADATA, DeliveryState

ANSWER: Final = METADATA.tables["answer"]
DELIVERY: Final = METADATA.tables["delivery"]
INTERCHANGE: Final = METADATA.tables["interchange"]
_GONE: Final = (DeliveryState.DELIVERED, DeliveryState.DEAD)
_OPEN: Final = (DeliveryState.SEALED, DeliveryState.RETRYING)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An outlet with acknowledgements that are late, or that nobody could write."""

    late: int = 0
    refused: int = 0
    error: str = ""  # of the latest that could not be written


def answered(connection: Connection, document_id: int) -> set[tuple[int, Kind]]:
    """Interchange and kind of every acknowledgement made for that document."""
    rows = select(ANSWER.c.number, ANSWER.c.kind).where(ANSWER.c.document_id == document_id)
    return {(row.number, row.kind) for row in connection.execute(rows)}


def note(
    connection: Connection,
    document_id: int,
    number: int,
    kind: Kind,
    outlet: str,
    verdict: Verdict,
    delivery_id: int | None,
    error: str = "",
) -> None:
    """This is what the interchange is answered with, now and for good; without a delivery, why there is none."""
    row = {
        "document_id": document_id,
        "number": number,
        "kind": kind,
        "outlet": outlet,
        "verdict": verdict,
        "delivery_id": delivery_id,
        "error": storable(error),
        "created_at": utc_now(),
    }
    connection.execute(insert(ANSWER), row)


def send_again(connection: Connection, document_id: int, digest: str = "") -> bool:
    """Let the acknowledgements of a document go once more, byte for byte, as its sender seems to lack them.

    ``digest`` narrows that to the interchange with this content. Returns whether there are any; those on their way,
    and those a person has skipped, are left as they are.
    """
    theirs = select(ANSWER.c.delivery_id).where(ANSWER.c.document_id == document_id, ANSWER.c.delivery_id.is_not(None))
    if digest:
        here = (INTERCHANGE.c.document_id == ANSWER.c.document_id) & (INTERCHANGE.c.number == ANSWER.c.number)
        theirs = theirs.join(INTERCHANGE, here).where(INTERCHANGE.c.digest == digest)
    found = list(connection.execute(theirs).scalars())
    again = {"state": DeliveryState.RETRYING, "next_attempt_at": utc_now(), "failures": 0}
    connection.execute(update(DELIVERY).where(DELIVERY.c.id.in_(found), DELIVERY.c.state.in_(_GONE)).values(again))
    return bool(found)


def unanswered(db: Database, late: Mapping[str, datetime]) -> dict[str, Unanswered]:
    """Outlet → what is amiss with its acknowledgements; ``late`` is what was sealed before that instant."""
    found: dict[str, Unanswered] = defaultdict(Unanswered)
    with db.read() as connection:
        for name, instant in late.items():
            waiting = select(func.count()).where(
                DELIVERY.c.destination == name, DELIVERY.c.state.in_(_OPEN), DELIVERY.c.sealed_at < instant
            )
            unwritten = (ANSWER.c.outlet == name, ANSWER.c.delivery_id.is_(None))
            refused = connection.execute(select(func.count()).where(*unwritten)).scalar_one()
            latest = select(ANSWER.c.error).where(*unwritten).order_by(ANSWER.c.created_at.desc()).limit(1)
            error = connection.execute(latest).scalar() if refused else None
            found[name] = Unanswered(connection.execute(waiting).scalar_one(), refused, error or "")
    return found
