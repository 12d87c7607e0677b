"""Whether a file has its end: asked before it is taken, so that no writer is overtaken."""

from __future__ import annotations

import time

import pytest

from edi_gateway.formats.edifact.format import Edifact

WHOLE = b"UNB+UNOC:3+SPEEDY+HUB+261012:0900+I12'UNH+1+IFTSTA:D:01B:UN'BGM+23'UNT+3+1'UNZ+1+I12'"
OTHER = b"UNA|*.! ~UNB*UNOC|3*SPEEDY*HUB*261012|0900*I13~UNH*1*IFTSTA|D|01B|UN~UNT*2*1~UNZ*1*I13~"
LINES = WHOLE.replace(b"UNB", b"UNA:+.? \nUNB").replace(b"'", b"\n")


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        WHOLE + b"\r\n \x1a" + bytes(512),
        b"\xef\xbb\xbf\r\n" + WHOLE.replace(b"'", b"'\r\n"),
        b"\n".join(WHOLE[at : at + 77] for at in range(0, len(WHOLE), 77)),
        WHOLE[:-1],
        WHOLE + OTHER,
        OTHER + b"\n" + WHOLE,
        LINES,
        LINES + b"\n",
        LINES[:-1],
        WHOLE.replace(b"BGM+23'", b"BGM+23??'"),
        WHOLE.replace(b"BGM+23'", b"FTX+" + b"UNB " * 2_000_000 + b"'"),
    ],
    ids=[
        *(
            "plain",
            "padded",
            "line breaks",
            "wrapped",
            "without the last terminator",
            "a UNA of its own",
            "two of them",
        ),
        *("by line", "blank line", "last line open", "released release", "large"),
    ],
)
def test_a_file_that_ends_with_unz_is_complete(content: bytes) -> None:
    """Whatever its delimiters, line breaks, padding and number of interchanges."""
    assert Edifact().is_complete(content)


@pytest.mark.parametrize("content", [WHOLE, WHOLE.replace(b"'", b"'\r\n"), OTHER, LINES])
def test_a_file_cut_off_anywhere_is_not(content: bytes) -> None:
    """No cut before the reference in UNZ is at its end is taken for a finished file."""
    reference = max(content.rfind(b"I12"), content.rfind(b"I13"))
    assert [] == [at for at in range(reference + 3) if Edifact().is_complete(content[:at])]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \r\n\x00\x1a",
        b"<html>504 Gateway Timeout</html>",
        WHOLE + OTHER[:40],
        WHOLE + b"UNB+UNOC:3+SPEEDY",
        WHOLE.replace(b"UNT+3+1'", b"FTX+?'"),
        b"UNA|*.! ~UNB*UNOC|3*SPEEDY*HUB*261012|0900*I13~FTX*'UNZ+1+I13'",
    ],
    ids=["empty", "blank", "not EDIFACT", "a second one begun", "its header begun", "released", "of other delimiters"],
)
def test_what_lacks_its_end_is_not_complete(content: bytes) -> None:
    """Nothing at all, a second interchange without its UNZ, and a UNZ that is data."""
    assert not Edifact().is_complete(content)


def test_the_end_of_a_large_file_is_found_at_once() -> None:
    """A hundred megabytes are judged while nobody notices."""
    content = WHOLE.replace(b"BGM+23'", b"BGM+23'" * 15_000_000)
    begun = time.monotonic()
    assert Edifact().is_complete(content)
    assert not Edifact().is_complete(content[:-9])
    assert time.monotonic() - begun < 2
