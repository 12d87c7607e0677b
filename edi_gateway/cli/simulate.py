"""``edi-gateway simulate``: a scripted history of a shipment, as test data through the real pipeline."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta
from typing import Final

import typer

from edi_gateway.cli.output import console, print_json, show, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.names import customers_of_test_data
from edi_gateway.errors import ConfigError
from edi_gateway.located import did_you_mean
from edi_gateway.model import number_of, utc_now
from edi_gateway.pipeline.simulating import CARRIER, enter
from edi_gateway.simulation.play import Report, reports
from edi_gateway.simulation.scenario import names, scenario
from edi_gateway.store.engine import Database
from edi_gateway.worlds import world_for

_DIGITS: Final = 10**6


def simulate(
    context: typer.Context,
    customer: str = typer.Option("", help="whose test data it is"),
    scenario_name: str = typer.Option("", "--scenario", help="what happens; see --list"),
    carrier: str = typer.Option(CARRIER, help="what the carrier is called; any name"),
    tracking_number: str = typer.Option("", help="of the shipment; a new one when left out"),
    speed: float = typer.Option(0, min=0, help="how many times faster than in life; 0: all reports at once"),
    list_all: bool = typer.Option(False, "--list", help="list the scenarios and do nothing"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Let a simulated carrier report what happens to a shipment; a running gateway processes and delivers it."""
    if list_all:
        _list(as_json=as_json)
        return
    settings: Settings = context.obj
    known = customers_of_test_data(settings.folder)
    if customer not in known:
        there = f"; there are: {', '.join(known)}" if known else ""
        raise ConfigError(
            f"customer {customer or '(none)'} receives no test data{did_you_mean(customer, known)}{there}; expected"
            " --customer NAME of one with api: {} or a destination with test: true"
        )
    played, number = scenario(scenario_name), number_of(tracking_number) or _new_number(utc_now())
    with settings.database() as db:
        said = list(reports(played, number, utc_now()))
        _play(db, world_for(customer), carrier, said, speed, quiet=as_json)
    if as_json:
        print_json({"customer": customer, "carrier": carrier.lower(), "tracking_number": number, "reports": len(said)})
    else:
        console.print(f"{number}: {len(said)} reports of {text(carrier.lower())} to {text(customer)}, all test data")


def _list(*, as_json: bool) -> None:
    rows = [
        {
            "scenario": name,
            "tracking_code": scenario(name).tracking_code,
            "reports": len(scenario(name).steps),
            "lasts": _hours(scenario(name).lasts),
            "what": scenario(name).title,
        }
        for name in names()
    ]
    show(rows, as_json=as_json, empty="There are no scenarios.")


def _play(db: Database, world: str, carrier: str, said: list[Report], speed: float, *, quiet: bool) -> None:
    """Enter the reports one after the other, each at its time."""
    begun = time.monotonic()
    for report in said:
        if speed:
            time.sleep(max(0.0, begun + report.after.total_seconds() / speed - time.monotonic()))
        enter(db, world, carrier, [report])
        if speed and not quiet:
            console.print(f"after {_hours(report.after)}: {text(report.name)}")


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g} h"


def _new_number(now: datetime) -> str:
    """A tracking number that nobody had."""
    return f"SIM{now:%Y%m%d%H%M%S}{random.randrange(_DIGITS):06}"  # noqa: S311
