"""docs/webhooks.md shows what is really sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.model import Classifier, Location, Status
from edi_gateway.store.engine import Database
from tests import configured
from tests.guards.project import ROOT
from tests.notified import hear, seal_all, sealed, wire_hooli
from tests.unit.store.building import CANCELLATION, message, tracking

pytestmark = pytest.mark.usefixtures("hook")
BERLIN = timezone(timedelta(hours=1))
OURS = re.compile(r'("(?:id|created_at)": )"(?:msg_[^"]*|2\d{3}-[^"]*)"')


def examples() -> list[Any]:
    """The JSON blocks of the document."""
    text = (ROOT / "docs" / "webhooks.md").read_text()
    return [json.loads(_settled(block)) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def _settled(text: str) -> str:
    """Without what is another one each time."""
    return OURS.sub(r'\1"…"', text)


def history(db: Database, folder: Path, *lines: str) -> list[Any]:
    """A parcel is on its way, an estimate comes, it is delivered, and that is taken back."""
    wired = wire_hooli(
        folder, "events: [status_changes, estimated_delivery_changes]", *lines, gateway=configured.GATEWAY
    )
    place = Location("Berlin", "DEBER", "DE")
    scan = tracking(Status.IN_TRANSIT, text="Sorted", raw_code="SRT", location=place, references={"CU": ("GX-1",)})
    end = tracking(Status.DELIVERED, 30, text="Delivered", raw_code="DLV", signatory="Meier", location=place)
    scan, end = (replace(each, occurred_at=_berlin(each.occurred_at)) for each in (scan, end))
    hear(db, wired, message(scan), message(tracking(Status.DELIVERED, 32, classifier=Classifier.EST), issued=9))
    seal_all(db, wired)
    hear(db, wired, message(end, number="N1"))
    seal_all(db, wired)
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    seal_all(db, wired)
    return [json.loads(_settled(json.dumps(each, ensure_ascii=False))) for each in sealed(db)]


def _berlin(when: datetime) -> datetime:
    return when.astimezone(BERLIN)


def test_the_examples_are_what_is_sent(db: Database, tmp_path: Path) -> None:
    """In the canonical layout a delivery and its cancellation."""
    _, _, delivered, void = history(db, tmp_path, "history: true")
    delivered_shown, void_shown, _ = examples()

    assert delivered == delivered_shown
    assert {key: value for key, value in void.items() if key != "history"} == void_shown


def test_the_tracker_is_what_is_sent(db: Database, tmp_path: Path) -> None:
    """In the tracker layout."""
    assert examples()[2] == history(db, tmp_path, "layout: tracker")[2]
