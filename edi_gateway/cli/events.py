"""``edi-gateway events``, ``unmapped``, ``subscribe``: shipments and who wants to hear of them."""

from __future__ import annotations

from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.names import partner_names
from edi_gateway.errors import ConfigError
from edi_gateway.located import did_you_mean
from edi_gateway.model import number_of
from edi_gateway.pipeline.views import event_view, utc
from edi_gateway.store import shipments, subscriptions
from edi_gateway.store.shipments import KnownEvent, KnownShipment


def events(
    context: typer.Context,
    tracking_number: str,
    carrier: str = typer.Option("", help="only of this carrier"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """A shipment's whole history, and where each event was read, to the byte."""
    settings: Settings = context.obj
    with settings.database() as db:
        found = shipments.history(db, number_of(tracking_number), carrier or None)
    if not found:
        raise LookupError(f"no shipment {tracking_number}")
    for shipment in found:
        if as_json:
            print_json(_shipment(shipment))
        else:
            _say(shipment)


def unmapped(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Codes no mapping knows, the most frequent first: each is a line missing in a mapping."""
    settings: Settings = context.obj
    with settings.database() as db:
        rows = [
            {
                "carrier": code.carrier,
                "code_list": code.code_list,
                "agency": code.code_agency,
                "code": code.raw_code,
                "reason": code.raw_reason,
                "count": code.count,
                "first_seen": utc(code.first_seen),
                "last_seen": utc(code.last_seen),
                "document": code.document_id,
                "segment": code.segment,
            }
            for code in shipments.unmapped(db)
        ]
    show(rows, as_json=as_json, empty="Every code that came is mapped.")


def subscribe(
    context: typer.Context,
    customer: str,
    tracking_numbers: list[str],
    carrier: str = typer.Option("", help="only from this carrier"),
) -> None:
    """Let a customer receive the events of these tracking numbers, besides what its rules say; from now on."""
    settings: Settings = context.obj
    for kind, name in (("customer", customer), ("carrier", carrier)):
        known = partner_names(settings.folder, kind)  # type: ignore[arg-type]
        if name and name not in known:
            raise ConfigError(f"there is no {kind} {name}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    with settings.database() as db:
        subscriptions.subscribe(db, customer, [number_of(number) for number in tracking_numbers], carrier)
    console.print(f"{customer} hears of {len(tracking_numbers)} tracking numbers from now on")


def unsubscribe(
    context: typer.Context,
    customer: str,
    tracking_numbers: list[str],
    carrier: str = typer.Option("", help="as it was subscribed"),
) -> None:
    """End subscriptions."""
    settings: Settings = context.obj
    with settings.database() as db:
        ended = subscriptions.unsubscribe(db, customer, [number_of(number) for number in tracking_numbers], carrier)
    console.print(f"{ended} subscriptions ended")


def _shipment(shipment: KnownShipment) -> dict[str, Any]:
    return {
        "kind": "shipment",
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "epoch": shipment.epoch,
        "status": str(shipment.status),
        "reason": shipment.reason,
        "direction": str(shipment.direction),
        "status_at": utc(shipment.status_at),
        "tracking_state": str(shipment.tracking_state),
        "milestones": {
            str(status): {"first": utc(first), "last": utc(last)}
            for status, (first, last) in shipment.milestones.items()
        },
        "events": [_event(event) for event in shipment.events],
    }


def _event(known: KnownEvent) -> dict[str, Any]:
    view = event_view(known.event)
    del view["kind"], view["provenance"]
    sources = [
        {
            "document": source.document_id,
            "received_at": utc(source.received_at),
            "function": str(source.function),
            "interchange": source.provenance.interchange,
            "message": source.provenance.message,
            "document_number": source.provenance.document_number,
            "segment": source.provenance.segment,
            "start": source.provenance.start,
            "end": source.provenance.end,
            "mapping": source.provenance.mapping,
            "mapping_version": source.provenance.mapping_version,
            "rule": source.provenance.rule,
        }
        for source in known.sources
    ]
    return {"id": known.id, **view, "retracted": known.retracted, "sources": sources}


def _say(shipment: KnownShipment) -> None:
    epoch = f"  (epoch {shipment.epoch})" if shipment.epoch > 1 else ""
    console.print(
        f"[bold]{text(shipment.tracking_number)}[/]  {text(shipment.carrier)}{epoch}  "
        f"[bold]{shipment.status}[/]  {shipment.reason}"
    )
    rows = [
        {
            "occurred_at": known.event.occurred_at.isoformat()[: 10 if known.event.date_only else None],
            "status": str(known.event.status),
            "kind": str(known.event.classifier),
            "reason": known.event.reason + (" RETRACTED" if known.retracted else ""),
            "code": known.event.raw_code,
            "where": f"{known.event.location.name} {known.event.location.unlocode or known.event.location.country}",
            "read": ", ".join(f"document {s.document_id} segment {s.provenance.segment}" for s in known.sources),
        }
        for known in shipment.events
    ]
    show(rows, as_json=False, empty="")
