"""What carriers really send: twins of files from the field, read by the standard mappings from bytes to events.

Each row says what is taken silently, taken with a warning, or set aside, at which level, with which code and where.
What depends on what came before stands elsewhere: repeated references in test_repeats, files that are still being
written in test_half_written_files, the order of reports in test_process.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pytest

from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.x12.format import X12
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import Finding, TrackingEvent
from edi_gateway.pipeline.reading import read
from tests.configured import MAPPINGS
from tests.unit.formats import edi, x12

NOW: Final = datetime(2026, 1, 4, tzinfo=UTC)
LIBRARY: Final = Library([MAPPINGS])
DTM: Final = "DTM+334:202601020815:203"
LX: Final = ("B10*SP4711*LD88*SPDY", "LX*1")
MS1: Final = "MS1*DALLAS*TX*US"
W, Q, IC, M, E, D = "warning", "quarantine", "interchange", "message", "event", "document"

Row = tuple[bytes, str, list[tuple[str, ...]]]


def iftsta(*body: str, count: int | None = None, **envelope: Any) -> bytes:
    """An interchange of one message."""
    return edi.interchange(edi.message(*(body or edi.BODY), count=count), **envelope)


def status(*below: str, sts: str = "STS+1+21", cni: str = "CNI+1+K77", **envelope: Any) -> bytes:
    """An interchange of one status."""
    return iftsta("BGM+23+RPT7+9", cni, sts, *(below or (DTM,)), **envelope)


def x214(*body: str, count: int | None = None, **envelope: Any) -> bytes:
    """An interchange of one set."""
    return x12.interchange(x12.group(x12.transaction(*(body or x12.BODY), count=count)), **envelope)


def at7(text: str) -> bytes:
    """An interchange of one status."""
    return x214(*LX, text, MS1)


def wrapped(content: bytes) -> bytes:
    """Broken into lines of 80 characters, wherever that falls."""
    return b"\r\n".join(content[at : at + 80] for at in range(0, len(content), 80))


ONE: Final = "DELIVERED 02T08:15"
SOUND: Final = iftsta()
SOUND_X12: Final = x214()
EDIFACT: Final[dict[str, Row]] = {
    "1 a byte order mark and blanks": (b"\xef\xbb\xbf \r\n" + SOUND, ONE, []),
    "1 a banner": (b"MAILBOX 17\n" + SOUND, ONE, [(W, IC, "", "")]),
    "1 more than a banner": (b"x" * 1100 + SOUND, "", [(Q, D, "", "")]),
    "2 line breaks behind terminators, of either kind": (
        SOUND.replace(b"'", b"'\r\n", 3).replace(b"'D", b"'\nD"), ONE, [],
    ),
    "2 line breaks instead of terminators": (iftsta(una="UNA:+.? \n", after="\n"), ONE, []),
    "3 lines wrapped at 80 characters": (wrapped(SOUND), ONE, [(W, IC, "21", "UNZ"), (W, M, "21", "UNH")]),
    "7 another reference in UNZ": (iftsta(trailer="UNZ+1+REF2"), "", [(Q, IC, "28", "UNZ")]),
    "8 another count in UNT": (iftsta(count=18), ONE, [(W, M, "29", "UNT")]),
    "8 another count and reference in UNT": (
        SOUND.replace(b"UNT+6+M1", b"UNT+18+M9"), "", [(Q, M, "28", "UNT"), (W, M, "29", "UNT")],
    ),
    "9 no UNZ": (SOUND.partition(b"UNZ")[0], "", [(Q, IC, "13", "UNZ")]),
    "10 two interchanges": (SOUND + SOUND.replace(b"REF1", b"REF2"), f"{ONE} {ONE}", []),
    "10 an empty file": (b"", "", [(W, D, "", "")]),
    "10 X12 behind it": (SOUND + SOUND_X12, ONE, [(Q, IC, "33", "")]),
    "12 no UNA, or one with a decimal comma": (
        SOUND + status(una="UNA:+,? '").replace(b"REF1", b"REF2"), f"{ONE} {ONE}", [],
    ),
    "12 an unreleased separator in text": (status(DTM, "FTX+AAI+++A+B+C+D"), ONE, [(W, M, "16", "FTX")]),
    "12 an unreleased separator in a number": (status("RFF+CN:K7+7", DTM), "", [(Q, M, "16", "RFF")]),
    "13 bytes beyond the declared charset": (
        status(DTM, "LOC+14+:::K\xf8ge", header=edi.UNB.replace("UNOC", "UNOA")), ONE, [(W, M, "21", "LOC")],
    ),
    "13 saved anew as UTF-8": (status(DTM, "LOC+14+:::K\xc3\xb8ge"), ONE, [(W, M, "21", "LOC")]),
    "14 a date of eight digits in UNB": (
        iftsta(header=edi.UNB.replace("260102", "20260102")), ONE, [(W, IC, "12", "UNB")],
    ),
    "14 a date that is none in UNB": (iftsta(header=edi.UNB.replace("260102", "202502")), ONE, [(W, IC, "12", "UNB")]),
    "15 a date where the format says time": (status("DTM+334:20260102:203"), "DELIVERED 02", [(W, E, "", "DTM")]),
    "15 the 48th month": (status("DTM+334:20264802:102"), "", [(Q, E, "12", "DTM")]),
    "15 the year 2099": (status("DTM+334:209901020815:203"), "", [(Q, E, "12", "DTM")]),
    "16 midnight is a time in EDIFACT": (status("DTM+334:202601020000:203"), "DELIVERED 02T00:00", []),
    "16 24:00": (status("DTM+334:202601012400:203"), "DELIVERED 02T00:00", [(W, E, "", "DTM")]),
    "18 a code of a private list": (status(sts="STS+1+VD::22"), "UNKNOWN 02T08:15", [(W, E, "", "STS")]),
    "18 a word for a code": (status(sts="STS+1+DELIVERED"), "UNKNOWN 02T08:15", [(W, E, "", "STS")]),
    "18 a category only": (status(sts="STS+1"), "", [(Q, E, "13", "STS")]),
    "18 the code in the wrong composite": (status(sts="STS+1:D2:21"), "", [(Q, E, "13", "STS")]),
    "19 time and place before the status": (
        iftsta("BGM+23+R+9", "CNI+1+K77", DTM, "STS+1+21"), ONE, [(W, M, "15", "DTM")],
    ),
    "19 a reference behind the equipment": (status(DTM, "EQD+CN+ABCU1234567", "RFF+CN:K77", cni="CNI+1"), ONE, []),
    "19 no tracking number at all": (status(cni="CNI+1"), "", [(Q, E, "13", "STS")]),
    "20 separators at the end": (iftsta(header=edi.UNB + "++++"), ONE, []),
    "20 references padded with zeros": (SOUND.replace(b"+REF1+", b"+00042+").replace(b"REF1", b"42"), ONE, []),
    "21 the test indicator": (iftsta(header=f"{edi.UNB}++++1"), "", [(Q, IC, "25", "")]),
}  # fmt: skip
OF_X12: Final[dict[str, Row]] = {
    "1 a byte order mark and blanks": (b"\xef\xbb\xbf \r\n" + SOUND_X12, ONE, []),
    "1 a banner": (b"MAILBOX 17\n" + SOUND_X12, ONE, [(W, IC, "", "")]),
    "1 more than a banner": (b"x" * 1100 + SOUND_X12, "", [(Q, D, "022", "")]),
    "2 line feeds are the terminator": (x214(after="\n"), ONE, []),
    "2 line breaks behind some terminators": (SOUND_X12.replace(b"~", b"~\r\n", 3), ONE, []),
    "3 lines wrapped at 80 characters": (wrapped(SOUND_X12), ONE, [(W, IC, "022", "ISA"), (W, M, "5", "ST")]),
    "4 a control character as terminator": (x214(after="\x05"), ONE, []),
    "4 a terminator of several bytes": (SOUND_X12.replace(b"~", "…".encode()), ONE, [(W, IC, "004", "ISA")]),
    "5 an ISA that lost its blanks and zeros": (
        SOUND_X12.replace(b"          *", b" *").replace(b"*000000042*0", b"*42*0"), ONE, [(W, IC, "022", "ISA")],
    ),
    "6 no repetition separator in a version that has one": (
        x214(header=x12.isa(version="00604")), ONE, [(W, IC, "032", "ISA")],
    ),
    "7 another number in IEA": (x214(trailer="IEA*1*000000000"), "", [(Q, IC, "001", "IEA")]),
    "8 another count in SE": (x214(count=104), ONE, [(W, M, "4", "SE")]),
    "8 another count and number in SE": (
        SOUND_X12.replace(b"SE*7*0001", b"SE*104*0009"), "", [(Q, M, "3", "SE"), (W, M, "4", "SE")],
    ),
    "9 no GE and IEA": (SOUND_X12.partition(b"GE*")[0], "", [(Q, IC, "023", "")]),
    "10 two interchanges": (SOUND_X12 + SOUND_X12.replace(b"000000042", b"000000043"), f"{ONE} {ONE}", []),
    "10 an empty file": (b"\r\n", "", [(W, D, "", "")]),
    "10 EDIFACT behind it": (SOUND_X12 + SOUND, ONE, [(Q, IC, "022", "")]),
    "13 bytes that are not UTF-8": (
        at7("AT7*D1*NS***20260102*0815*CT").replace(b"DALLAS", b"K\xf8ge"), ONE, [(W, M, "6", "MS1")],
    ),
    "14 a date that is none in ISA": (
        SOUND_X12.replace(b"*260102*0930*U", b"*261302*0930*U"), ONE, [(W, IC, "014", "ISA")],
    ),
    "15 the 13th month": (at7("AT7*D1*NS***20261302*0815*CT"), "", [(Q, E, "8", "AT7")]),
    "16 zones by season, by offset, and of the place": (
        x214(*LX, *(f"AT7*D1*NS***20260102*{each}" for each in ("0915*ET", "0915*ES", "0815*LT", "0815*CT"))),
        f"DELIVERED 02T09:15 DELIVERED 02T09:15 {ONE} {ONE}",
        [],
    ),
    "16 no time code": (at7("AT7*D1*NS***20260102*0815"), ONE, []),
    "16 seconds and hundredths": (at7("AT7***AA*NA*20260102*08150000*CT"), "PENDING 02T08:15", []),
    "16 0000 is no time": (at7("AT7*D1*NS***20260102*0000*CT"), "DELIVERED 02", [(W, E, "", "AT7")]),
    "16 2400 is no time": (at7("AT7*D1*NS***20260102*2400*CT"), "DELIVERED 02", [(W, E, "", "AT7")]),
    "17 empty elements are missing": (at7("AT7*X6*NS*20260102*1230"), "", [(Q, E, "7", "AT7")]),
    "17 blanks are nothing": (at7("AT7*D1*NS*  *  *20260102*0815*CT"), ONE, []),
    "18 a code nobody knows": (at7("AT7*QQ*NS***20260102*0815*CT"), "UNKNOWN 02T08:15", [(W, E, "", "AT7")]),
    "19 a status without its loop": (
        x214("B10*SP4711*LD88*SPDY", "AT7*D1*NS***20260102*0815*CT", MS1), ONE, [(W, M, "2", "AT7")],
    ),
    "19 a status behind the weight": (x214(*LX, "AT8*G*L*10*1", "AT7*D1*NS***20260102*0815*CT"), ONE, []),
    "19 no tracking number at all": (
        x214("B10***SPDY", "LX*1", "AT7*D1*NS***20260102*0815*CT"), "", [(Q, E, "1", "AT7")],
    ),
    "20 blanks behind a number": (x214("B10*SP4711              *LD88*SPDY", *x12.BODY[1:]), ONE, []),
    "20 a qualifier without its value": (
        x214("B10*SP4711*LD88*SPDY", "L11**BM", *x12.BODY[2:]), ONE, [(W, M, "2", "L11")],
    ),
    "20 numbers padded with zeros": (
        SOUND_X12.replace(b"*0930*17*", b"*0930*00017*").replace(b"*000000042~", b"*42~"), ONE, [],
    ),
    "21 the test indicator": (x214(header=x12.isa(usage="T")), "", [(Q, IC, "25", "")]),
}  # fmt: skip


class Said(NamedTuple):
    """What came of a file."""

    events: list[TrackingEvent]
    findings: list[Finding]


def said(content: bytes, mapping: str, timezone: str, syntax: Any = None) -> Said:
    """What the standard mapping reads from it."""
    partner = Partner("speedy", timezone)
    format_ = syntax or LIBRARY.format(mapping)
    readings = list(read(content, format_, LIBRARY.reader(mapping), partner, NOW, accept_test=False))
    events = [event for reading in readings if reading.said for event in reading.said.events]
    return Said(events, [finding for reading in readings for finding in reading.findings])


def told(found: Said) -> str:
    """Status, day and local time of each event."""
    return " ".join(
        f"{event.status} {event.occurred_at:{'%d' if event.date_only else '%dT%H:%M'}}" for event in found.events
    )


def noticed(found: Said) -> list[tuple[str, ...]]:
    return [(str(each.severity), str(each.level), each.code, each.at.tag) for each in found.findings]


@pytest.mark.parametrize(("content", "events", "findings"), EDIFACT.values(), ids=EDIFACT)
def test_a_malformation_of_edifact(content: bytes, events: str, findings: list[tuple[str, ...]]) -> None:
    """Is taken, taken with a warning, or set aside; and nothing else is said of it."""
    found = said(content, "standard/iftsta", "Europe/Berlin")
    assert (told(found), noticed(found)) == (events, findings)
    assert {event.tracking_number for event in found.events} <= {"K77"}


@pytest.mark.parametrize(("content", "events", "findings"), OF_X12.values(), ids=OF_X12)
def test_a_malformation_of_x12(content: bytes, events: str, findings: list[tuple[str, ...]]) -> None:
    """Is taken, taken with a warning, or set aside; and nothing else is said of it."""
    found = said(content, "standard/x12-214", "America/Chicago")
    assert (told(found), noticed(found)) == (events, findings)
    assert {event.tracking_number for event in found.events} <= {"SP4711"}


def test_without_any_zone_a_time_is_a_warning() -> None:
    """In either syntax; the time is taken as UTC."""
    for found in (said(SOUND, "standard/iftsta", ""), said(at7("AT7*D1*NS***20260102*0815"), "standard/x12-214", "")):
        assert told(found) == ONE
        [warning] = found.findings
        assert "time zone" in warning.expected


SWITCHES: Final[dict[str, tuple[bytes, Any, list[tuple[str, ...]]]]] = {
    "7 control references that differ, EDIFACT": (
        EDIFACT["7 another reference in UNZ"][0], Edifact(control_references="warn"), [(W, IC, "28", "UNZ")],
    ),
    "7 control references that differ, X12": (
        OF_X12["7 another number in IEA"][0], X12(control_references="warn"), [(W, IC, "001", "IEA")],
    ),
    "9 what is whole of a file cut short, EDIFACT": (
        EDIFACT["9 no UNZ"][0], Edifact(salvage=True), [(W, IC, "13", "UNZ")],
    ),
    "9 what is whole of a file cut short, X12": (OF_X12["9 no GE and IEA"][0], X12(salvage=True), [(W, IC, "023", "")]),
    "13 a charset known from elsewhere": (
        EDIFACT["13 bytes beyond the declared charset"][0], Edifact(charset="cp1252"), [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "syntax", "findings"), SWITCHES.values(), ids=SWITCHES)
def test_a_partner_may_be_given_leave(content: bytes, syntax: Any, findings: list[tuple[str, ...]]) -> None:
    """Where a malformation has a switch, its interchange is read, with the reference of its header and a warning."""
    mapping = "standard/iftsta" if isinstance(syntax, Edifact) else "standard/x12-214"
    found = said(content, mapping, "Europe/Berlin", syntax)
    assert (len(found.events), noticed(found)) == (1, findings)
    assert found.events[0].provenance.interchange in {"REF1", "000000042"}


def test_what_is_for_somebody_else_is_set_aside_where_the_channel_says_whom_it_is_for() -> None:
    """By the recipient, and by the sender."""
    for_us = Edifact(senders=["CARRIER:ZZZ"], recipients=["HUB:14"])
    assert told(said(SOUND, "standard/iftsta", "Europe/Berlin", for_us)) == ONE
    elsewhere = said(SOUND.replace(b"HUB:14", b"HUB9:14"), "standard/iftsta", "Europe/Berlin", for_us)
    assert noticed(elsewhere) == [(Q, IC, "7", "UNB")]
    stranger = said(SOUND_X12.replace(b"*SPDY      ", b"*SPDX      "), "standard/x12-214", "", X12(senders=["SPDY"]))
    assert noticed(stranger) == [(Q, IC, "006", "ISA")]
