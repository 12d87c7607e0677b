"""Events read by columns for customers are the events that are stored."""

from __future__ import annotations

import json

from sqlalchemy import select

from edi_gateway.model import Classifier, Direction, Location, Status, TimeBasis
from edi_gateway.store import feed, tracks
from edi_gateway.store.dossier import EVENT, event_of
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import Seen
from edi_gateway.store.scans import Scan, scans
from edi_gateway.store.tables import Action
from edi_gateway.web.api import telling
from edi_gateway.web.api.models import Shipment
from tests.unit.store.building import message, record, tracking


def _stored(db: Database) -> None:
    more = {
        "reason": "delivered.neighbour",
        "correction": True,
        "piece": "2",
        "code_list": "L",
        "code_agency": "A",
        "raw_reason": "R7",
        "text": 'with "quotes", ünïcode 包裹 and a \\',
        "time_basis": TimeBasis.OFFSET,
        "location": Location("São Paulo", "BRSAO", "BR"),
        "account": "4711",
        "signatory": "Mrs. O'Hara",
        "references": {"CU": ("A", "B"), 'X"Y': ("ü",)},
    }
    expected = tracking(Status.DELIVERED, 40, classifier=Classifier.EST, direction=Direction.RETURN)
    told = (
        tracking(),
        tracking(Status.DELIVERED, 30.5, **more),
        expected,
        tracking(hour=60, date_only=True, mapped=False),
    )
    record(db, message(*told))


def test_columns_say_what_rows_say(db: Database) -> None:
    """Each field of each event, on SQLite and PostgreSQL."""
    _stored(db)
    with db.read() as connection:
        rows = connection.execute(select(EVENT).order_by(EVENT.c.occurred_at)).all()
        [read] = scans(connection, sorted({row.shipment_id for row in rows})).values()
    assert 4 == len(rows)
    assert [Scan(row.fingerprint, event_of(row)) for row in rows] == read


def test_what_is_told_is_what_the_model_describes(db: Database) -> None:
    """A shipment as it is written is, to the letter, how its model would write it."""
    _stored(db)
    with db.write() as connection:
        [first, *_] = connection.execute(select(EVENT.c.id, EVENT.c.shipment_id)).all()
        feed.enter(connection, [Seen("hooli", "speedy", "P1", first.shipment_id, first.id, Action.REPORT)])
    [[track]] = tracks.by_numbers(db, "hooli", ["P1"]).values()
    body = bytes(telling.answer(telling.shipment(track)).body)
    assert 4 == len(track.scans)
    assert json.loads(Shipment.model_validate_json(body).model_dump_json()) == json.loads(body)
