"""What a customer received, read by pydifact: another reader than the one under test."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path

from pydifact.segmentcollection import Interchange, Message
from pydifact.segments import Segment

from tests.acceptance.scenario import Fact


def facts(mailbox: Path) -> Counter[Fact]:
    """Every fact in every file, reports counted up and cancellations down; no envelope may be unsound."""
    found: Counter[Fact] = Counter()
    for path in sorted(mailbox.glob("*.edi")):
        text = path.read_text(encoding="latin-1")
        _check_counts(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydifact looks for dictionaries its wheel does not bring
            for message in Interchange.from_str(text).get_messages():
                _count(message, found)
    return found


def control_numbers(mailbox: Path) -> list[int]:
    """The interchange control references in order."""
    texts = [path.read_text(encoding="latin-1") for path in mailbox.glob("*.edi")]
    return sorted(int(re.findall(r"UNZ\+\d+\+(\d+)'", text)[0]) for text in texts)


def _check_counts(text: str) -> None:
    """UNB and UNZ name the same reference, UNZ and every UNT count right."""
    ((reference, messages, again),) = re.findall(r"'UNB\+[^']*\+(\d+)'.*UNZ\+(\d+)\+(\d+)'$", text, re.DOTALL)
    bodies = re.findall(r"UNH\+(\w+)\+.*?UNT\+(\d+)\+(\w+)'", text, re.DOTALL)
    assert (reference, int(messages)) == (again, len(bodies))
    for body, (head, count, tail) in zip(text.split("UNH+")[1:], bodies, strict=True):
        message = body.partition("UNT+")[0]
        assert head == tail
        assert int(count) == len(re.findall(r"(?<!\?)'", message)) + 1


def _count(message: Message, found: Counter[Fact]) -> None:
    number, code, sign = "", "", 0
    for segment in message.segments:
        if segment.tag == "BGM":
            sign = {"9": 1, "1": -1}[_text(segment, 2)]
        elif segment.tag == "CNI":
            number = _text(segment, 1)
        elif segment.tag == "STS":
            code = _text(segment, 1)
        elif segment.tag == "DTM" and number:
            qualifier, when = segment.elements[0][:2]
            found[Fact(number, code, qualifier, when)] += sign


def _text(segment: Segment, element: int) -> str:
    value = segment.elements[element]
    return str(value[0] if isinstance(value, list) else value)
