"""Events and findings as plain JSON objects: what ``translate`` prints and what golden samples hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from edi_gateway.acknowledgements import Statement
from edi_gateway.model import Finding, MessageFunction, Position, TrackingEvent
from edi_gateway.pipeline.reading import Reading
from edi_gateway.store.tables import Endpoint
from edi_gateway.store.waiting import Stranded

Json = dict[str, Any]


def lines(readings: Iterable[Reading]) -> Iterator[Json]:
    """One object per event, quarantine and warning, in the order of the document."""
    for reading in readings:
        yield from (finding_view(finding) for finding in reading.findings)
        if reading.said is not None:
            function = reading.said.function
            yield from (event_view(event, function) for event in reading.said.events)
        yield from (statement_view(said.statement) for said in reading.states)


def event_view(event: TrackingEvent, function: MessageFunction | None = None) -> Json:
    """A tracking event; ``function`` is left out where the message it came in does not matter."""
    return {
        "kind": "event",
        "carrier": event.carrier,
        "tracking_number": event.tracking_number,
        "piece": event.piece,
        "status": str(event.status),
        "reason": event.reason,
        "mapped": event.mapped,
        "classifier": str(event.classifier),
        "direction": str(event.direction),
        **({"function": str(function)} if function else {}),
        "raw_code": event.raw_code,
        "code_list": event.code_list,
        "code_agency": event.code_agency,
        "raw_reason": event.raw_reason,
        "text": event.text,
        "occurred_at": utc(event.occurred_at),
        "occurred_at_local": event.occurred_at.isoformat(),
        "date_only": event.date_only,
        "time_basis": str(event.time_basis),
        "location": {
            "name": event.location.name,
            "unlocode": event.location.unlocode,
            "country": event.location.country,
        },
        "account": event.account,
        "signatory": event.signatory,
        "references": {qualifier: list(values) for qualifier, values in event.references.items()},
        "provenance": {
            "interchange": event.provenance.interchange,
            "message": event.provenance.message,
            "document_number": event.provenance.document_number,
            "segment": event.provenance.segment,
            "start": event.provenance.start,
            "end": event.provenance.end,
            "mapping": event.provenance.mapping,
            "mapping_version": event.provenance.mapping_version,
            "rule": event.provenance.rule,
        },
    }


def statement_view(said: Statement) -> Json:
    """What an acknowledgement says of an interchange, or of one message of it."""
    return {
        "kind": "acknowledgement",
        "type": said.kind.upper(),
        "verdict": str(said.verdict),
        "about": said.reference,
        "sender": said.sender,
        "recipient": said.recipient,
        "message": said.part,
        "reasons": list(said.reasons),
    }


def finding_view(finding: Finding) -> Json:
    """A warning or a quarantine with its place, what stood there, and what belongs there."""
    return {
        "kind": str(finding.severity),
        "level": str(finding.level),
        "at": str(finding.at),
        "found": finding.found,
        "expected": finding.expected,
        "advice": finding.advice,
        "code": finding.code,
        "position": position_view(finding.at),
    }


def position_view(at: Position) -> Json:
    """A place in a document, counted from 1; byte offsets from 0."""
    return {
        "interchange": at.interchange,
        "message": at.message,
        "segment": at.segment,
        "tag": at.tag,
        "element": at.element,
        "component": at.component,
        "start": at.start,
        "end": at.end,
    }


def stranded_line(found: Stranded) -> str:
    """What waits for a partner that is not there, in one sentence."""
    files = "documents" if found.kind == "channel" else "files"
    counts = ((found.events, "events"), (found.files, files))
    waiting = " and ".join(f"{count:,} {what}" for count, what in counts if count)
    return (
        f"{waiting} wait for {found.kind} {found.name}, which is not configured: bring it back under this name, or"
        " switch it on"
    )


def utc(when: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def standing_of(endpoint: Endpoint, now: datetime) -> str:
    """How a destination is doing, in a word: works, failing, probed, paused or disabled."""
    if endpoint.disabled_at:
        return "disabled"
    if endpoint.paused_until and endpoint.paused_until > now:
        return "paused"
    if endpoint.probe_at:
        return "probed"
    return "failing" if endpoint.failures else "works"
