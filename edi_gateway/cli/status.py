"""``edi-gateway status``: everything at a glance."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.live import watched
from edi_gateway.config.names import configured_names
from edi_gateway.errors import ConfigError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.views import standing_of, stranded_line, utc
from edi_gateway.store import endpoints, hooks
from edi_gateway.store.alarms import alarms
from edi_gateway.store.endpoints import Standing
from edi_gateway.store.engine import Database
from edi_gateway.store.missed import counts as counts_missed
from edi_gateway.store.refused import refused_since
from edi_gateway.store.shipments import Overview, overview
from edi_gateway.store.tracked import Tracked, counts
from edi_gateway.store.waiting import Stranded, stranded

_LATELY: Final = timedelta(days=1)


def status(
    context: typer.Context,
    test: bool = typer.Option(False, "--test", help="count test data, which is left out otherwise"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """How much there is of everything, and what a person should look at."""
    settings: Settings = context.obj
    with settings.database() as db:
        found, standing, tracked = overview(db, test=test), alarms(db), counts(db)
        ill = [one for one in endpoints.standing(db, ()) if standing_of(one.endpoint, utc_now()) != "works"]
        lost, uncaught = _stranded(db, settings), _missed(db, settings)
        refused = refused_since(db, (utc_now() - _LATELY).date())
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
                "destinations": [_ill(one) for one in ill],
                "tracking": [asdict(one) for one in tracked],
                "alarms": [
                    {"kind": one.kind, "subject": one.subject, "since": utc(one.raised_at), "text": one.text}
                    for one in standing
                ],
                "missed": dict(uncaught),
                "refused_requests": [one.model_dump(mode="json") for one in refused],
                "stranded": [asdict(one) for one in lost],
            }
        )
        return
    _say(found)
    for one in ill:
        said = _ill(one)
        console.print(
            f"[bold]destination[/] {text(said['destination'])}: [yellow]{said['state']}[/], {said['failures']} failures"
            f" in a row; {said['waiting']} files and {said['owed']} events wait"
        )
    _say_tracked(tracked)
    for day in refused:
        console.print(
            f"[bold]refused[/]     {text(day.channel) or 'no such channel'}: {day.count} requests on {day.day} with"
            f" {day.status}, the last at {day.last_at:%H:%M} UTC: {text(day.why)}"
        )
    for carrier, count in uncaught.items():
        console.print(
            f"[yellow]look at[/]     {count} events of the last day that polling told and {text(carrier)}'s webhook did"
            f" not: edi-gateway missed {text(carrier)}"
        )
    for alarm in standing:
        about = f"{alarm.kind} {alarm.subject}".strip()
        console.print(f"[red]alarm[/]       {text(about)} since {utc(alarm.raised_at)}: {text(alarm.text)}")
    for some in lost:
        console.print(f"[yellow]stranded[/]    {text(stranded_line(some))}")


def _stranded(db: Database, settings: Settings) -> list[Stranded]:
    try:
        channels, destinations = configured_names(settings.folder)
    except ConfigError as error:
        print(f"whether anything waits for partners that are gone is not known: {error}", file=sys.stderr)
        return []
    return stranded(db, channels, destinations | {each.destination for each in hooks.endpoints(db)})


def _missed(db: Database, settings: Settings) -> Mapping[str, int]:
    try:
        return counts_missed(db, watched(settings.folder), utc_now() - _LATELY)
    except ConfigError:
        return {}  # said already


def _say(found: Overview) -> None:
    console.print(f"[bold]documents[/]   {text(found.documents) or 'none yet'}")
    console.print(f"[bold]shipments[/]   {found.shipments} with {found.events} events")
    for destination, count in found.pending.items():
        console.print(f"[bold]outbox[/]      {text(destination)}: {count} events wait to be sealed")
    for (destination, state), count in found.deliveries.items():
        colour = "red" if state in {"dead", "rejected"} else "yellow" if state == "retrying" else "default"
        console.print(f"[bold]deliveries[/]  {text(destination)}: [{colour}]{count} {state}[/]")
    _advise(found)


def _ill(one: Standing) -> dict[str, Any]:
    return {
        "destination": one.endpoint.destination,
        "state": standing_of(one.endpoint, utc_now()),
        "failures": one.endpoint.failures,
        "owed": one.owed,
        "waiting": one.waiting,
    }


def _say_tracked(tracked: list[Tracked]) -> None:
    for one in tracked:
        late = f", [yellow]{one.overdue} overdue[/]" if one.overdue else ""
        failing = f", [yellow]{one.failing} without an answer[/]" if one.failing else ""
        stopped = f", stopped: {text(one.stopped)}" if one.stopped else ""
        console.print(
            f"[bold]tracking[/]    {text(one.channel)}: {one.waiting} numbers, {one.due} due{late}{failing}{stopped}"
        )


def _advise(found: Overview) -> None:
    rejected = sum(count for (_, state), count in found.deliveries.items() if state == "rejected")
    dead = sum(count for (_, state), count in found.deliveries.items() if state == "dead")
    open_ends = (
        (found.open_findings, "in quarantine", "edi-gateway quarantine list"),
        (found.unmapped_codes, "events with a code no mapping knows", "edi-gateway unmapped"),
        (sum(found.refused.values()), "events no file could be made of", "edi-gateway outbox list"),
        (rejected, "files their customers reject", "edi-gateway deliveries list --state rejected"),
        (dead, "dead letters", "edi-gateway deliveries list --state dead"),
    )
    for count, what, command in open_ends:
        if count:
            console.print(f"[yellow]look at[/]     {count} {what}: {command}")
