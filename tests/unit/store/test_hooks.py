"""Webhook endpoints that customers make: whose they are, what changes, and that nothing is left of one that is gone."""

from __future__ import annotations

from typing import Any, Final

import pytest

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.store import deliveries, endpoints, hooks, outbox, sealed
from edi_gateway.store.engine import Database
from edi_gateway.store.hooking import made_by_api
from edi_gateway.store.outbox import Owed
from edi_gateway.store.tables import Action, DeliveryState, WebhookEndpoint
from edi_gateway.store.waiting import stranded
from tests.unit.store.building import message, record, second_node, tracking

_VALUES: Final[dict[str, Any]] = {
    "url": "https://shop.customer.com/",
    "layout": "canonical",
    "vocabulary": "canonical",
    "history": False,
    "events": "all",
    "ordering": "any",
    "description": "",
}


def make(db: Database, customer: str = "hooli") -> WebhookEndpoint:
    return hooks.create(db, customer, _VALUES)


def owe(db: Database, made: WebhookEndpoint) -> None:
    """An event to be sealed, and a sealed one."""
    [change] = record(db, message(tracking())).changes
    with db.write() as connection:
        outbox.owe(
            connection,
            [Owed(made.destination, made.customer, change.event_id, change.shipment_id, Action.REPORT)],
        )
        sealed.enter(connection, made.destination, made.customer, 1, OutboundDocument("msg_1", b"{}"))


def test_every_change_shows_on_every_node(db: Database) -> None:
    """Whoever compares two looks sees that something was made, changed, rotated or deleted in between."""
    with second_node(db) as other:
        seen = [hooks.state(other)]
        made = make(db)
        seen.append(hooks.state(other))
        assert hooks.change(db, "hooli", made.public_id, {"url": "https://other.customer.com/"})
        seen.append(hooks.state(other))
        assert hooks.rotate(db, "hooli", made.public_id)
        seen.append(hooks.state(other))
        [row] = hooks.endpoints(other)
        assert (2, "https://other.customer.com/") == (row.rotation, row.url)
        assert hooks.remove(db, "hooli", made.public_id)
        seen.append(hooks.state(other))
        assert [] == hooks.endpoints(other)
    assert len(set(seen)) == len(seen)


def test_another_customer_has_no_part_in_an_endpoint(db: Database) -> None:
    """It neither finds, changes, rotates nor deletes it."""
    made = make(db)
    assert hooks.endpoint(db, "initech", made.public_id) is None
    assert [] == hooks.endpoints(db, "initech")
    assert hooks.change(db, "initech", made.public_id, {"url": "https://evil.customer.com/"}) is None
    assert hooks.rotate(db, "initech", made.public_id) is None
    assert not hooks.remove(db, "initech", made.public_id)
    found = hooks.endpoint(db, "hooli", made.public_id)
    assert found is not None
    assert (made.url, 1) == (found.url, found.rotation)


def test_nothing_is_left_of_an_endpoint_that_is_gone(db: Database) -> None:
    """What waits for it is dropped, also what a node that had not looked yet owed it afterwards."""
    made = make(db)
    owe(db, made)
    assert hooks.remove(db, "hooli", made.public_id)
    assert [] == stranded(db, ["in"], [])
    assert [DeliveryState.SKIPPED] == [each.state for each in deliveries.deliveries(db)]
    with db.write() as connection:
        sealed.enter(connection, made.destination, made.customer, 2, OutboundDocument("msg_2", b"{}"))
    endpoints.disable(db, made.destination, "late", utc_now())
    hooks.sweep(db)
    assert [] == stranded(db, ["in"], [])
    assert endpoints.endpoint(db, made.destination) is None


def test_a_customer_has_a_bounded_number_of_endpoints(db: Database) -> None:
    """Those that are gone do not count."""
    made = [make(db) for _ in range(hooks.MOST)]
    with pytest.raises(hooks.TooManyError):
        make(db)
    make(db, "initech")
    assert hooks.remove(db, "hooli", made[0].public_id)
    make(db)


def test_no_destination_of_a_file_has_the_name_of_an_endpoint(db: Database) -> None:
    """A colon stands in it, which no name in a file may have."""
    made = make(db)
    assert made.public_id == made_by_api(made.destination)
    assert "" == made_by_api("hooli/api")
    assert ":" in made.destination
