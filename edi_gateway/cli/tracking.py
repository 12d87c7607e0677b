"""``edi-gateway track`` and ``untrack``: which numbers a polled carrier is asked for."""

from __future__ import annotations

import typer

from edi_gateway.cli.output import console
from edi_gateway.cli.settings import Settings
from edi_gateway.config.names import asking_channels
from edi_gateway.errors import ConfigError
from edi_gateway.model import number_of
from edi_gateway.store import tracked


def track(
    context: typer.Context,
    carrier: str,
    tracking_numbers: list[str],
    channel: str = typer.Option("", help="where a carrier has several channels that ask"),
) -> None:
    """Ask a carrier for these numbers from now on, at once for the first time; also those whose tracking has ended."""
    settings: Settings = context.obj
    name = _channel(settings, carrier, channel)
    with settings.database() as db:
        tracked.track(db, name, carrier, [number_of(number) for number in tracking_numbers])
    console.print(f"{len(tracking_numbers)} tracking numbers are asked for by {name} from now on")


def untrack(
    context: typer.Context,
    carrier: str,
    tracking_numbers: list[str],
    channel: str = typer.Option("", help="where a carrier has several channels that ask"),
) -> None:
    """Ask a carrier for these numbers no more, until they are tracked again; what is reported of them still counts."""
    settings: Settings = context.obj
    name = _channel(settings, carrier, channel)
    with settings.database() as db:
        stopped = tracked.untrack(db, name, carrier, [number_of(number) for number in tracking_numbers])
    console.print(f"{stopped} tracking numbers are asked for no more by {name}")


def _channel(settings: Settings, carrier: str, channel: str) -> str:
    """The carrier's channel that asks for numbers, that of the name or the only one."""
    theirs = [name for name in asking_channels(settings.folder) if name.partition("/")[0] == carrier]
    found = [name for name in theirs if channel in {"", name.partition("/")[2]}]
    if not found:
        known = ", ".join(asking_channels(settings.folder)) or "none"
        raise ConfigError(
            f"{carrier}/{channel or '*'} is no channel that asks for tracking numbers; there are: {known}"
        )
    if len(found) > 1:
        names = ", ".join(name.partition("/")[2] for name in found)
        raise ConfigError(f"{carrier} has several channels that ask: choose one of {names} with --channel")
    return found[0]
