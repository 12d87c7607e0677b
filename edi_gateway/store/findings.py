"""Findings: what readers noticed in documents, and the quarantine a person works through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final

from sqlalchemy import Connection, insert, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from edi_gateway.model import Finding, Position, Severity, utc_now
from edi_gateway.store.engine import Database, chunks, storable
from edi_gateway.store.tables import METADATA, FindingRow, FindingState

FINDING: Final = METADATA.tables["finding"]
_PLACE: Final = tuple(field.name for field in fields(Position))
_SAYS: Final = ("severity", "level", "found", "expected", "code", *_PLACE)


Earlier = dict[tuple[object, ...], list[tuple[int, FindingState]]]
"""What a document was found with before and has not been found with again: finding → numbers, the ignored last."""
_RANK: Final = {FindingState.RESOLVED: 0, FindingState.OPEN: 1, FindingState.IGNORED: 2}


def earlier(connection: Connection, document_id: int) -> Earlier:
    """Everything noticed in the document at earlier readings."""
    found: Earlier = defaultdict(list)
    theirs = select(FINDING).where(FINDING.c.document_id == document_id)
    rows = connection.execute(theirs.order_by(FINDING.c.id.desc())).all()
    for row in sorted(rows, key=lambda row: _RANK[row.state]):
        found[tuple(getattr(row, name) for name in _SAYS)].append((row.id, row.state))
    return found


def save(connection: Connection, document_id: int, findings: Sequence[Finding], known: Earlier | None = None) -> None:
    """Store findings as open. What is ``known`` keeps its number, and stays ignored if somebody decided that."""
    new, again = [], []
    for finding in findings:
        row = _row(document_id, finding)
        same = known.get(tuple(row[name] for name in _SAYS)) if known else None
        if not same:
            new.append(row)
            continue
        number, state = same.pop()
        if state is FindingState.RESOLVED:
            again.append(number)
    for some in chunks(again):
        connection.execute(update(FINDING).where(FINDING.c.id.in_(some)).values(state=FindingState.OPEN))
    if new:
        connection.execute(insert(FINDING), new)


def resolve(connection: Connection, left: Earlier) -> None:
    """Close what was open and has not been found again."""
    gone = [number for rows in left.values() for number, state in rows if state is FindingState.OPEN]
    for some in chunks(gone):
        connection.execute(update(FINDING).where(FINDING.c.id.in_(some)).values(state=FindingState.RESOLVED))


def quarantine(db: Database, state: FindingState = FindingState.OPEN, limit: int = 1000) -> list[FindingRow]:
    """What was set aside and is in that state, newest first."""
    aside = select_rows(FindingRow).where(FindingRow.severity == Severity.QUARANTINE, FindingRow.state == state)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(aside.order_by(col(FindingRow.id).desc()).limit(limit)))


def of_document(db: Database, document_id: int) -> list[FindingRow]:
    """Everything ever noticed in that document, in the order it was noticed."""
    theirs = select_rows(FindingRow).where(FindingRow.document_id == document_id).order_by(col(FindingRow.id))
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
