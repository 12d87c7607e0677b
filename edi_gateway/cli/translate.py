"""``edi-gateway translate``: what a file says, without touching anything."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.model import utc_now
from edi_gateway.pipeline.reading import read
from edi_gateway.pipeline.views import Json, lines
from edi_gateway.plugins import Format
from edi_gateway.transforms.opening import AS_IT_COMES, Opening

_QUARANTINED, _UNUSABLE = 1, 2


def translate(
    context: typer.Context,
    file: Path = typer.Argument(help="the file to read"),
    mapping: str = typer.Option("", help="a mapping, such as standard/iftsta"),
    carrier: str = typer.Option("", help="a configured carrier: its format, mapping and time zone"),
    channel: str = typer.Option("", help="which of the carrier's channels, when it has several"),
    timezone: str = typer.Option("", help="zone of times that name none"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object a line"),
) -> None:
    """Print the tracking events of a file, or the places that spoilt them.

    Exit code: 0 all is events, 1 something was quarantined, 2 the call cannot be used.
    """
    settings: Settings = context.obj
    try:
        content = _content(file)
        syntax, wired, partner, opening = _reader(settings, mapping, carrier, channel)
        _check_zone(timezone)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_UNUSABLE) from error
    partner = Partner(partner.carrier, timezone or partner.timezone)
    counts = {"event": 0, "quarantine": 0, "warning": 0}
    for line in lines(read(content, syntax, wired, partner, utc_now(), opening=opening)):
        counts[line["kind"]] += 1
        print_json(line) if as_json else _say(line)
    if not as_json:
        console.print(f"\n{counts['event']} events, {counts['quarantine']} quarantined, {counts['warning']} warnings")
    raise typer.Exit(_QUARANTINED if counts["quarantine"] else 0)


def _check_zone(name: str) -> None:
    try:
        if name:
            ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"--timezone {name}: expected an IANA time zone such as Europe/Berlin") from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error


def _reader(settings: Settings, mapping: str, carrier: str, channel: str) -> tuple[Format, Mapping, Partner, Opening]:
    if bool(mapping) == bool(carrier):
        raise ConfigError("name exactly one of --mapping and --carrier")
    if mapping:
        library = settings.library()
        return library.format(mapping), library.reader(mapping), Partner(""), AS_IT_COMES
    found = settings.channel_of(carrier, channel)
    assert found.mapping is not None  # it has the name of one
    return found.format, found.mapping, found.partner, found.opening


def _say(line: Json) -> None:
    if line["kind"] == "event":
        console.print(f"[green]event[/]       {_event(line)}")
        return
    colour = "red" if line["kind"] == "quarantine" else "yellow"
    advice = f"; {line['advice']}" if line["advice"] else ""
    found = line["found"] or "nothing"
    said = f"{line['at']}: found {found}, expected {line['expected']}{advice}"
    console.print(f"[{colour}]{line['kind']:<10}[/]  {text(said)}")


def _event(line: Json) -> str:
    place = line["location"]
    where = f"{place['name']} {place['unlocode'] or place['country']}".strip()
    agency = f" of {line['code_agency']}" if line["code_agency"] else ""
    sort = "" if line["classifier"] == "ACT" else f" ({line['classifier']})"
    sort += "" if line["function"] == "original" else f" ({line['function']})"
    when = line["occurred_at_local"][:10] if line["date_only"] else line["occurred_at_local"]
    what = f"{line['status']}{sort}  {line['reason']}  code {line['raw_code']}{agency}  {where}"
    return f"{when}  [bold]{text(line['tracking_number'])}[/]  {text(what)}"
