"""Findings: what readers noticed in documents, and the quarantine a person works through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final

from sqlalchemy import Connection, insert, update
from sqlmodel import Session, col, select

from edi_gateway.model import Finding, Position, Severity, utc_now
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import METADATA, FindingRow, FindingState

FINDING: Final = METADATA.tables["finding"]
_PLACE: Final = tuple(field.name for field in fields(Position))


def save(connection: Connection, document_id: int, findings: Sequence[Finding]) -> None:
    """Store findings as open."""
    if findings:
        connection.execute(insert(FINDING), [_row(document_id, finding) for finding in findings])


def resolve(connection: Connection, document_id: int) -> None:
    """Close the document's open findings: it is read again, and what is found now takes their place."""
    theirs = (FINDING.c.document_id == document_id) & (FINDING.c.state == FindingState.OPEN)
    connection.execute(update(FINDING).where(theirs).values(state=FindingState.RESOLVED))


def quarantine(db: Database, state: FindingState = FindingState.OPEN, limit: int = 1000) -> list[FindingRow]:
    """What was set aside and is in that state, newest first."""
    aside = select(FindingRow).where(FindingRow.severity == Severity.QUARANTINE, FindingRow.state == state)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(aside.order_by(col(FindingRow.id).desc()).limit(limit)))


def of_document(db: Database, document_id: int) -> list[FindingRow]:
    """Everything ever noticed in that document, in the order it was noticed."""
    theirs = select(FindingRow).where(FindingRow.document_id == document_id).order_by(col(FindingRow.id))
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(theirs))


def get(db: Database, finding_id: int) -> FindingRow:
    """That finding. Raises LookupError when there is none."""
    with db.read() as connection, Session(connection) as session:
        found = session.get(FindingRow, finding_id)
    if found is None:
        raise LookupError(f"no finding {finding_id}")
    return found


def ignore(db: Database, finding_id: int) -> None:
    """Take an open finding off the list for good. Raises LookupError when no such finding is open."""
    this = (FINDING.c.id == finding_id) & (FINDING.c.state == FindingState.OPEN)
    with db.write() as connection:
        if not connection.execute(update(FINDING).where(this).values(state=FindingState.IGNORED)).rowcount:
            raise LookupError(f"no open finding {finding_id}")


def position(finding: FindingRow) -> Position:
    """The place a stored finding is about."""
    return Position(**{name: getattr(finding, name) for name in _PLACE})


def _row(document_id: int, finding: Finding) -> dict[str, object]:
    said = asdict(finding.at) | {
        name: getattr(finding, name) for name in ("severity", "level", "found", "expected", "advice", "code")
    }
    stored = {name: storable(value) if type(value) is str else value for name, value in said.items()}
    return stored | {"document_id": document_id, "state": FindingState.OPEN, "created_at": utc_now()}
