"""``edi-gateway keys``: who may ask the API for a customer's shipments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show
from edi_gateway.cli.settings import Settings
from edi_gateway.config.names import partner_names
from edi_gateway.errors import ConfigError
from edi_gateway.located import did_you_mean
from edi_gateway.pipeline.views import utc
from edi_gateway.store import api_keys
from edi_gateway.store.api_keys import SCOPES, Key

keys = typer.Typer(no_args_is_help=True, help="Customers' keys to the API.")


@keys.command()
def create(
    context: typer.Context,
    customer: str,
    name: str = typer.Option("", help="what it is for"),
    scope: list[str] = typer.Option(list(SCOPES), help="what it may: read, trackers, webhooks; may be said again"),
    test: bool = typer.Option(False, "--test", help="a key to test data alone"),
    days: int = typer.Option(0, min=0, help="days until it ends; 0: never"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Make a key and show it, this once."""
    settings: Settings = context.obj
    known = partner_names(settings.folder, "customer")
    if customer not in known:
        raise ConfigError(f"there is no customer {customer}{did_you_mean(customer, known)}")
    unknown = sorted(set(scope) - set(SCOPES))
    if unknown:
        raise ConfigError(f"there is no scope {unknown[0]}, expected {', '.join(SCOPES)}")
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with settings.database() as db:
        key = api_keys.create(db, customer, name, scope, test=test, expires_at=expires_at)
    if as_json:
        print_json({"key": key, "customer": customer, "test": test, "scopes": sorted(scope), "expires_at": expires_at})
        return
    console.print(key, markup=False)
    typer.echo("Keep it: it is not shown again.", err=True)


@keys.command("list")
def list_keys(
    context: typer.Context,
    customer: str = typer.Option("", help="only of this customer"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """All keys, by what is shown of them."""
    settings: Settings = context.obj
    with settings.database() as db:
        rows = [_row(key) for key in api_keys.keys(db, customer)]
    show(rows, as_json=as_json, empty="There are no keys.")


@keys.command()
def revoke(context: typer.Context, handle: str) -> None:
    """Let a key open nothing from now on."""
    settings: Settings = context.obj
    with settings.database() as db:
        api_keys.revoke(db, handle)
    console.print(f"{handle} is revoked")


def _row(key: Key) -> dict[str, Any]:
    return {
        "handle": key.handle,
        "customer": key.customer,
        "name": key.name,
        "kind": "test" if key.test else "live",
        "scopes": " ".join(sorted(key.scopes)),
        "created_at": utc(key.created_at),
        "expires_at": utc(key.expires_at),
        "revoked_at": utc(key.revoked_at),
        "used_at": utc(key.used_at),
    }
