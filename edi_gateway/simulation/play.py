"""A scenario becomes the documents a carrier would have sent, each with the time it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from edi_gateway.simulation.scenario import Place, Scenario, Step


class Report(NamedTuple):
    """One document, and how long after the first it comes."""

    after: timedelta
    name: str
    content: bytes


def reports(scenario: Scenario, tracking_number: str, ends: datetime, *, anew: bool = False) -> Iterator[Report]:
    """What the carrier sends, in order; the last report is of the instant ``ends``.

    ``anew``: each report takes the place of the one that told the same of this number before, at another time.
    """
    at, before = ends - scenario.lasts, b""
    for number, step in enumerate(scenario.steps, 1):
        at += step.after
        content = before if step.again else _written(scenario, step, tracking_number, number, at, anew=anew)
        if step.again:
            content += b"\n"  # other bytes, so that it is read as a document of its own
        before = content
        yield Report(at - (ends - scenario.lasts), f"{tracking_number}-{number}-{at:%Y%m%d%H%M%S}.json", content)


def _written(scenario: Scenario, step: Step, tracking_number: str, number: int, at: datetime, *, anew: bool) -> bytes:
    function = "replacement" if anew and step.function == "original" else step.function
    about = step.cancels or step.replaces or step.name or str(number)
    return json.dumps(
        {
            "report": {"number": f"{tracking_number}-{about}", "function": function, "issued_at": at.isoformat()},
            "tracking_number": tracking_number,
            "references": dict(scenario.references),
            "events": list(_events(scenario, step, at)),
        },
        ensure_ascii=False,
        indent=1,
    ).encode()


def _events(scenario: Scenario, step: Step, at: datetime) -> Iterator[dict[str, Any]]:
    place = scenario.places.get(step.place)
    if step.code:
        said = {"text": step.text, "piece": step.piece, "signatory": step.signatory}
        yield {"code": step.code, "at": _told(at - step.late, place), **_where(place), **said}
    if step.expected is not None:
        yield {"code": "ETA", "at": _told(at + step.expected, place), **_where(place), "piece": step.piece}


def _told(at: datetime, place: Place | None) -> str:
    return (at.astimezone(ZoneInfo(place.zone)) if place else at).isoformat(timespec="seconds")


def _where(place: Place | None) -> dict[str, Any]:
    return {"place": place.model_dump(include={"name", "unlocode", "country"})} if place else {}
