"""``edi-gateway destinations``: how everything we send to is doing, and whether it is sent to at all."""

from __future__ import annotations

from typing import Any, Final

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.names import configured_names
from edi_gateway.errors import ConfigError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.health import tell_health
from edi_gateway.pipeline.views import standing_of, utc
from edi_gateway.store import endpoints, hooks
from edi_gateway.store.endpoints import Standing
from edi_gateway.store.engine import Database

destinations = typer.Typer(no_args_is_help=True, help="How everything we send to is doing; put out of and in service.")
_COLUMNS: Final = ("destination", "state", "failures", "failing_since", "owed", "waiting", "dead")


@destinations.command("list")
def list_destinations(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Every destination, its health, and what waits for it: events to be sealed, sealed files, dead letters."""
    settings: Settings = context.obj
    with settings.database() as db:
        found = endpoints.standing(db, _configured(db, settings))
    show([_row(one) for one in found], as_json=as_json, empty="No destination is configured.", columns=_COLUMNS)


@destinations.command("show")
def show_destination(context: typer.Context, name: str, as_json: bool = typer.Option(False, "--json")) -> None:
    """One destination, and what is wrong with it."""
    settings: Settings = context.obj
    with settings.database() as db:
        row = _row(_one(db, settings, name))
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        console.print(f"[bold]{key:<15}[/] {text(value)}")


@destinations.command("enable")
def enable_destination(context: typer.Context, name: str) -> None:
    """Send there again, at once: all that waits goes out in its order, with its whole schedule before it."""
    settings: Settings = context.obj
    with settings.database() as db:
        before = _one(db, settings, name)
        waiting = endpoints.enable(db, name, utc_now())
        tell_health(db, name, None)
    console.print(f"{text(name)} is enabled: the running daemon sends {waiting} deliveries from now on")
    if before.owed:
        console.print(f"{before.owed} events wait to be sealed and follow")
    if before.dead:
        command = f"edi-gateway deliveries retry --destination {text(name)}"
        console.print(f"{before.dead} dead letters stay what they are until {command}")


@destinations.command("disable")
def disable_destination(
    context: typer.Context, name: str, because: str = typer.Option("by hand", help="why, for others to read")
) -> None:
    """Send nothing there any more until it is enabled; what is owed is collected, sealed and kept."""
    settings: Settings = context.obj
    with settings.database() as db:
        _one(db, settings, name)
        if not endpoints.disable(db, name, because, utc_now()):
            console.print(f"{text(name)} is disabled already")
            return
    console.print(f"{text(name)} is disabled: what is on its way is finished, nothing else is sent")


def _configured(db: Database, settings: Settings) -> list[str]:
    made = {each.destination for each in hooks.endpoints(db)}  # by customers
    return sorted(configured_names(settings.folder)[1] | made)


def _one(db: Database, settings: Settings, name: str) -> Standing:
    configured = _configured(db, settings)
    for one in endpoints.standing(db, configured):
        if one.endpoint.destination == name:
            return one
    raise ConfigError(f"{name} is no destination; there are: {', '.join(configured) or 'none'}")


def _row(one: Standing) -> dict[str, Any]:
    found = one.endpoint
    return {
        "destination": found.destination,
        "state": standing_of(found, utc_now()),
        "owed": one.owed,
        "waiting": one.waiting,
        "dead": one.dead,
        "failures": found.failures,
        "failing_since": utc(found.failing_since),
        "last_error": found.last_error,
        "paused_until": utc(found.paused_until),
        "probe_at": utc(found.probe_at),
        "disabled_at": utc(found.disabled_at),
        "disabled_why": found.disabled_why,
    }
