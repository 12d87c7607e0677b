"""``edi-gateway status``: everything at a glance."""

from __future__ import annotations

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.store.shipments import Overview, overview


def status(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """How much there is of everything, and what a person should look at."""
    settings: Settings = context.obj
    with settings.database() as db:
        found = overview(db)
    if as_json:
        print_json(
            {
                "documents": dict(found.documents),
                "quarantine": found.open_findings,
                "shipments": found.shipments,
                "events": found.events,
                "unmapped": found.unmapped_codes,
                "outbox": {"pending": dict(found.pending), "refused": dict(found.refused)},
                "deliveries": [
                    {"destination": at, "state": state, "count": count}
                    for (at, state), count in found.deliveries.items()
                ],
            }
        )
        return
    _say(found)


def _say(found: Overview) -> None:
    console.print(f"[bold]documents[/]   {text(found.documents) or 'none yet'}")
    console.print(f"[bold]shipments[/]   {found.shipments} with {found.events} events")
    for destination, count in found.pending.items():
        console.print(f"[bold]outbox[/]      {text(destination)}: {count} events wait to be sealed")
    for (destination, state), count in found.deliveries.items():
        colour = "red" if state == "dead" else "yellow" if state == "retrying" else "default"
        console.print(f"[bold]deliveries[/]  {text(destination)}: [{colour}]{count} {state}[/]")
    _advise(found)


def _advise(found: Overview) -> None:
    dead = sum(count for (_, state), count in found.deliveries.items() if state == "dead")
    open_ends = (
        (found.open_findings, "in quarantine", "edi-gateway quarantine list"),
        (found.unmapped_codes, "events with a code no mapping knows", "edi-gateway unmapped"),
        (sum(found.refused.values()), "events no file could be made of", "edi-gateway outbox list"),
        (dead, "dead letters", "edi-gateway deliveries list --state dead"),
    )
    for count, what, command in open_ends:
        if count:
            console.print(f"[yellow]look at[/]     {count} {what}: {command}")
