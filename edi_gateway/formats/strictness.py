"""Strict mode: what is taken with a remark from others is set aside from this partner, with the same remark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, Final

from pydantic import Field

from edi_gateway.errors import DocumentError
from edi_gateway.model import Finding, Interchange, Level, Message, Position, Severity

Strict = Annotated[
    bool, Field(strict=True, description="true: what would be taken with a warning about its syntax is set aside")
]
_ADVICE: Final = "this partner is held to the letter (strict: true): ask the sender to send it anew without that"


def refused(finding: Finding) -> Finding:
    """A warning as the reason to set its part aside: place, words and code stay."""
    if finding.severity is Severity.QUARANTINE:
        return finding
    return replace(finding, severity=Severity.QUARANTINE, advice=_ADVICE)


def strict_message(message: Message) -> Message:
    """The message, set aside when anything but single events of it was remarked on."""
    if not message.findings:
        return message
    whole = any(finding.level is not Level.EVENT for finding in message.findings)
    return replace(message, body=None if whole else message.body, findings=tuple(map(refused, message.findings)))


def strictly(interchanges: Iterable[Interchange]) -> Iterator[Interchange]:
    """The interchanges, each set aside when its envelope was remarked on, else its messages as ``strict_message``."""
    for each in interchanges:
        messages = iter(()) if each.findings else map(strict_message, each.messages)
        yield replace(each, findings=tuple(map(refused, each.findings)), messages=messages)


def empty_file(content: bytes, expected: str, *, strict: bool) -> DocumentError:
    """What is said of a file that holds nothing: only a remark, since some partners send such files to show they live.

    One of NUL bytes has been something else, which was lost on its way.
    """
    at = Position()
    if b"\x00" in content:
        advice = "the file was lost on its way: ask the sender to send it again"
        return DocumentError(
            Finding(Severity.QUARANTINE, Level.DOCUMENT, at, "nothing but NUL bytes", expected, advice)
        )
    advice = "nothing to be read: a sign of life of some senders; if this one sends none, ask for the file anew"
    remark = Finding(Severity.WARNING, Level.DOCUMENT, at, "an empty file", expected, advice)
    return DocumentError(refused(remark) if strict else remark)
