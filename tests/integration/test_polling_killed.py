"""A gateway that is killed while carriers are asked: who was not answered is asked again, and nothing counts twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select, update

from edi_gateway.model import utc_now
from edi_gateway.store import tracked
from edi_gateway.store.checks import CHECK
from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import documents
from edi_gateway.store.shipments import overview
from tests.acceptance.gateway import Gateway, wait_until
from tests.carrier_api import Asked, CarrierApi, Reply, events
from tests.webhooks import webhook_gateway

NUMBERS: Final = [f"P{number:02}" for number in range(40)]
ANSWERED: Final = set(NUMBERS[::2])  # before the kill; of the others nothing is heard
_MAPPING: Final = """\
syntax: json
format: {type: json, records: "@"}
for_each: events
event: {tracking_number: number, code: code, occurred_at: {path: time}}
codes: {TRANSIT: IN_TRANSIT}
"""
_CARRIER: Final = """\
carrier: speedy
timezone: UTC
channels:
  api:
    every: 250ms
    mapping: api/track
    source:
      type: api_poll
      allow_http: true
      request: {url: "API/track/{number}"}
      schedule: safety_net
      in_flight: 64
"""


@pytest.fixture
def api() -> Iterator[CarrierApi]:
    with CarrierApi().running() as running:
        yield running


def configure(folder: Path, api: CarrierApi, url: str) -> Path:
    """A gateway of one carrier all of whose numbers are due."""
    config = folder / "config"
    for name, text in {
        "mappings/api/track.yaml": _MAPPING,
        "config/gateway.yaml": f"data: {folder}/data\nmappings: {folder}/mappings\ndatabase: {url}\n"
        "log: {format: json, level: debug}\nstop_timeout: 2s\n",
        "config/carriers/speedy.yaml": _CARRIER.replace("API", api.url),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    db = Database(url)
    db.migrate()
    tracked.track(db, "speedy/api", "speedy", NUMBERS)
    db.close()
    return config


def claimed(db: Database) -> int:
    """How many checks somebody has begun and not ended."""
    with db.read() as connection:
        held = select(func.count()).select_from(CHECK).where(CHECK.c.claimed_until.is_not(None))
        return int(connection.execute(held).scalar_one())


def let_leases_run_out(db: Database) -> None:
    """As time does, where other nodes may live and nobody can know who has died."""
    with db.write() as connection:
        connection.execute(update(CHECK).where(CHECK.c.claimed_until.is_not(None)).values(claimed_until=_ago()))


def _ago() -> object:
    return utc_now() - timedelta(seconds=1)


def die_asking(gateway: Gateway, db: Database, api: CarrierApi) -> None:
    """Kill it when half of the numbers are answered and the others' carrier keeps silent."""
    api.answer = lambda asked: events(asked.number) if asked.number in ANSWERED else Reply(hang=True)
    gateway.start()
    wait_until(lambda: len(set(api.numbers)) == len(NUMBERS), 60, "all are asked for")
    wait_until(lambda: claimed(db) == len(NUMBERS) - len(ANSWERED), 30, "half are answered")
    gateway.kill()


def test_checks_of_a_killed_gateway_are_made_again_and_every_answer_counts_once(
    tmp_path: Path, empty_url: str, api: CarrierApi
) -> None:
    """Alone with its database it knows at the start that they are nobody's; among nodes their leases run out."""
    with webhook_gateway(tmp_path, lambda: configure(tmp_path, api, empty_url)) as gateway:
        db = Database(empty_url)
        die_asking(gateway, db, api)
        if not empty_url.startswith("sqlite"):
            let_leases_run_out(db)
        api.answer = _anything
        gateway.start()
        wait_until(lambda: overview(db).events == len(NUMBERS), 30, "every number has its event")
        wait_until(lambda: claimed(db) == 0, 30, "nothing is claimed")
        assert gateway.stop() == 0
        assert Counter(NUMBERS) == Counter(each.name for each in documents(db, limit=1000))
        with db.read() as connection:
            told = connection.exec_driver_sql("SELECT count(*) FROM provenance").scalar_one()
        assert told == len(NUMBERS)
        assert tracked.counts(db)[0].due == 0
        db.close()
    asked = Counter(api.numbers)
    assert {number: asked[number] for number in ANSWERED} == dict.fromkeys(ANSWERED, 1)
    assert {asked[number] for number in NUMBERS if number not in ANSWERED} == {2}


def _anything(asked: Asked) -> Reply:
    return events(asked.number)
