"""The X12 encoder: identities, control numbers, delimiters, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from edi_gateway.errors import RefusedError
from edi_gateway.formats.x12.output import X12Output
from edi_gateway.model import OutboundMessage, OutboundSegment
from tests.unit.formats.edi import outbound

NOW = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
OPTIONS: dict[str, Any] = {"sender": "HUB:12", "recipient": "CUSTOMER"}


def output(**options: Any) -> X12Output:
    """An encoder with what a test does not care about."""
    return X12Output.model_validate({**OPTIONS, **options})


def status(text: str = "NASHVILLE", tag: str = "MS1") -> OutboundMessage:
    """A set with one status."""
    body = OutboundSegment("ST", [], [
        outbound("LX", ["1"], [outbound("AT7", ["D1", "NS", "", "", "20260102"], [outbound(tag, [text, "TN"])])]),
        outbound("B10", ["K77", "", "SPDY"]),
    ])  # fmt: skip
    return OutboundMessage("1", body)


def test_one_control_number_is_that_of_interchange_and_group() -> None:
    """ISA13 with nine digits, GS06 with as many as it has; sets are numbered in their group; segments in order."""
    text = output().encode("42", NOW, [status(), status()]).decode()
    assert text == (
        f"ISA*00*{'':10}*00*{'':10}*12*HUB{'':12}*ZZ*CUSTOMER{'':7}*260102*0930*U*00401*000000042*0*P*>~"
        "GS*QM*HUB*CUSTOMER*20260102*0930*42*X*004010~"
        "ST*214*0001~B10*K77**SPDY~LX*1~AT7*D1*NS***20260102~MS1*NASHVILLE*TN~SE*6*0001~"
        "ST*214*0002~B10*K77**SPDY~LX*1~AT7*D1*NS***20260102~MS1*NASHVILLE*TN~SE*6*0002~"
        "GE*2*42~IEA*1*000000042~"
    )


def test_the_customer_decides_version_marks_and_identities() -> None:
    """Version of group and envelope, repetition separator, usage indicator, line breaks, codes of the applications."""
    options = {"version": "005010", "test": True, "request_ta1": True, "element": "|", "terminator": "'",
               "component": ":", "repetition": "^", "line_breaks": "crlf", "group_sender": "APP1",
               "group_recipient": "APP2"}  # fmt: skip
    lines = output(**options).encode("7", NOW, [status()]).decode().split("'\r\n")
    assert lines[0].endswith("|260102|0930|^|00501|000000007|1|T|:")
    assert lines[1] == "GS|QM|APP1|APP2|20260102|0930|7|X|005010"
    assert len(lines[0]) + 1 == 106


def test_a_delimiter_within_text_is_refused_or_replaced() -> None:
    """As any other character the interchange cannot carry; nothing is replaced in silence."""
    for text in ("A*B", "A~B", "A>B", "A\nB", "CAFÉ"):
        with pytest.raises(RefusedError, match="MS1, element 1: found"):
            output().encode("1", NOW, [status(text)])
    assert output().replace("A*B~C>D\nCAFÉ") == "A B C D CAFE"
    assert b"CAF\xc9" in output(charset="iso8859-1").encode("1", NOW, [status("CAFÉ")])
    assert output(version="005010").replace("A^B") == "A B"
    assert output().replace("A^B") == "A^B"


def test_a_place_without_its_city_is_not_written() -> None:
    """MS1 must have a city where it has a state."""
    assert b"MS1" not in output().encode("1", NOW, [status("")])


@pytest.mark.parametrize(
    ("message", "said"),
    [(status(tag="K1"), "214 004010 has no K1 below ST/LX/AT7"), (status(tag="N1"), "has no N1 below ST/LX/AT7")],
)
def test_what_the_version_has_no_place_for_is_refused(message: OutboundMessage, said: str) -> None:
    """The guide of the version decides."""
    with pytest.raises(RefusedError, match=said):
        output().encode("1", NOW, [message])


def test_a_control_number_has_nine_digits() -> None:
    """More do not fit into ISA13; the configuration stops before that."""
    assert output().largest_control == 999_999_999
    with pytest.raises(RefusedError, match="at most nine digits"):
        output().encode("1000000000", NOW, [status()])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sender": "X" * 16}, "at most 15 and 2 characters"),
        ({"sender": "HUB:ZZZ"}, "at most 15 and 2 characters"),
        ({"recipient": "A*B"}, "holds a delimiter"),
        ({"element": "~"}, "must differ"),
        ({"terminator": "A"}, "no letter"),
        ({"version": "4010"}, "six digits"),
        ({"message": "850"}, "214"),
    ],
)
def test_options_are_checked_when_they_are_read(options: dict[str, Any], said: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValidationError, match=said):
        output(**options)
