"""Carriers are answered: once for each receipt, with what was found, in numbers without a gap."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from edi_gateway.model import utc_now
from edi_gateway.pipeline import process as processing
from edi_gateway.pipeline.awaiting import tell_overdue
from edi_gateway.pipeline.deliver import deliver, due
from edi_gateway.pipeline.partners import Outlet
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.replay import Replay
from edi_gateway.store import claims, deliveries, findings, inbox, replays, shipments
from edi_gateway.store.alarms import AlarmKind, alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState, DocumentState, Outcome
from edi_gateway.wiring import Wired
from tests import configured
from tests.acceptance.dropping import FULL
from tests.unit.pipeline.iftsta import interchange, message, sts
from tests.unit.pipeline.outbound import Mailbox
from tests.unit.pipeline.partnership import OUTLET, carrier, said, sealed, take, wired

ROOT = Path(__file__).parents[3]
GOOD = interchange(message(sts("K1", "13", 0)))
UNKNOWN = interchange(message(sts("K1", "ZZ", 0)))
NAMELESS = interchange(message(sts("K1", "13", 0), ref="1"), message(sts("", "13", 0), ref="2"))
CONTRL = b"UNB+UNOC:3+SPEEDY+HUB+261012:0900+C1'UNH+1+CONTRL:D:3:UN'UCI+7+HUB+SPEEDY+7'UNT+3+1'UNZ+1+C1'"


@pytest.fixture
def partners(tmp_path: Path) -> Wired:
    return wired(tmp_path)


def test_every_interchange_of_a_document_is_answered_when_it_is_recorded(db: Database, partners: Wired) -> None:
    """One file each, numbered without a gap, due at once; the broken one is rejected, the sound ones are not."""
    broken = interchange(message(sts("K2", "13", 0)), ref="I2").replace(b"UNZ+1+I2", b"UNZ+1+I9")
    take(db, partners, GOOD + broken + interchange(message(sts("K3", "13", 0)), ref="I3"))
    found = sealed(db)
    assert [said(file) for _, file in found] == [
        ["UCI+I1+SPEEDY+HUB+7"],
        ["UCI+I2+SPEEDY+HUB+4+28+UNZ+3"],
        ["UCI+I3+SPEEDY+HUB+7"],
    ]
    assert [one.control_number for one, _ in found] == [1, 2, 3]
    assert [one.name for one, _ in found] == [f"contrl_SPEEDY_{number:09}.edi" for number in (1, 2, 3)]
    assert due(db, [], utc_now(), outlets=partners.outlets) == {OUTLET}


def test_a_strict_channel_rejects_what_others_are_only_told_of(db: Database, tmp_path: Path) -> None:
    """The message is set aside, its neighbour read; sent again corrected under a new reference it is taken."""
    strict = carrier().replace("format: {type: edifact}", "format: {type: edifact, strict: true}")
    partners = configured.wired(tmp_path / "config", carriers__speedy=strict)
    miscounted = message(sts("K2", "13", 0), ref="2", claim=99)
    document = take(db, partners, interchange(message(sts("K1", "13", 0)), miscounted))
    assert (document.state, document.events_new) == (DocumentState.PARTLY_PROCESSED, 1)
    [finding] = findings.quarantine(db)
    assert (finding.found, finding.code, finding.message) == ("claims 99, counted 7", "29", "2")
    take(db, partners, interchange(message(sts("K2", "13", 0), ref="2"), ref="I2"))
    assert [said(file) for _, file in sealed(db)] == [
        ["UCI+I1+SPEEDY+HUB+7", "UCM+2+IFTSTA:D:01B:UN+4+29+UNT+2"],
        ["UCI+I2+SPEEDY+HUB+7"],
    ]
    assert len(shipments.history(db, "K2")) == 1


def test_a_repeated_file_brings_the_same_answer_again(db: Database, partners: Wired) -> None:
    """Whether the bytes are known as a file or only as an interchange in another: not a byte of the answer differs."""
    take(db, partners, GOOD)
    _deliver_all(db)
    repeats = [(GOOD, "b.edi"), (b"\r\n" + GOOD, "c.edi")]
    for content, name in repeats:
        assert take(db, partners, content, name=name).state is DocumentState.IGNORED
        [(delivery, _)] = sealed(db)
        assert delivery.state is DeliveryState.RETRYING
        assert due(db, [], utc_now(), outlets=partners.outlets) == {OUTLET}
        _deliver_all(db)


def test_an_answer_that_goes_again_may_be_there_still(db: Database, partners: Wired) -> None:
    """The sink is told so, and will find the file instead of stumbling over it."""
    take(db, partners, GOOD)
    _deliver_all(db)
    take(db, partners, GOOD, name="b.edi")
    claim = claims.claim(db, OUTLET, "here")
    assert claim is not None
    assert claim.again


def test_a_reference_used_for_something_else_is_rejected_as_a_duplicate(db: Database, partners: Wired) -> None:
    """Nothing of it was processed, and the sender hears why; the first answer stays what it was."""
    take(db, partners, GOOD)
    take(db, partners, interchange(message(sts("K9", "21", 5))))
    assert [said(file) for _, file in sealed(db)] == [["UCI+I1+SPEEDY+HUB+7"], ["UCI+I1+SPEEDY+HUB+4+26+UNB+6"]]


def test_a_duplicate_from_before_answers_were_switched_on_is_called_one(db: Database, tmp_path: Path) -> None:
    """There is no answer to repeat, and the sender is not left without one."""
    silent = {name: replace(each, acknowledge=None) for name, each in wired(tmp_path).channels.items()}
    take(db, Wired(silent, []), GOOD)
    take(db, wired(tmp_path), b"\n" + GOOD)
    assert [said(file) for _, file in sealed(db)] == [["UCI+I1+SPEEDY+HUB+4+26+UNB+6"]]


@pytest.mark.parametrize("broken", [False, True])
def test_an_acknowledgement_is_never_acknowledged(db: Database, partners: Wired, broken: bool) -> None:
    """Not even one whose envelope cannot be read."""
    take(db, partners, CONTRL.replace(b"UNZ+1+C1", b"UNZ+1+C2") if broken else CONTRL)
    assert sealed(db) == []


def test_nobody_is_answered_who_is_not_known(db: Database, partners: Wired) -> None:
    """Without sender and reference there is nobody to say anything to."""
    take(db, partners, message(sts("K1", "13", 0)).encode())
    assert sealed(db) == []


def test_reading_a_document_again_answers_nothing_anew(db: Database, partners: Wired) -> None:
    """Neither a retry nor a replay: the carrier has been told."""
    document = take(db, partners, UNKNOWN)
    with db.write() as connection:
        inbox.reopen(connection, document.id)
    process_pending(db, partners.channels, partners.destinations)
    assert inbox.document(db, document.id).state is DocumentState.PROCESSED
    replays.ask(db, replays.choose(db, [document.id]))
    assert Replay(db, partners.channels, partners.destinations).run().states == {DocumentState.PROCESSED: 1}
    assert len(sealed(db)) == 1


def test_a_replay_answers_nobody_who_was_never_answered(db: Database, partners: Wired) -> None:
    """What came before answers were switched on may be read again without surprising its sender."""
    silent = {name: replace(each, acknowledge=None) for name, each in partners.channels.items()}
    document = take(db, Wired(silent, []), GOOD)
    replays.ask(db, replays.choose(db, [document.id]))
    Replay(db, partners.channels, partners.destinations).run()
    assert sealed(db) == []


@pytest.mark.parametrize(
    ("when", "content", "count"),
    [
        ("always", GOOD, 1),
        ("errors", GOOD, 0),
        ("errors", UNKNOWN, 1),
        ("requested", GOOD, 0),
        ("requested", GOOD.replace(b"+I1'", b"+I1++++1'", 1), 1),
    ],
)
def test_when_an_answer_is_due(db: Database, tmp_path: Path, when: str, content: bytes, count: int) -> None:
    """Always, only if anything was found, or only if the interchange asks for it."""
    take(db, wired(tmp_path, when=when), content)
    assert len(sealed(db)) == count


def test_what_could_not_be_understood_is_told_beside_the_syntax(db: Database, tmp_path: Path) -> None:
    """CONTRL accepts, APERAK names the event that was set aside and the code nobody knows."""
    partners = wired(tmp_path, "[contrl, aperak]")
    take(db, partners, NAMELESS)
    take(db, partners, interchange(message(sts("K1", "ZZ", 0)), ref="I2"))
    take(db, partners, interchange(message(sts("K3", "13", 0)), ref="I3"))
    files = [(one.acknowledges, said(file)) for one, file in sealed(db)]
    assert [kind for kind, _ in files] == ["contrl", "aperak", "contrl", "aperak", "contrl"]
    assert files[0][1] == ["UCI+I1+SPEEDY+HUB+7"]
    problems = [[line for line in files[index][1] if line[:3] in {"BGM", "RFF", "ERC"}] for index in (1, 3)]
    assert problems == [["BGM+313+2-1+9", "RFF+ACW:2", "ERC+E13"], ["BGM+312+4-1+9", "RFF+ACW:1", "ERC+W1"]]


def test_a_mistake_of_ours_is_not_called_one_of_the_sender(
    db: Database, partners: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that makes us fail is answered when it has been read, not before."""
    with monkeypatch.context() as patch:
        patch.setattr(processing, "batches", _fail)
        document = take(db, partners, GOOD)
    assert (document.state, sealed(db)) == (DocumentState.QUARANTINED, [])
    with db.write() as connection:
        inbox.reopen(connection, document.id)
    process_pending(db, partners.channels, partners.destinations)
    assert [said(file) for _, file in sealed(db)] == [["UCI+I1+SPEEDY+HUB+7"]]


def _fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("a defect")


def test_what_cannot_be_written_is_an_alarm_and_holds_nothing_up(db: Database, tmp_path: Path) -> None:
    """The events are recorded all the same; no number is lost."""
    partners = wired(tmp_path, control_numbers="{maximum: 1, roll_over: false}")
    take(db, partners, GOOD)
    assert take(db, partners, interchange(message(sts("K2", "13", 0)), ref="I2")).state is DocumentState.PROCESSED
    tell_overdue(db, partners.destinations, partners.outlets, utc_now())
    [alarm] = alarms(db)
    assert (alarm.kind, alarm.subject) == (AlarmKind.UNANSWERED, OUTLET)
    assert "1 acknowledgements could not be written: control numbers" in alarm.text
    assert [one.control_number for one, _ in sealed(db)] == [1]


def test_a_refused_answer_uses_up_no_number(db: Database, partners: Wired) -> None:
    """What no character set carries cannot be said; the next answer to the same sender leaves no gap."""
    take(db, partners, interchange(message(sts("K1", "13", 0)), ref="I\x071"))
    take(db, partners, interchange(message(sts("K2", "13", 0)), ref="I2"))
    assert [(one.control_number, said(file)) for one, file in sealed(db)] == [(1, ["UCI+I2+SPEEDY+HUB+7"])]


def test_an_answer_that_is_not_delivered_in_time_is_an_alarm(db: Database, partners: Wired) -> None:
    """It goes when the answer has arrived."""
    take(db, partners, GOOD)
    later = utc_now() + 2 * partners.outlets[0].within
    tell_overdue(db, [], partners.outlets, utc_now())
    assert alarms(db) == []
    tell_overdue(db, [], partners.outlets, later)
    assert [alarm.kind for alarm in alarms(db)] == [AlarmKind.UNANSWERED]
    _deliver_all(db)
    tell_overdue(db, [], partners.outlets, later)
    assert alarms(db) == []


async def test_answers_travel_like_any_delivery(db: Database, partners: Wired) -> None:
    """They are claimed, attempted and settled by the same machinery."""
    take(db, partners, GOOD)
    mailbox = Mailbox()
    outlet: Outlet = replace(partners.outlets[0], sink=mailbox)
    assert await deliver(db, outlet) == 1
    assert mailbox.arrived == ["contrl_SPEEDY_000000001.edi"]
    [(delivery, _)] = sealed(db)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)


@pytest.mark.parametrize("db", ["sqlite", "postgres"] if FULL else ["sqlite"], indirect=True)
def test_a_kill_at_any_step_leaves_one_answer_for_each_interchange(db: Database, tmp_path: Path) -> None:
    """However often the process dies while it records and seals: no interchange without one, none with two."""
    url = db._url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.unit.pipeline.answering_process", url, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 20  # steps at which it was killed
    files = sealed(db)
    assert sorted(one.control_number for one, _ in files) == list(range(1, len(files) + 1))
    answer = METADATA.tables["answer"]
    with db.read() as connection:
        rows = connection.execute(select(answer).order_by(answer.c.document_id, answer.c.number, answer.c.kind)).all()
    assert {row.document_id for row in rows} == {1}
    expected = [(number, kind) for number in (1, 2) for kind in ("aperak", "contrl")]
    assert [(row.number, str(row.kind)) for row in rows] == expected
    assert sorted(row.delivery_id for row in rows) == sorted(one.id for one, _ in files)


def test_nothing_is_sealed_of_a_document_that_is_not_recorded(
    db: Database, partners: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answer and record are one transaction: when it is taken back, the number is free again."""
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "settle", _fail)
        with pytest.raises(RuntimeError):
            take(db, partners, GOOD)
    assert sealed(db) == []
    process_pending(db, partners.channels, partners.destinations)
    assert [one.control_number for one, _ in sealed(db)] == [1]


def _deliver_all(db: Database) -> None:
    while claim := claims.claim(db, OUTLET, "here"):
        claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    assert deliveries.deliveries(db, destination=OUTLET, state=DeliveryState.RETRYING) == []
