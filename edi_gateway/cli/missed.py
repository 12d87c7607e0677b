"""``edi-gateway missed``: what only polling caught of carriers that have a webhook, too."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import typer
from pydantic import TypeAdapter, ValidationError

from edi_gateway.cli.output import console, show
from edi_gateway.cli.settings import Settings
from edi_gateway.config.live import watched
from edi_gateway.errors import ConfigError
from edi_gateway.model import utc_now
from edi_gateway.quantities import Duration
from edi_gateway.store import missed as store


def missed(
    context: typer.Context,
    carrier: str = typer.Argument("", help="only of this carrier"),
    days: int = typer.Option(7, min=1, help="how far to look back"),
    within: str = typer.Option("", help="how late a webhook may be, such as 30m [default: missed_after, or 15m]"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object a line"),
) -> None:
    """Events that polling told first and no webhook in time, by day and code: never, or late.

    Many of one code: ask the carrier to send it, too. Many of one day: the webhook was not reached.
    """
    settings: Settings = context.obj
    settings.installation()
    carriers = [each for each in watched(settings.folder) if carrier in {"", each.carrier}]
    if within:
        carriers = [replace(each, within=_duration(within)) for each in carriers]
    if not carriers and not as_json:
        console.print("no such carrier has both, a webhook and a channel that asks")
        return
    with settings.database() as db:
        rows = [asdict(one) for one in store.missed(db, carriers, utc_now() - timedelta(days=days))]
    show(rows, as_json=as_json, empty="every event that was polled had come by webhook, too")


def _duration(text: str) -> timedelta:
    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--within: {said}") from None
