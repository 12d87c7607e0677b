"""``edi-gateway deliveries`` and ``status``: what a person sees of files that did not arrive, and what helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.model import utc_now
from edi_gateway.pipeline.deliver import tell_alarms
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import claims, deliveries
from edi_gateway.store.alarms import alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome
from tests import command
from tests.unit.pipeline.outbound import owe, parcels, wire_globex
from tests.unit.store.building import sealed

EDI = "globex/edi"


@pytest.fixture
def config(tmp_path: Path, sqlite_template: Path) -> Path:
    """A configured gateway whose three files for globex are dead letters."""
    wired, globex, _ = wire_globex(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "edi-gateway.db").write_bytes(sqlite_template.read_bytes())
    for db in database(tmp_path / "config"):
        owe(db, wired, parcels(3))
        seal_due(db, globex, utc_now())
        for _ in range(3):
            claim = claims.claim(db, EDI, "here")
            assert claim
            claims.finish_attempt(db, claim, Outcome.FAILED, "connection refused")
        tell_alarms(db, globex)
    return tmp_path / "config"


def database(config: Path) -> Iterator[Database]:
    db = Database(f"sqlite:///{config.parent / 'data' / 'edi-gateway.db'}")
    yield db
    db.close()


def run(config: Path, *arguments: str, code: int = 0) -> str:
    """Run the real command; what it prints, and nothing else is said when all is well."""
    done = command.run(["--config", config, *arguments])
    assert done.returncode == code, done.stderr
    assert bool(done.stderr) == bool(code), done.stderr
    return done.stdout if code == 0 else done.stderr


def as_json(config: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(config, *arguments, "--json"))
    return found


def states(config: Path) -> list[DeliveryState]:
    return [each.state for db in database(config) for each in reversed(deliveries.deliveries(db))]


def test_dead_letters_are_seen_and_retried_one_by_one_or_all_together(config: Path) -> None:
    """`status` names them and the command; `retry` makes them due; the alarm goes with the last."""
    said = run(config, "status")
    assert "3 dead letters: edi-gateway deliveries list --state dead" in said
    assert "alarm       dead_letter globex/edi since" in said
    assert "3 dead letters, the latest is delivery 3 (globex_000003.edi): connection refused" in said

    assert "delivery 2 is due" in run(config, "deliveries", "retry", "2")
    assert "2 deliveries are due" in run(config, "deliveries", "retry", "--destination", EDI, "--state", "dead")
    assert [DeliveryState.RETRYING] * 3 == states(config)
    assert [[]] == [alarms(db) for db in database(config)]
    assert "--state delivered: there is nothing to retry" in run(
        config, "deliveries", "retry", "--destination", EDI, "--state", "delivered", code=2
    )


def test_a_file_is_issued_anew_and_both_know_each_other(config: Path) -> None:
    """The command says the new number and warns that the old file may have arrived; the old one is closed."""
    said = run(config, "deliveries", "reissue", "2")
    assert "delivery 4 (globex_000004.edi, control number 4) replaces delivery 2" in said
    assert "an earlier attempt may have arrived" in said
    old = as_json(config, "deliveries", "show", "2")
    assert ("superseded", 4, None) == (old["state"], old["replaced_by"], old["replaces"])
    [new] = [deliveries.delivery(db, 4)[0] for db in database(config)]
    assert ("sealed", 2) == (new.state, new.replaces)


def test_what_arrived_is_issued_anew_only_in_so_many_words(config: Path) -> None:
    """Without the option the command explains; with it, it does as told."""
    for db in database(config):
        deliveries.retry(db, 1)
        claim = claims.claim(db, EDI, "here")
        assert claim
        claims.finish_attempt(db, claim, Outcome.DELIVERED)
    assert "say --although-delivered" in run(config, "deliveries", "reissue", "1", code=1)
    assert "replaces delivery 1" in run(config, "deliveries", "reissue", "1", "--although-delivered")


def test_a_file_is_given_up(config: Path) -> None:
    """`skip` says what the customer will not get."""
    assert "delivery 1 is skipped: globex/edi does not get its 1 events" in run(config, "deliveries", "skip", "1")
    assert DeliveryState.SKIPPED is states(config)[0]


def test_what_waits_for_a_destination_that_is_gone_is_shown(config: Path) -> None:
    """After renaming a destination its files wait for nobody; `status` says so, and how to get them going."""
    for db in database(config):
        sealed(db, "globex/old")
    assert "1 files wait for destination globex/old, which is not configured: bring it back under this name" in run(
        config, "status"
    )
    (config / "customers" / "globex.yaml").write_text("customer: [")
    run_anyway = command.run(["--config", config, "status"])
    assert run_anyway.returncode == 0
    assert "whether anything waits for partners that are gone is not known" in run_anyway.stderr
