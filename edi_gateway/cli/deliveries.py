"""``edi-gateway deliveries``: every outbound file, every attempt, and what was set aside instead."""

from __future__ import annotations

import sys
from typing import Any, Final

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.model import utc_now
from edi_gateway.pipeline.partners import Destination
from edi_gateway.pipeline.seal import reissue
from edi_gateway.pipeline.views import standing_of, utc
from edi_gateway.store import deliveries as store
from edi_gateway.store import endpoints, hooks, statements
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Delivery, DeliveryState, Outcome
from edi_gateway.wiring import wire, with_endpoints

_ATTEMPT: Final = ("number", "started_at", "finished_at", "outcome", "status", "milliseconds", "detail", "answer")
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
        successor = store.replaced_by(db, number)
        said: list[dict[str, Any]] = [
            {
                "received_at": utc(one.received_at),
                "kind": str(one.kind),
                "verdict": str(one.verdict),
                "message": one.part,
                "reasons": one.reasons,
                "document": one.document_id,
            }
            for one in statements.of_delivery(db, number)
        ]
        if raw:
            sys.stdout.buffer.write(store.document(db, delivery).content)
            return
    tried = [
        {
            "number": attempt.number,
            "started_at": utc(attempt.started_at),
            "finished_at": utc(attempt.finished_at),
            "outcome": str(attempt.outcome),
            "status": attempt.status,
            "milliseconds": attempt.milliseconds,
            "detail": attempt.detail,
            "answer": attempt.answer,
        }
        for attempt in attempts
    ]
    if as_json:
        print_json(_row(delivery) | {"replaced_by": successor, "tried": tried, "said": said})
        return
    for key, value in (_row(delivery) | {"replaced_by": successor}).items():
        console.print(f"[bold]{key:<15}[/] {text(value)}")
    console.print()
    columns = [name for name in _ATTEMPT if any(attempt[name] not in {None, ""} for attempt in tried)]
    show(tried, as_json=False, empty="Not tried yet.", columns=columns)
    if said:
        console.print()
        show([one | {"reasons": "; ".join(map(str, one["reasons"]))} for one in said], as_json=False, empty="")


@deliveries.command("retry")
def retry_delivery(
    context: typer.Context,
    number: int | None = typer.Argument(None, help="the delivery; or name a destination"),
    destination: str = typer.Option("", help="every one of this destination, as customer/destination"),
    state: DeliveryState = typer.Option(DeliveryState.DEAD, help="with --destination: those in this state"),
) -> None:
    """Make dead, skipped or waiting deliveries due now: the same bytes under the same name."""
    settings: Settings = context.obj
    if (number is None) == (not destination):
        raise typer.BadParameter("name a delivery, or --destination")
    if state not in store.RETRIABLE:
        raise typer.BadParameter(f"--state {state}: there is nothing to retry; expected {', '.join(store.RETRIABLE)}")
    with settings.database() as db:
        if number is None:
            count = store.retry_all(db, destination, state)
            console.print(f"{count} deliveries are due; {_when(db, destination, 'them')}")
            return
        store.retry(db, number)
        when = _when(db, store.delivery(db, number)[0].destination, "it")
    console.print(f"delivery {number} is due; {when}")


@deliveries.command("reissue")
def reissue_delivery(
    context: typer.Context,
    number: int,
    although_delivered: bool = typer.Option(
        False, help="even if the customer has it, and so will see its events twice"
    ),
) -> None:
    """Seal the same events in a new file, with a new control number and name; the old file is never sent again."""
    settings: Settings = context.obj
    with settings.database() as db:
        old, attempts = store.delivery(db, number)
        destination = _destination(db, settings, old)
        new, _ = store.delivery(db, reissue(db, destination, number, utc_now(), although_delivered=although_delivered))
    left_out = old.event_count - new.event_count
    console.print(
        f"delivery {new.id} ({new.name}, control number {new.control_number}) replaces delivery {number} and is due;"
        " the running daemon sends it within seconds"
    )
    if left_out:
        console.print(f"{left_out} events were left out: the customer was told otherwise in a later file")
    if any(attempt.outcome in {Outcome.STARTED, Outcome.FAILED} for attempt in attempts):
        console.print("an earlier attempt may have arrived all the same: then the customer sees its events twice")


@deliveries.command("skip")
def skip_delivery(context: typer.Context, number: int) -> None:
    """Give a file up: the customer does not get it, and it holds back nothing. `retry` takes that back."""
    settings: Settings = context.obj
    with settings.database() as db:
        skipped = store.skip(db, number)
    what = f"{skipped.event_count} events" if not skipped.acknowledges else skipped.acknowledges.upper()
    console.print(f"delivery {number} is skipped: {skipped.destination} does not get its {what}")


def _when(db: Database, destination: str, what: str) -> str:
    found = endpoints.endpoint(db, destination)
    if found is None or standing_of(found, utc_now()) in {"works", "failing"}:
        return f"the running daemon tries {what} within seconds"
    return f"{destination} is not sent to now: see edi-gateway destinations show {destination}"


def _destination(db: Database, settings: Settings, delivery: Delivery) -> Destination:
    for destination in with_endpoints(wire(settings.config()), hooks.endpoints(db)).destinations:
        if destination.name == delivery.destination:
            return destination
    if delivery.acknowledges:
        raise LookupError(f"delivery {delivery.id} is an acknowledgement, and there is one only: retry it instead")
    raise LookupError(
        f"delivery {delivery.id} is of {delivery.destination}, which is not configured: how to write it is not known"
    )


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
        "replaces": delivery.replaces,
        "sealed_at": utc(delivery.sealed_at),
        "delivered_at": utc(delivery.delivered_at),
        "acknowledges": delivery.acknowledges,
        "expects": delivery.expects,
        "acknowledge_by": utc(delivery.acknowledge_by),
        "acknowledged_at": utc(delivery.acknowledged_at),
        "next_attempt_at": utc(delivery.next_attempt_at),
        "claimed_by": delivery.claimed_by,
        "claimed_until": utc(delivery.claimed_until),
        "last_error": delivery.last_error,
    }
