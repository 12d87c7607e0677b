"""Sealing: numbers without gap or repeat whoever seals and whenever it dies, and a file issued anew under a new one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from edi_gateway.errors import RefusedError
from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.deliver import due
from edi_gateway.pipeline.partners import ControlNumbers, Destination
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import Refusals, reissue, seal_due
from edi_gateway.store import claims, deliveries, inbox, outbox, shipments
from edi_gateway.store.alarms import AlarmKind, alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState, Outcome
from edi_gateway.wiring import Wired
from tests.guards.project import ROOT
from tests.unit.pipeline.iftsta import interchange, message, sts
from tests.unit.pipeline.outbound import (
    owe,
    owe_some_unwritable,
    parcels,
    sealed_numbers,
    told,
    wire_globex,
    wire_shared,
)
from tests.unit.store.building import second_node

EDI, PLAIN = "globex/edi", "globex/plain"
DELIVERED = Outcome.DELIVERED


def destination(wired: Wired, name: str) -> Destination:
    (found,) = (each for each in wired.destinations if each.name == name)
    return found


def every_event_told(db: Database, events: int, unwritable: int) -> bool:
    """Whether each event lies in one file of each destination, but for those globex/plain cannot write."""
    counted = Counter(at for at, _ in told(db))
    return (
        len(set(told(db))) == len(told(db))
        and counted == {EDI: events, PLAIN: events - unwritable}
        and len(outbox.refused(db, PLAIN)) == unwritable
        and not shipments.overview(db).pending
    )


def deliver_next(db: Database, outcome: Outcome = DELIVERED) -> int:
    claim = claims.claim(db, EDI, "here")
    assert claim is not None
    claims.finish_attempt(db, claim, outcome, "as told")
    return claim.delivery_id


def content(db: Database, delivery_id: int) -> str:
    return deliveries.document(db, deliveries.delivery(db, delivery_id)[0]).content.decode("latin-1")


def test_fifty_sealers_use_every_number_once(db: Database, tmp_path: Path) -> None:
    """Threads of two nodes seal for two destinations of one partnership, events are refused and files issued anew."""
    wired = wire_shared(tmp_path)
    owe_some_unwritable(db, wired, 60)
    edi, plain = destination(wired, EDI), destination(wired, PLAIN)
    # Two nodes on SQLite are refused by the daemon; here they only make the test harder.
    with second_node(db) as other, ThreadPoolExecutor(50) as pool:

        def seal(turn: int) -> None:
            node = (db, other)[turn % 2]
            while seal_due(node, (edi, plain)[turn // 2 % 2], utc_now(), 1):
                if turn % 10 == 0:
                    reissue_newest(node, edi)

        list(pool.map(seal, range(50)))

    assert every_event_told(db, 60, 12)
    numbers = sealed_numbers(db)
    assert list(range(1, len(numbers) + 1)) == numbers
    assert len(numbers) >= 54


def reissue_newest(db: Database, edi: Destination) -> None:
    newest = deliveries.deliveries(db, destination=EDI, state=DeliveryState.SEALED, limit=1)
    with suppress(LookupError):  # another was quicker
        reissue(db, edi, newest[0].id if newest else 0, utc_now())


def test_processes_that_seal_at_the_same_time_use_every_number_once(db: Database, tmp_path: Path) -> None:
    """Two nodes of twenty-five threads each; the order of numbers is the order of events."""
    wired = wire_shared(tmp_path)
    owe_some_unwritable(db, wired, 40)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_run_node, "many", db), (tmp_path / "one", tmp_path / "two")))

    assert every_event_told(db, 40, 8)
    numbers = sealed_numbers(db)
    assert list(range(1, len(numbers) + 1)) == numbers
    for name in (EDI, PLAIN):
        firsts = first_owed(db, name)
        assert sorted(firsts) == firsts


def test_a_kill_at_any_step_of_sealing_loses_and_repeats_nothing(db: Database, tmp_path: Path) -> None:
    """Sealing, refusing and issuing anew are killed at every statement and commit; numbers stay without gap."""
    wired = wire_shared(tmp_path)
    owe_some_unwritable(db, wired, 6)
    steps = _run_node("kills", db, tmp_path).splitlines()[-1]
    assert all(int(killed) >= 10 for killed in steps.split()), steps

    for each in wired.destinations:
        seal_due(db, each, utc_now())
    assert every_event_told(db, 6, 2)
    numbers = sealed_numbers(db)
    assert list(range(1, len(numbers) + 1)) == numbers


def first_owed(db: Database, name: str) -> list[int]:
    """What was owed first of what each file of a destination tells, in the order of the files' numbers."""
    row, delivery = METADATA.tables["outbox"], METADATA.tables["delivery"]
    by_number = select(func.min(row.c.id)).join(delivery).where(delivery.c.destination == name)
    with db.read() as connection:
        grouped = by_number.group_by(delivery.c.control_number).order_by(delivery.c.control_number)
        return list(connection.execute(grouped).scalars())


def _run_node(what: str, db: Database, folder: Path) -> str:
    url = db._url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.unit.pipeline.sealing_process", what, url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numbers_roll_over_within_their_limits(db: Database, tmp_path: Path) -> None:
    """After the last number comes the first, for files issued anew as well."""
    wired, globex, _ = wire_globex(tmp_path, control_numbers=ControlNumbers("k", 7, 9, roll_over=True))
    owe(db, wired, parcels(4))
    seal_due(db, globex, utc_now())
    reissue(db, globex, 1, utc_now())

    assert [7, 8, 9, 7, 8] == [each.control_number for each in reversed(deliveries.deliveries(db))]


@pytest.mark.parametrize(("start", "then"), [(1, [6, 7]), (3, [6, 7]), (100, [100, 101])])
def test_another_start_never_repeats_a_number(db: Database, tmp_path: Path, start: int, then: list[int]) -> None:
    """Raised above what was used it is jumped to; anything else goes on where the numbers are."""
    wired, globex, _ = wire_globex(tmp_path, control_numbers=ControlNumbers("k", 4, 999, roll_over=False))
    owe(db, wired, parcels(2))
    seal_due(db, globex, utc_now())
    owe(db, wired, parcels(2, "L"))
    changed = replace(globex, control_numbers=ControlNumbers("k", start, 999, roll_over=False))
    seal_due(db, changed, utc_now())

    assert [4, 5, *then] == [each.control_number for each in reversed(deliveries.deliveries(db))]


def test_why_nothing_can_be_sealed_is_an_alarm_until_something_is(db: Database, tmp_path: Path) -> None:
    """Used-up numbers are told once and for as long as they are the matter; the events wait."""
    wired, globex, _ = wire_globex(tmp_path, control_numbers=ControlNumbers("k", 1, 1, roll_over=False))
    owe(db, wired, parcels(2))
    assert 1 == seal_due(db, globex, utc_now())
    assert 0 == seal_due(db, globex, utc_now())
    [alarm] = alarms(db)
    assert (AlarmKind.SEALING_REFUSED, EDI) == (alarm.kind, alarm.subject)
    assert "control numbers of k are used up: 1 was the last" in alarm.text

    wider = replace(globex, control_numbers=ControlNumbers("k", 1, 2, roll_over=False))
    assert 1 == seal_due(db, wider, utc_now())
    assert [] == alarms(db)


def test_what_was_refused_is_tried_less_and_less_often_until_it_is_configured_anew(
    db: Database, tmp_path: Path
) -> None:
    """Each try costs as much as a file; what was mended is tried at once, and so is it after a success."""
    tries: list[datetime] = []

    def breaks(_number: int, now: datetime) -> str:
        tries.append(now)
        raise ZeroDivisionError("no name")

    wired, globex, _ = wire_globex(tmp_path, file_name=breaks)
    owe(db, wired, parcels(1))
    start, refusals = utc_now() + timedelta(seconds=1), Refusals()
    for second in range(200):
        now = start + timedelta(seconds=second)
        if EDI in due(db, [globex], now, refusals):
            seal_due(db, globex, now, refusals=refusals)
        assert 0 == seal_due(db, globex, now, refusals=refusals)
    assert [0, 2, 6, 14, 30, 62, 122, 182] == sorted({(tried - start).seconds for tried in tries})

    mended = replace(globex, file_name=lambda number, _now: f"{number}.edi")
    assert {EDI} == due(db, [mended], now, refusals)
    assert 1 == seal_due(db, mended, now, refusals=refusals)
    owe(db, wired, ["LATER"])
    assert {EDI} == due(db, [mended], now + timedelta(hours=1), refusals)


def test_a_layout_that_fails_is_an_alarm(db: Database, tmp_path: Path) -> None:
    """A defect that is no event's fault sets no event aside."""

    def breaks(_number: int, _now: object) -> str:
        raise ZeroDivisionError("no name")

    wired, globex, _ = wire_globex(tmp_path, file_name=breaks)
    owe(db, wired, parcels(1))
    assert 0 == seal_due(db, globex, utc_now())
    assert ["ZeroDivisionError: no name"] == [alarm.text for alarm in alarms(db)]
    assert ([], {EDI: 1}) == (outbox.refused(db), shipments.overview(db).pending)


def test_a_file_is_issued_anew_under_a_new_number_and_name(db: Database, tmp_path: Path) -> None:
    """The same events, linked to the file it replaces, which is never sent again; its dead letter is no alarm more."""
    wired, globex, _ = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    seal_due(db, globex, utc_now())
    old_id = deliver_next(db, Outcome.REFUSED)
    deliveries.tell_dead_letters(db, EDI)
    new_id = reissue(db, globex, old_id, utc_now())
    old, new = deliveries.delivery(db, old_id)[0], deliveries.delivery(db, new_id)[0]

    assert (DeliveryState.SUPERSEDED, new_id, old_id) == (old.state, deliveries.replaced_by(db, old_id), new.replaces)
    assert (2, "globex_000002.edi", 1) == (new.control_number, new.name, new.event_count)
    assert "CNI+1+K0'" in content(db, new_id)
    assert content(db, new_id).endswith("UNZ+1+2'")
    assert [] == alarms(db)
    assert new_id == deliver_next(db)
    assert claims.claim(db, EDI, "here") is None
    for decide in (deliveries.retry, deliveries.skip):
        with pytest.raises(LookupError, match=f"delivery {old_id} is superseded by delivery {new_id}"):
            decide(db, old_id)
    with pytest.raises(LookupError, match=f"delivery {old_id} is superseded by delivery {new_id}"):
        reissue(db, globex, old_id, utc_now(), although_delivered=True)
    assert [(EDI, 1)] == told(db)


def test_what_the_customer_has_is_issued_anew_only_if_asked_for_in_so_many_words(db: Database, tmp_path: Path) -> None:
    """The refusal says what would happen."""
    wired, globex, _ = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    seal_due(db, globex, utc_now())
    delivered = deliver_next(db)
    with pytest.raises(LookupError, match="the customer would see its 1 events twice; say --although-delivered"):
        reissue(db, globex, delivered, utc_now())
    assert 2 == reissue(db, globex, delivered, utc_now(), although_delivered=True)


def test_what_is_being_sent_is_not_issued_anew(db: Database, tmp_path: Path) -> None:
    """Both files could arrive."""
    wired, globex, _ = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    seal_due(db, globex, utc_now())
    claims.claim(db, EDI, "another")
    with pytest.raises(LookupError, match="is being sent by another"):
        reissue(db, globex, 1, utc_now())


def test_a_file_that_cannot_be_written_anew_stays_as_it_is(db: Database, tmp_path: Path) -> None:
    """No number is lost over it."""
    wired, globex, _ = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    seal_due(db, globex, utc_now())

    def breaks(_number: int, _now: object) -> str:
        raise RefusedError("no name")

    with pytest.raises(RefusedError, match="no name"):
        reissue(db, replace(globex, file_name=breaks), 1, utc_now())
    assert DeliveryState.SEALED is deliveries.delivery(db, 1)[0].state
    assert 2 == deliveries.delivery(db, reissue(db, globex, 1, utc_now()))[0].control_number


def test_what_was_told_otherwise_since_is_not_told_again(db: Database, tmp_path: Path) -> None:
    """The report of an event that a later file cancels would stand at the customer for good."""
    wired, globex, _ = wire_globex(tmp_path)
    several = replace(globex, batch=replace(globex.batch, at_most=9))
    void, stands = sts("K1", "21", 0), sts("K2", "21", 0)
    for name, said in (
        ("a", interchange(message(void), message(stands, ref="2", bgm="23+R2+9"))),
        ("b", interchange(message(void, bgm="23+R3+1"), ref="I2")),
    ):
        inbox.receive(db, "speedy", [RawDocument("speedy/files", name, said, utc_now())])
        process_pending(db, wired.channels, wired.destinations)
        seal_due(db, several, utc_now())
    first, cancelling = sorted(each.id for each in deliveries.deliveries(db, destination=EDI))
    new = deliveries.delivery(db, reissue(db, several, first, utc_now()))[0]

    assert (1, True, False) == (new.event_count, "K2" in content(db, new.id), "K1" in content(db, new.id))
    with pytest.raises(LookupError, match="is superseded"):
        reissue(db, several, first, utc_now())
    assert "K1" in content(db, cancelling)
