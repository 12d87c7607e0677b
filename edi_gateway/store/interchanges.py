"""Interchanges by sender, recipient and control reference: one that was accepted before is recognised."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from edi_gateway.model import Interchange, Position
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import METADATA, Document, InterchangeState
from edi_gateway.store.tables import Interchange as InterchangeRow

INTERCHANGE: Final = METADATA.tables["interchange"]
PROVENANCE: Final = METADATA.tables["provenance"]
AMENDMENT: Final = METADATA.tables["amendment"]
UNIQUE_FOR: Final = timedelta(days=366)  # references are used again when their digits are used up


@dataclass(frozen=True, slots=True)
class Entered:
    """What an interchange is to the gateway. ``repeats`` names the document that had its reference before."""

    state: InterchangeState
    repeats: int | None = None
    received_at: datetime | None = None  # that document's


def enter(
    connection: Connection,
    document: Document,
    number: int,
    interchange: Interchange,
    digest: str,
    *,
    broken: bool,
    unique: bool,
    unentered: bool = False,
) -> Entered:
    """Judge an interchange and note it, in the transaction that records the first of what it says.

    ``broken`` sets it aside whatever its reference. The same content under a reference accepted before is a duplicate;
    another content under one that was accepted within a year fails if references are ``unique``. What this document
    was accepted with stays accepted, however often it is read; ``unentered``, when it was read before interchanges
    were entered, that is what it told something of.
    """
    _take_turns(connection, document.carrier)
    stood = _withdraw(connection, document.id, number) == (InterchangeState.ACCEPTED, digest)
    stood = stood or (unentered and _told_of(connection, document.id, interchange.position))
    key = _control_key(interchange.control_ref)
    if broken:
        entered = Entered(InterchangeState.FAILED)
    elif not key or stood:
        entered = Entered(InterchangeState.ACCEPTED)
    else:
        entered = _judged(connection, document, _named_alike(document, interchange, key), digest, unique=unique)
    row = {
        "document_id": document.id,
        "number": number,
        "channel": document.channel,
        "carrier": document.carrier,
        "sender": storable(str(interchange.sender)),
        "recipient": storable(str(interchange.recipient)),
        "test": interchange.test,
        "control_ref": storable(interchange.control_ref),
        "control_key": key,
        "prepared_at": interchange.prepared_at,
        "received_at": document.received_at,
        "digest": digest,
        "state": entered.state,
        "repeats": entered.repeats,
    }
    connection.execute(insert(INTERCHANGE), row)
    return entered


def settle(connection: Connection, document_id: int, count: int, failed: Collection[int]) -> None:
    """Close a reading of the document: it has so many interchanges, and of these nothing could be used."""
    theirs = INTERCHANGE.c.document_id == document_id
    connection.execute(delete(INTERCHANGE).where(theirs, INTERCHANGE.c.number > count))
    if failed:
        useless = update(INTERCHANGE).values(state=InterchangeState.FAILED, repeats=None)
        connection.execute(useless.where(theirs, INTERCHANGE.c.number.in_(failed)))


def fail(connection: Connection, document_id: int) -> None:
    """Nothing of the document counts as accepted: whatever it held may come again."""
    useless = update(INTERCHANGE).values(state=InterchangeState.FAILED, repeats=None)
    connection.execute(useless.where(INTERCHANGE.c.document_id == document_id))


def any_entered(db: Database, document_id: int) -> bool:
    """Whether an earlier reading entered the document's interchanges. The first versions entered none."""
    theirs = select(INTERCHANGE.c.number).where(INTERCHANGE.c.document_id == document_id).limit(1)
    with db.read() as connection:
        return connection.execute(theirs).first() is not None


def of_document(db: Database, document_id: int) -> list[InterchangeRow]:
    """The document's interchanges in order."""
    theirs = select_rows(InterchangeRow).where(InterchangeRow.document_id == document_id)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(theirs.order_by(col(InterchangeRow.number))))


def _control_key(reference: str) -> str:
    """The reference as it is compared: carriers pad numbers with zeros as they like."""
    key = storable(reference).strip()
    return key.lstrip("0") or "0" if key.isdigit() else key


def _withdraw(connection: Connection, document_id: int, number: int) -> tuple[InterchangeState, str] | None:
    """Take away what an earlier reading noted, so that nothing repeats itself; returns its state and digest."""
    here = (INTERCHANGE.c.document_id == document_id) & (INTERCHANGE.c.number == number)
    row = connection.execute(select(INTERCHANGE.c.state, INTERCHANGE.c.digest).where(here)).first()
    connection.execute(delete(INTERCHANGE).where(here))
    return (row.state, row.digest) if row else None


def _told_of(connection: Connection, document_id: int, place: Position) -> bool:
    """Whether an event of the document was told there; what amends others has no place, and may have been there."""
    here = PROVENANCE.c.document_id == document_id, PROVENANCE.c.start >= place.start, PROVENANCE.c.start < place.end
    told = select(PROVENANCE.c.id).where(*here).limit(1)
    amended = select(AMENDMENT.c.id).where(AMENDMENT.c.document_id == document_id).limit(1)
    return any(connection.execute(some).first() for some in (told, amended))


def _named_alike(document: Document, interchange: Interchange, key: str) -> ColumnElement[bool]:
    """Accepted ones of the same carrier, sender, recipient and reference."""
    return (
        (INTERCHANGE.c.carrier == document.carrier)
        & (INTERCHANGE.c.control_key == key)
        & (INTERCHANGE.c.sender == storable(str(interchange.sender)))
        & (INTERCHANGE.c.recipient == storable(str(interchange.recipient)))
        & (INTERCHANGE.c.test == interchange.test)
        & (INTERCHANGE.c.state == InterchangeState.ACCEPTED)
    )


def _judged(
    connection: Connection, document: Document, alike: ColumnElement[bool], digest: str, *, unique: bool
) -> Entered:
    same = _latest(connection, alike & (INTERCHANGE.c.digest == digest))
    if same:
        return Entered(InterchangeState.DUPLICATE, *same)
    if unique:
        begin, end = document.received_at - UNIQUE_FOR, document.received_at + UNIQUE_FOR
        other = _latest(connection, alike & INTERCHANGE.c.received_at.between(begin, end))
        if other:
            return Entered(InterchangeState.FAILED, *other)
    return Entered(InterchangeState.ACCEPTED)


def _latest(connection: Connection, wanted: ColumnElement[bool]) -> tuple[int, datetime] | None:
    rows = select(INTERCHANGE.c.document_id, INTERCHANGE.c.received_at).where(wanted)
    row = connection.execute(rows.order_by(INTERCHANGE.c.received_at.desc()).limit(1)).first()
    return (row.document_id, row.received_at) if row else None


def _take_turns(connection: Connection, carrier: str) -> None:
    """On PostgreSQL, until the commit: nobody else judges an interchange of this carrier (SQLite has one writer)."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"interchanges of {carrier}", 0))))
