"""``edi-gateway deliveries``: every outbound file, every attempt, and what was set aside instead."""

from __future__ import annotations

import sys
from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.pipeline.views import utc
from edi_gateway.store import deliveries as store
from edi_gateway.store.tables import Delivery, DeliveryState

deliveries = typer.Typer(no_args_is_help=True, help="Every outbound file and every attempt to deliver it.")


@deliveries.command("list")
def list_deliveries(
    context: typer.Context,
    destination: str = typer.Option("", help="only of this destination, as customer/destination"),
    state: DeliveryState | None = typer.Option(None, help="only in this state"),
    limit: int = typer.Option(100, help="at most so many"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Deliveries, newest first."""
    settings: Settings = context.obj
    with settings.database() as db:
        found = store.deliveries(db, destination=destination or None, state=state, limit=limit)
    columns = ("id", "destination", "control_number", "name", "event_count", "state", "attempts", "next_attempt_at")
    show([_row(delivery) for delivery in found], as_json=as_json, empty="Nothing was sealed yet.", columns=columns)


@deliveries.command("show")
def show_delivery(
    context: typer.Context,
    number: int,
    raw: bool = typer.Option(False, help="write the sealed bytes to standard output"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """One delivery with its attempts."""
    settings: Settings = context.obj
    with settings.database() as db:
        delivery, attempts = store.delivery(db, number)
        if raw:
            sys.stdout.buffer.write(store.document(db, delivery).content)
            return
    tried = [
        {
            "number": attempt.number,
            "started_at": utc(attempt.started_at),
            "finished_at": utc(attempt.finished_at),
            "outcome": str(attempt.outcome),
            "detail": attempt.detail,
        }
        for attempt in attempts
    ]
    if as_json:
        print_json(_row(delivery) | {"tried": tried})
        return
    for key, value in _row(delivery).items():
        console.print(f"[bold]{key:<15}[/] {text(value)}")
    console.print()
    show(tried, as_json=False, empty="Not tried yet.")


@deliveries.command("retry")
def retry_delivery(context: typer.Context, number: int) -> None:
    """Make a dead or waiting delivery due now: the same bytes under the same name."""
    settings: Settings = context.obj
    with settings.database() as db:
        store.retry(db, number)
    console.print(f"delivery {number} is due; the running daemon tries it within seconds")


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "destination": delivery.destination,
        "customer": delivery.customer,
        "control_number": delivery.control_number,
        "name": delivery.name,
        "digest": delivery.digest,
        "size": delivery.size,
        "event_count": delivery.event_count,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "sealed_at": utc(delivery.sealed_at),
        "delivered_at": utc(delivery.delivered_at),
        "next_attempt_at": utc(delivery.next_attempt_at),
        "last_error": delivery.last_error,
    }
