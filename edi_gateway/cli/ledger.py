"""``edi-gateway ledger PARTNER``: control numbers in and out, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, show
from edi_gateway.cli.settings import Settings
from edi_gateway.model import utc_now
from edi_gateway.pipeline.views import utc
from edi_gateway.store import ledger as store

_MOST = 20  # ranges or numbers shown to people; machines get all


def ledger(
    context: typer.Context,
    partner: str = typer.Argument(help="a carrier or a customer, as its file calls it"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """What came from a partner and what is missing; what went to it, acknowledged, rejected or overdue."""
    settings: Settings = context.obj
    with settings.database() as db:
        came, went = store.inbound(db, partner), store.outbound(db, partner, utc_now())
    if as_json:
        for one in came:
            print_json({"direction": "in"} | asdict(one) | {"last_at": utc(one.last_at)})
        for other in went:
            print_json({"direction": "out"} | asdict(other))
        return
    if not came and not went:
        console.print(f"Nothing came from {partner}, and nothing went there.")
    if came:
        show([_inbound(one) for one in came], as_json=False, empty="")
    if came and went:
        console.print()
    if went:
        show([_outbound(one) for one in went], as_json=False, empty="")


def _inbound(one: store.Inbound) -> dict[str, Any]:
    return {
        "in": f"{one.sender} to {one.recipient}",
        "first": one.first,
        "last": one.last,
        "accepted": one.accepted,
        "failed": one.failed,
        "duplicates": one.duplicates,
        "missing": _ranges(one.missing) if one.consecutive else "no sequence",
        "repeated": _some(one.repeated),
    }


def _outbound(one: store.Outbound) -> dict[str, Any]:
    return {
        "out": one.destination,
        "first": one.first,
        "last": one.last,
        "sent": one.sent,
        "acknowledged": one.acknowledged,
        "waiting": one.waiting,
        "rejected": _some(one.rejected),
        "overdue": _some(one.overdue),
        "not sent": one.unsent,
        "missing": _ranges(one.missing),
    }


def _ranges(ranges: store.Ranges) -> str:
    return _some([f"{begin}" if begin == end else f"{begin}-{end}" for begin, end in ranges])


def _some(items: Sequence[object]) -> str:
    said = ", ".join(str(item) for item in items[:_MOST])
    return f"{said} and {len(items) - _MOST} more" if len(items) > _MOST else said
