"""Customers' acknowledgements close the loop of what was delivered, or are said to be orphans."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from edi_gateway.errors import ConfigError
from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.pipeline.awaiting import tell_overdue
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import reissue, seal_due
from edi_gateway.store import claims, deliveries, inbox, ledger, statements
from edi_gateway.store.alarms import AlarmKind, alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.sealed import Terms, enter
from edi_gateway.store.tables import Delivery, DeliveryState, DocumentState, Outcome
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.formats.edi import message as edifact
from tests.unit.pipeline.iftsta import interchange, message, sts
from tests.unit.pipeline.outbound import owe, parcels
from tests.unit.pipeline.partnership import carrier, customer, remarks, take, wired

EDI: Final = "globex/edi"
ACKS: Final = "globex/acks"


@pytest.fixture
def partners(tmp_path: Path) -> Wired:
    return configured.wired(tmp_path / "config", customers__globex=customer())


def delivered(db: Database, partners: Wired, count: int = 1, prefix: str = "K") -> list[Delivery]:
    """So many files of one event each have been sealed and delivered to the customer."""
    [globex] = [each for each in partners.destinations if each.name == EDI]
    for number in parcels(count, prefix):
        owe(db, partners, [number])
        seal_due(db, globex, utc_now())
    while claim := claims.claim(db, EDI, "here"):
        claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    return list(reversed(deliveries.deliveries(db, destination=EDI)))


def file(kind: str, *bodies: list[str], ref: str = "C1") -> bytes:
    """The customer's interchange with such messages."""
    messages = [edifact(*body, ref=str(index), kind=kind) for index, body in enumerate(bodies, 1)]
    segments = [line for each in messages for line in each]
    header = f"UNB+UNOC:3+GLOBEX:14+HUB:ZZZ+261012:0900+{ref}"
    return "".join(f"{line}'" for line in [header, *segments, f"UNZ+{len(bodies)}+{ref}"]).encode()


def contrl(number: object, action: str = "7", *more: str, ref: str = "C1", sender: str = "HUB:ZZZ") -> bytes:
    return file("CONTRL:D:3:UN", [f"UCI+{number}+{sender}+GLOBEX:14+{action}", *more], ref=ref)


def aperak(about: str, *body: str, code: str = "312", ref: str = "C1") -> bytes:
    return file("APERAK:D:96A:UN", [f"BGM+{code}+A1+9", f"RFF+ACW:{about}", *body], ref=ref)


def state(db: Database, delivery_id: int = 1) -> DeliveryState:
    return deliveries.delivery(db, delivery_id)[0].state


def test_an_acknowledgement_closes_the_loop(db: Database, partners: Wired) -> None:
    """Numbers are compared as numbers, whatever zeros stand before them."""
    one, other = delivered(db, partners, 2)
    document = take(db, partners, contrl("000000001"), ACKS)
    assert (document.state, document.messages, remarks(db, document)) == (DocumentState.PROCESSED, 1, [])
    assert (state(db, one.id), state(db, other.id)) == (DeliveryState.ACKNOWLEDGED, DeliveryState.DELIVERED)
    assert deliveries.delivery(db, one.id)[0].acknowledged_at is not None


def test_a_rejection_says_what_and_where(db: Database, partners: Wired) -> None:
    """The partner's reasons are kept, those of single messages with their message."""
    delivered(db, partners)
    more = ("UCM+1+IFTSTA:D:01B:UN+4+18", "UCS+4+12", "UCD+12+4:1")
    take(db, partners, contrl(1, "7", *more), ACKS)
    assert state(db) is DeliveryState.REJECTED
    whole, part = statements.of_delivery(db, 1)
    assert (whole.verdict, part.verdict, part.part) == ("partly_rejected", "rejected", "1")
    assert part.reasons[-1] == "message 1, segment 4, element 3 component 1: 12 invalid value"


def test_what_was_rejected_goes_again_under_a_new_number(db: Database, partners: Wired) -> None:
    """No force is needed, and the alarm goes with it."""
    delivered(db, partners)
    take(db, partners, contrl(1, "4", ref="C1"), ACKS)
    tell_overdue(db, partners.destinations, [], utc_now())
    [alarm] = alarms(db)
    assert (alarm.kind, alarm.subject) == (AlarmKind.REJECTED, EDI)
    [globex] = [each for each in partners.destinations if each.name == EDI]
    new = reissue(db, globex, 1, utc_now())
    assert (state(db, 1), deliveries.delivery(db, new)[0].control_number) == (DeliveryState.SUPERSEDED, 2)
    tell_overdue(db, partners.destinations, [], utc_now())
    assert alarms(db) == []


def test_receipt_alone_does_not_close_the_loop(db: Database, partners: Wired) -> None:
    """Action 8 is followed by 7 or 4."""
    delivered(db, partners)
    take(db, partners, contrl(1, "8", ref="C1"), ACKS)
    assert state(db) is DeliveryState.DELIVERED
    document = take(db, partners, contrl(1, "7", ref="C2"), ACKS)
    assert (state(db), remarks(db, document)) == (DeliveryState.ACKNOWLEDGED, [])


def test_a_receipt_that_comes_late_takes_nothing_back(db: Database, partners: Wired) -> None:
    """Files overtake each other: who has accepted has received."""
    delivered(db, partners)
    for number, action in enumerate("78", 1):
        document = take(db, partners, contrl(1, action, ref=f"C{number}"), ACKS)
        assert (state(db), remarks(db, document)) == (DeliveryState.ACKNOWLEDGED, [])


@pytest.mark.parametrize(
    ("first", "second", "end"), [("7", "4", DeliveryState.REJECTED), ("4", "7", DeliveryState.ACKNOWLEDGED)]
)
def test_of_two_verdicts_the_latest_counts(
    db: Database, partners: Wired, first: str, second: str, end: DeliveryState
) -> None:
    """And somebody is told that there were two."""
    delivered(db, partners)
    take(db, partners, contrl(1, first, ref="C1"), ACKS)
    document = take(db, partners, contrl(1, second, ref="C2"), ACKS)
    assert state(db) is end
    [remark] = remarks(db, document)
    assert remark.startswith("warning: CONTRL about 1 from HUB to GLOBEX: ")


@pytest.mark.parametrize(
    ("content", "channel"),
    [
        (contrl(99), ACKS),  # a number nobody used
        (contrl("ABC"), ACKS),  # no number
        (contrl(1, sender="OTHER"), ACKS),  # another sender's
        (contrl(1), "speedy/files"),  # a carrier's, which got nothing
        (aperak("PO123456"), ACKS),
    ],
)
def test_what_is_about_nothing_of_ours_is_an_orphan(
    db: Database, partners: Wired, content: bytes, channel: str
) -> None:
    """It waits in quarantine and touches no delivery."""
    delivered(db, partners)
    document = take(db, partners, content, channel)
    assert document.state is DocumentState.QUARANTINED
    [remark] = remarks(db, document)
    assert remark.startswith("quarantine: an orphan acknowledgement: ")
    assert state(db) is DeliveryState.DELIVERED


def test_our_own_answers_are_not_what_an_acknowledgement_is_about(db: Database, tmp_path: Path) -> None:
    """Who acknowledges an acknowledgement is told nothing, and nothing of ours changes."""
    partners = wired(tmp_path)
    take(db, partners, interchange(message(sts("K1", "13", 0))))
    while claim := claims.claim(db, "speedy/files/acknowledgements", "here"):
        claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    about_it = contrl(1).replace(b"+GLOBEX:14+7'", b"+SPEEDY+7'")
    assert take(db, partners, about_it, "speedy/files").state is DocumentState.QUARANTINED


def test_an_unsent_file_cannot_have_been_received(db: Database, partners: Wired) -> None:
    """A number that is sealed but never was tried is no match."""
    [globex] = [each for each in partners.destinations if each.name == EDI]
    owe(db, partners, ["K1"])
    seal_due(db, globex, utc_now())
    assert take(db, partners, contrl(1), ACKS).state is DocumentState.QUARANTINED
    assert state(db) is DeliveryState.SEALED


def test_who_acknowledges_has_it(db: Database, partners: Wired) -> None:
    """A file whose delivery seemed to fail is not sent again once it is acknowledged."""
    [globex] = [each for each in partners.destinations if each.name == EDI]
    owe(db, partners, ["K1"])
    seal_due(db, globex, utc_now())
    claim = claims.claim(db, EDI, "here")
    assert claim is not None
    claims.finish_attempt(db, claim, Outcome.FAILED, "no answer", utc_now())
    take(db, partners, contrl(1), ACKS)
    assert state(db) is DeliveryState.ACKNOWLEDGED
    assert claims.claim(db, EDI, "here") is None


def test_aperak_counts_for_each_message(db: Database, partners: Wired) -> None:
    """It names the document number of one of ours; a rejection of one is not undone by the other's acceptance."""
    delivered(db, partners)
    take(db, partners, aperak("1-1", "ERC+12", "FTX+AAO+++UNKNOWN SHIPMENT", code="313", ref="C1"), ACKS)
    take(db, partners, aperak("1-2", ref="C2"), ACKS)
    assert state(db) is DeliveryState.REJECTED
    assert [(one.part, str(one.verdict), one.reasons) for one in statements.of_delivery(db, 1)] == [
        ("1", "rejected", ["12: UNKNOWN SHIPMENT"]),
        ("2", "accepted", []),
    ]


def test_reading_an_acknowledgement_again_changes_nothing(db: Database, partners: Wired) -> None:
    """It is said once, however often it is read."""
    delivered(db, partners)
    document = take(db, partners, contrl(1, "4"), ACKS)
    with db.write() as connection:
        inbox.reopen(connection, document.id)
    process_pending(db, partners.channels, partners.destinations)
    assert state(db) is DeliveryState.REJECTED
    assert len(statements.of_delivery(db, 1)) == 1
    assert remarks(db, document) == []


def test_a_missing_acknowledgement_is_an_alarm_until_it_comes(db: Database, partners: Wired) -> None:
    """Four hours after delivery by default."""
    delivered(db, partners, 2)
    soon, late = utc_now() + timedelta(hours=3), utc_now() + timedelta(hours=5)
    tell_overdue(db, partners.destinations, [], soon)
    assert alarms(db) == []
    tell_overdue(db, partners.destinations, [], late)
    [alarm] = alarms(db)
    assert (alarm.kind, alarm.subject) == (AlarmKind.OVERDUE, EDI)
    assert alarm.text.startswith("2 files lack their acknowledgement, the oldest is delivery 1 (globex_000001.edi)")
    take(db, partners, contrl(1), ACKS)
    take(db, partners, contrl(2, ref="C2"), ACKS)
    tell_overdue(db, partners.destinations, [], late)
    assert alarms(db) == []


@pytest.mark.parametrize(
    ("said", "expects", "end"),
    [
        ("ST*997*0001~AK1*QM*000000044~AK9*A*1*1*1~SE*4*0001~", "997", DeliveryState.ACKNOWLEDGED),
        ("ST*997*0001~AK1*QM*44~AK9*A*1*1*1~SE*4*0001~", "999", DeliveryState.ACKNOWLEDGED),
        ("ST*997*0001~AK1*HC*44~AK9*A*1*1*1~SE*4*0001~", "997", DeliveryState.DELIVERED),  # of claims, not of statuses
        ("ST*997*0001~AK1*QM*45~AK9*A*1*1*1~SE*4*0001~", "997", DeliveryState.DELIVERED),
        (
            "ST*997*0001~AK1*QM*44~AK2*214*0001~AK5*A~AK2*214*0002~AK5*R*5~AK9*P*2*2*1~SE*8*0001~",
            "997",
            DeliveryState.REJECTED,
        ),
        ("TA1*000000044*261012*0900*A*000~", "997", DeliveryState.DELIVERED),  # the envelope alone
        ("TA1*000000044*261012*0900*A*000~", "ta1", DeliveryState.ACKNOWLEDGED),
        ("TA1*000000044*261012*0900*R*024~", "997", DeliveryState.REJECTED),
    ],
)
def test_acknowledgements_in_x12(db: Database, tmp_path: Path, said: str, expects: str, end: DeliveryState) -> None:
    """By the number of the group or of the interchange, never by the acknowledgement's own."""
    partners = configured.wired(tmp_path / "config", customers__globex=customer().replace("edifact}\n", "x12}\n"))
    terms = Terms("X12 HUB:ZZ GLOBEX:ZZ", "HUB", "GLOBEX", expects, 3600)
    with db.write() as connection:
        enter(connection, EDI, "globex", 44, OutboundDocument("a.x12", b"ISA"), terms=terms)
    claim = claims.claim(db, EDI, "here")
    assert claim is not None
    claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    parties = "*ZZ*GLOBEX         *ZZ*HUB            "
    isa = f"ISA*00*          *00*          {parties}*261012*0900*U*00401*000000007*0*P*>~"
    group = said if said.startswith("TA1") else f"GS*FA*GLOBEX*HUB*20261012*0900*7*X*004010~{said}GE*1*7~"
    count = 0 if said.startswith("TA1") else 1
    take(db, partners, f"{isa}{group}IEA*{count}*000000007~".encode(), ACKS)
    assert state(db, claim.delivery_id) is end


def test_a_customers_channel_brings_acknowledgements_only(db: Database, partners: Wired) -> None:
    """A report in it is set aside, and makes no event of anybody's."""
    report = file("IFTSTA:D:01B:UN", ["BGM+23+R1+9", "CNI+1+K1", "STS+1+13"])
    document = take(db, partners, report, ACKS)
    assert (document.state, document.events_new) == (DocumentState.QUARANTINED, 0)
    assert remarks(db, document) == ["quarantine: a message of type IFTSTA"]


def test_the_ledger_tells_what_is_missing_and_what_became_of_the_rest(db: Database, partners: Wired) -> None:
    """Inbound gaps and repeats; outbound sent, acknowledged, rejected, overdue."""
    delivered(db, partners, 4)
    for number, action in ((1, "7"), (2, "4")):
        take(db, partners, contrl(number, action, ref=str(10 + 3 * number)), ACKS)
    take(db, partners, b" " + contrl(1, ref="13"), ACKS)
    [went] = ledger.outbound(db, "globex", utc_now() + timedelta(hours=5))
    assert (went.sent, went.acknowledged, went.rejected, went.overdue, went.missing) == (4, 1, [2], [3, 4], [])
    [came] = ledger.inbound(db, "globex")
    assert (came.accepted, came.duplicates, came.missing, came.repeated) == (2, 1, [(14, 15)], ["13"])


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([1, 2, 4, 7], [(3, 3), (5, 6)]),
        ([3, 1, 2], []),  # late is not missing
        ([99_998, 99_999, 1, 3], [(2, 2)]),  # the sequence began anew
        ([], []),
    ],
)
def test_gaps_are_what_never_came(numbers: list[int], gaps: list[tuple[int, int]]) -> None:
    """Whatever order the rest came in, and however often the numbers were used up."""
    assert ledger.missing(numbers) == gaps


def test_what_is_awaited_needs_a_way_to_come(tmp_path: Path) -> None:
    """A destination that expects acknowledgements of a customer without a channel is a mistake, with its place."""
    text = customer().partition("channels:")[0]
    with pytest.raises(ConfigError, match=r"globex\.yaml:\d+: acknowledgement: globex/edi expects contrl"):
        configured.wired(tmp_path / "config", customers__globex=text)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("[contrl, 997]", "expected those of one syntax"),
        ("['997', 999]", "expected one of them"),
        ("contrl, wen: always", "unknown key, did you mean 'when'"),
        ("contrl, file_name: a.edi", "the control number keeps a name from being used twice"),
        ("contrl, file_name: 'a{control}{customer}.edi'", "expected only {control}, {date}, {kind}, {partner}"),
    ],
)
def test_mistakes_in_what_is_sent_have_their_place(tmp_path: Path, options: str, problem: str) -> None:
    """As everywhere: file, line, what was found and what is expected."""
    with pytest.raises(ConfigError) as refused:
        configured.wired(tmp_path / "config", carriers__speedy=carrier(options))
    assert "speedy.yaml:8" in str(refused.value)
    assert problem in str(refused.value)
