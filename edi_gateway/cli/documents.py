"""``edi-gateway documents``: every file that arrived, and what became of it."""

from __future__ import annotations

import sys
from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.quarantine import reopen
from edi_gateway.cli.settings import Settings
from edi_gateway.pipeline.views import utc
from edi_gateway.store import findings, inbox, interchanges
from edi_gateway.store.tables import Document, DocumentState, Interchange

_SHOWN = ("number", "control_ref", "sender", "recipient", "prepared_at", "state", "repeats")
_NOTICED = ("id", "severity", "state", "at", "found", "expected", "code")
documents = typer.Typer(no_args_is_help=True, help="Every file that arrived, and what became of it.")


@documents.command("list")
def list_documents(
    context: typer.Context,
    carrier: str = typer.Option("", help="only of this carrier"),
    channel: str = typer.Option("", help="only of this channel, as carrier/channel"),
    state: DocumentState | None = typer.Option(None, help="only in this state"),
    limit: int = typer.Option(100, help="at most so many"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Documents, newest first."""
    settings: Settings = context.obj
    with settings.database() as db:
        found = inbox.documents(db, carrier=carrier or None, channel=channel or None, state=state, limit=limit)
    columns = ("id", "channel", "name", "size", "received_at", "state", "events_new", "events_duplicate", "findings")
    show([_row(document) for document in found], as_json=as_json, empty="No document arrived yet.", columns=columns)


@documents.command("show")
def show_document(
    context: typer.Context,
    number: int,
    raw: bool = typer.Option(False, help="write the bytes as they came to standard output"),
    opened: bool = typer.Option(False, help="write them decrypted and unpacked, as they are read"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """One document with its interchanges and everything that was noticed in it."""
    settings: Settings = context.obj
    with settings.database() as db:
        document = inbox.document(db, number)
        if raw or opened:
            content = inbox.load(db, document.digest)
            sys.stdout.buffer.write(settings.opened(content, document.channel) if opened else content)
            return
        noticed = [
            {
                "id": finding.id,
                "severity": str(finding.severity),
                "state": str(finding.state),
                "at": str(findings.position(finding)),
                "found": finding.found,
                "expected": finding.expected,
                "advice": finding.advice,
                "code": finding.code,
            }
            for finding in findings.of_document(db, number)
        ]
        held = [_interchange_row(interchange) for interchange in interchanges.of_document(db, number)]
    if as_json:
        print_json(_row(document) | {"interchanges": held, "noticed": noticed})
        return
    for key, value in _row(document).items():
        console.print(f"[bold]{key:<17}[/] {text(value)}")
    console.print()
    show(held, as_json=False, empty="No interchange was read in it.", columns=_SHOWN)
    console.print()
    show(noticed, as_json=False, empty="Nothing was noticed in it.", columns=_NOTICED)


@documents.command("retry")
def retry_document(context: typer.Context, number: int) -> None:
    """Read a document again with today's mapping; what was read before is recognised."""
    settings: Settings = context.obj
    with settings.database() as db:
        reopen(db, [number])


def _interchange_row(interchange: Interchange) -> dict[str, Any]:
    return {
        "number": interchange.number,
        "control_ref": interchange.control_ref,
        "sender": interchange.sender,
        "recipient": interchange.recipient,
        "test": interchange.test,
        "prepared_at": utc(interchange.prepared_at),
        "digest": interchange.digest,
        "state": str(interchange.state),
        "repeats": interchange.repeats,
    }


def _row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "channel": document.channel,
        "name": document.name,
        "size": document.size,
        "digest": document.digest,
        "received_at": utc(document.received_at),
        "processed_at": utc(document.processed_at),
        "state": str(document.state),
        "duplicate_of": document.duplicate_of,
        "messages": document.messages,
        "events_new": document.events_new,
        "events_duplicate": document.events_duplicate,
        "events_retracted": document.events_retracted,
        "events_unmapped": document.events_unmapped,
        "findings": document.findings,
        "error": document.error,
    }
