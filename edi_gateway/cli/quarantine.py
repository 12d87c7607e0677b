"""``edi-gateway quarantine``: what was set aside, why, and what became of it."""

from __future__ import annotations

from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.pipeline.views import utc
from edi_gateway.store import findings, inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import FindingRow, FindingState

_ALL = 1_000_000_000
_CONTEXT = 60  # bytes of the document shown on each side of the place

quarantine = typer.Typer(no_args_is_help=True, help="What was set aside, why, and what became of it.")


@quarantine.command("list")
def list_quarantine(
    context: typer.Context,
    state: FindingState = typer.Option(FindingState.OPEN, help="open, ignored or resolved"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Everything in quarantine, newest first."""
    settings: Settings = context.obj
    with settings.database() as db:
        rows = [_row(finding) for finding in findings.quarantine(db, state)]
    columns = ("id", "document", "level", "at", "found", "expected")
    show(rows, as_json=as_json, empty="Nothing is in quarantine.", columns=columns)


@quarantine.command("show")
def show_quarantine(context: typer.Context, number: int, as_json: bool = typer.Option(False, "--json")) -> None:
    """One finding with the place in the document, highlighted."""
    settings: Settings = context.obj
    with settings.database() as db:
        finding = findings.get(db, number)
        document = inbox.document(db, finding.document_id)
        content = settings.opened(inbox.load(db, document.digest), document.channel)
        before, here, after = _excerpt(content, finding)
    row = _row(finding) | {"channel": document.channel, "name": document.name}
    if as_json:
        print_json(row | {"excerpt": {"before": before, "here": here, "after": after}})
        return
    for key, value in row.items():
        console.print(f"[bold]{key:<12}[/] {text(value)}")
    console.print(f"\n{text(before)}[bold red]{text(here)}[/]{text(after)}")
    console.print(f"\nMended? edi-gateway quarantine retry {number}")
    console.print(f"Not wanted? edi-gateway quarantine ignore {number}")


@quarantine.command("retry")
def retry_quarantine(
    context: typer.Context,
    number: int | None = typer.Argument(None, help="a finding; with --all: everything that is open"),
    everything: bool = typer.Option(False, "--all", help="read every document again that has something open"),
) -> None:
    """Read the finding's document again, with today's mapping; what was read before is recognised."""
    settings: Settings = context.obj
    if (number is None) == (not everything):
        raise typer.BadParameter("name one finding, or --all")
    with settings.database() as db:
        wanted = findings.quarantine(db, limit=_ALL) if everything else [findings.get(db, number or 0)]
        reopen(db, sorted({finding.document_id for finding in wanted}))


@quarantine.command("ignore")
def ignore_quarantine(context: typer.Context, number: int) -> None:
    """Take a finding off the list for good; the document stays."""
    settings: Settings = context.obj
    with settings.database() as db:
        findings.ignore(db, number)
    console.print(f"finding {number} is ignored")


def reopen(db: Database, documents: list[int]) -> None:
    """Put documents back among those to process, and say so."""
    with db.write() as connection:
        for document_id in documents:
            inbox.reopen(connection, document_id)
    console.print(f"{len(documents)} to be read again by the daemon, within seconds when it runs")
    console.print("after a change of a mapping, reload the daemon first (SIGHUP): it reads with what it has loaded")


def _row(finding: FindingRow) -> dict[str, Any]:
    return {
        "id": finding.id,
        "document": finding.document_id,
        "state": str(finding.state),
        "severity": str(finding.severity),
        "level": str(finding.level),
        "at": str(findings.position(finding)),
        "found": finding.found,
        "expected": finding.expected,
        "advice": finding.advice,
        "code": finding.code,
        "start": finding.start,
        "end": finding.end,
        "created_at": utc(finding.created_at),
    }


def _excerpt(content: bytes, finding: FindingRow) -> tuple[str, str, str]:
    """The bytes around and at the place, as text; what is no text is shown as an escape."""
    start, end = finding.start, max(finding.end, finding.start)
    parts = (content[max(0, start - _CONTEXT) : start], content[start:end][:400], content[end : end + _CONTEXT])
    before, here, after = (part.decode("utf-8", "backslashreplace") for part in parts)
    return before, here, after
