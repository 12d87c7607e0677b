"""Alarms stand once, say what is wrong now, and go when their cause has gone."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from edi_gateway.store.alarms import AlarmKind, alarms, clear_alarm, clear_gone, raise_alarm
from edi_gateway.store.engine import Database
from tests.unit.store.building import second_node

FAILING = AlarmKind.CHANNEL_FAILING


def shown(db: Database) -> list[tuple[str, str, str]]:
    return [(alarm.kind, alarm.subject, alarm.text) for alarm in alarms(db)]


def test_an_alarm_noticed_often_stands_once_with_the_latest_word_and_the_first_time(db: Database) -> None:
    """However often a cause is noticed, one alarm stands, as old as the cause."""
    assert raise_alarm(db, FAILING, "nordlog/files", "refused")
    first = alarms(db)[0].raised_at
    assert not raise_alarm(db, FAILING, "nordlog/files", "timed out")
    assert shown(db) == [("channel_failing", "nordlog/files", "timed out")]
    assert alarms(db)[0].raised_at == first


def test_each_cause_and_each_partner_has_its_own_alarm(db: Database) -> None:
    """Alarms of other kinds and other partners stay when one is cleared."""
    raise_alarm(db, FAILING, "nordlog/files", "refused")
    raise_alarm(db, AlarmKind.INTAKE_PAUSED, "nordlog/files", "full")
    raise_alarm(db, FAILING, "kurier/files", "refused")
    assert clear_alarm(db, FAILING, "nordlog/files")
    assert shown(db) == [("intake_paused", "nordlog/files", "full"), ("channel_failing", "kurier/files", "refused")]


def test_clearing_what_does_not_stand_is_nothing(db: Database) -> None:
    """Success says so each time, and that costs and changes nothing."""
    assert not clear_alarm(db, FAILING, "nordlog/files")


def test_two_nodes_that_notice_the_same_at_once_raise_one_alarm(db: Database) -> None:
    """Neither of them fails for it."""
    with second_node(db) as other, ThreadPoolExecutor(8) as pool:
        for number in range(20):
            ready = Barrier(8)

            def notice(node: Database, number: int = number, ready: Barrier = ready) -> None:
                ready.wait()
                raise_alarm(node, FAILING, f"nordlog/{number}", "refused")

            list(pool.map(notice, [db, other] * 4))
    assert len(shown(db)) == 20


def test_alarms_go_with_the_partner_they_are_about(db: Database) -> None:
    """Nobody polls or delivers there any more; what is about no partner stays."""
    for kind in AlarmKind:
        for subject in ("stays/edi", "gone/edi"):
            raise_alarm(db, kind, subject, "refused")
    clear_gone(db, ["stays/edi"], ["stays/edi"])
    gone = {alarm.kind for alarm in alarms(db) if alarm.subject == "gone/edi"}
    assert gone == {AlarmKind.INTAKE_PAUSED, AlarmKind.CONFIGURATION}
    assert {alarm.kind for alarm in alarms(db) if alarm.subject == "stays/edi"} == set(AlarmKind)
