"""Whether an X12 file has its end: asked before it is taken, so that no writer is overtaken."""

from __future__ import annotations

import time

import pytest

from edi_gateway.formats.x12.format import X12
from tests.unit.formats.x12 import BODY, group, interchange, sample, transaction

WHOLE = sample()
OTHER = sample("\n").replace(b"*", b"|")


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        WHOLE + b"\r\n \x1a" + bytes(512),
        b"\xef\xbb\xbf\r\n" + sample("~\r\n"),
        b"\n".join(WHOLE[at : at + 80] for at in range(0, len(WHOLE), 80)),
        WHOLE[:-1],
        sample("\x05"),
        sample("~").replace(b"~", "…".encode()),
        WHOLE + OTHER,
        OTHER + WHOLE,
        OTHER,
        OTHER + b"\n",
        OTHER[:-1],
        interchange(group(transaction(*BODY)), ["TA1*000000007*260101*1200*A*000"]),
        WHOLE.replace(b"L11*PO55", b"L11*" + b"ISA " * 2_000_000),
    ],
)
def test_a_file_that_ends_with_iea_is_complete(content: bytes) -> None:
    """Whatever its delimiters, line breaks, padding and number of interchanges."""
    assert X12().is_complete(content)


@pytest.mark.parametrize("content", [WHOLE, sample("~\r\n"), OTHER, sample("\x05")])
def test_a_file_cut_off_anywhere_is_not(content: bytes) -> None:
    """No cut before the control number in IEA is at its end is taken for a finished file."""
    number = content.rfind(b"000000042")
    assert [] == [at for at in range(number + 8) if X12().is_complete(content[:at])]


@pytest.mark.parametrize(
    "content",
    [b"", b" \r\n\x00", b"<html>504</html>", WHOLE + OTHER[:60], WHOLE + b"\n" + WHOLE[:120], WHOLE[:-17] + b"SE*1*1~"],
)
def test_what_lacks_its_end_is_not_complete(content: bytes) -> None:
    """Nothing at all, or a second interchange without its IEA."""
    assert not X12().is_complete(content)


def test_the_end_of_a_large_file_is_found_at_once() -> None:
    """A hundred megabytes are judged while nobody notices."""
    content = WHOLE.replace(b"L11*PO55*PO~", b"L11*PO55*PO~" * 9_000_000)
    begun = time.monotonic()
    assert X12().is_complete(content)
    assert not X12().is_complete(content[:-18])
    assert time.monotonic() - begun < 2
