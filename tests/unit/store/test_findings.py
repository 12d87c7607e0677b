"""The quarantine a person works through."""

from dataclasses import replace

import pytest

from edi_gateway.model import Finding, Level, Position, Severity
from edi_gateway.store import findings
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import FindingState
from tests.unit.store.building import new_document

PLACE = Position("I1", "M2", 17, "STS", 2, 1, 400, 432)
BROKEN = Finding(Severity.QUARANTINE, Level.MESSAGE, PLACE, "2\x009", "a date", "ask the carrier", "12")
ODD = Finding(Severity.WARNING, Level.EVENT, Position(), "", "a place")


def saved(db: Database, *found: Finding) -> int:
    document_id = new_document(db)
    with db.write() as connection:
        findings.save(connection, document_id, found)
    return document_id


def test_a_finding_keeps_place_and_words(db: Database) -> None:
    """Everything a person needs comes back; a NUL in what was found does not stop it."""
    document_id = saved(db, BROKEN)
    [row] = findings.quarantine(db)

    assert PLACE == findings.position(row)
    assert ("2\ufffd9", "a date", "ask the carrier", "12") == (row.found, row.expected, row.advice, row.code)
    assert (document_id, Severity.QUARANTINE, Level.MESSAGE, FindingState.OPEN) == (
        row.document_id, row.severity, row.level, row.state,
    )  # fmt: skip


def test_remarks_are_no_quarantine(db: Database) -> None:
    """A warning belongs to its document, not on the list of things set aside."""
    document_id = saved(db, ODD, BROKEN)

    assert [Severity.QUARANTINE] == [row.severity for row in findings.quarantine(db)]
    assert [Severity.WARNING, Severity.QUARANTINE] == [row.severity for row in findings.of_document(db, document_id)]


def read_again(db: Database, document_id: int, *found: Finding) -> list[tuple[int, str]]:
    """Number and state of each of the document's findings after another reading."""
    with db.write() as connection:
        known = findings.earlier(connection, document_id)
        findings.save(connection, document_id, found, known)
        findings.resolve(connection, known)
    return [(row.id, str(row.state)) for row in findings.of_document(db, document_id)]


def test_what_is_found_again_keeps_its_number(db: Database) -> None:
    """An open finding stays the one it was, an ignored one ignored; what is gone is resolved, and may come back."""
    document_id, other = saved(db, BROKEN, BROKEN, ODD), saved(db, BROKEN)
    findings.ignore(db, 1)

    assert [(1, "ignored"), (2, "open"), (3, "open")] == read_again(db, document_id, BROKEN, ODD, BROKEN)
    assert [(1, "ignored"), (2, "resolved"), (3, "resolved")] == read_again(db, document_id, BROKEN)
    assert [(1, "ignored"), (2, "open"), (3, "resolved")] == read_again(db, document_id, BROKEN, BROKEN)
    moved = replace(BROKEN, at=replace(PLACE, segment=18))
    assert [(1, "ignored"), (2, "resolved"), (3, "resolved"), (5, "open")] == read_again(db, document_id, moved)
    assert [document_id, other] == [row.document_id for row in findings.quarantine(db)]


def test_only_open_findings_can_be_ignored(db: Database) -> None:
    """A second click, or a wrong number, is told so."""
    saved(db, BROKEN)
    findings.ignore(db, 1)
    for number in (1, 7):
        with pytest.raises(LookupError, match=f"no open finding {number}"):
            findings.ignore(db, number)


def test_a_finding_is_found_by_its_number(db: Database) -> None:
    """The number on the list leads to the finding, another to a clear word."""
    saved(db, BROKEN)

    assert 17 == findings.get(db, 1).segment
    with pytest.raises(LookupError, match="no finding 2"):
        findings.get(db, 2)
