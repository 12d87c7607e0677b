"""``edi-gateway outbox``: events no file could be made of, and another try for them."""

from __future__ import annotations

import typer

from edi_gateway.cli.output import console, show
from edi_gateway.cli.settings import Settings
from edi_gateway.pipeline.views import utc
from edi_gateway.store import outbox as store

_ALL = 1_000_000_000
outbox = typer.Typer(no_args_is_help=True, help="Events no file could be made of, and another try for them.")


@outbox.command("list")
def list_refused(
    context: typer.Context,
    destination: str = typer.Option("", help="only of this destination, as customer/destination"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Events that were set aside on their way out, and why."""
    settings: Settings = context.obj
    with settings.database() as db:
        rows = [
            {
                "id": row.outbox_id,
                "destination": row.destination,
                "action": str(row.action),
                "carrier": row.carrier,
                "tracking_number": row.tracking_number,
                "status": str(row.status),
                "reason": row.reason,
                "occurred_at": utc(row.occurred_at),
                "owed_since": utc(row.created_at),
                "error": row.error,
            }
            for row in store.refused(db, destination or None)
        ]
    columns = ("id", "destination", "tracking_number", "status", "occurred_at", "error")
    show(rows, as_json=as_json, empty="Nothing was set aside.", columns=columns)


@outbox.command("retry")
def retry_refused(
    context: typer.Context,
    numbers: list[int] = typer.Argument(None, help="ids of the list; with --all: every one"),
    everything: bool = typer.Option(False, "--all", help="every event that was set aside"),
) -> None:
    """Let events that were set aside wait for the next file, after the layout or the character set was mended."""
    settings: Settings = context.obj
    if bool(numbers) == everything:
        raise typer.BadParameter("name ids, or --all")
    with settings.database() as db:
        wanted = [row.outbox_id for row in store.refused(db, limit=_ALL)] if everything else numbers
        console.print(f"{store.reopen(db, wanted)} events wait for the next file")
