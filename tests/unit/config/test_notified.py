"""Destinations that are told event by event: their keys, their defaults, and what makes no sense for them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edi_gateway.config.load import load_config
from edi_gateway.config.schema import json_schema
from edi_gateway.errors import ConfigError
from edi_gateway.pipeline.partners import Destination, Trigger
from tests import configured
from tests.notified import HOOLI, destination, wire_hooli

pytestmark = pytest.mark.usefixtures("hook")
FILE = "customers/hooli.yaml"


def mistakes(folder: Path, *lines: str, file: str = HOOLI, globex: str = configured.GLOBEX) -> list[str]:
    """The problems of the destination with these lines of its own, by line of the customer's file."""
    text = file + "".join(f"    {line}\n" for line in lines)
    configured.write(folder, customers__hooli=text, customers__globex=globex)
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    return [problem.replace(f"{folder}/", "", 1) for problem in caught.value.problems]


def wired(folder: Path, *lines: str) -> Destination:
    return destination(wire_hooli(folder, *lines))


def test_a_destination_that_is_told_event_by_event_needs_a_sink_only(tmp_path: Path) -> None:
    """Changes of the status, in the canonical layout, at once; ten attempts over 75 hours and 35 minutes."""
    hooli = wired(tmp_path)

    assert hooli.notifying is not None
    assert ({Trigger.STATUS}, "canonical", False) == (hooli.events, hooli.notifying.layout, hooli.notifying.history)
    assert (9, timedelta(hours=75, minutes=35, seconds=5)) == (len(hooli.retry), sum(hooli.retry, timedelta()))
    assert (timedelta(), False, False, 4) == (
        hooli.batch.every, hooli.in_order, hooli.line_per_shipment, hooli.in_flight
    )  # fmt: skip


def test_what_it_says_of_itself_holds(tmp_path: Path) -> None:
    """Triggers as a word or a list, layout, vocabulary, order and retry."""
    lines = (
        "events: [reason_changes, estimated_delivery_changes]",
        "layout: tracker",
        "order: shipment",
        "retry: [1s]",
    )
    hooli = wired(tmp_path, *lines)

    assert hooli.notifying is not None
    assert {Trigger.REASON, Trigger.ESTIMATE} == hooli.events
    assert ("tracker", True, (timedelta(seconds=1),)) == (
        hooli.notifying.layout, hooli.line_per_shipment, hooli.retry
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch: {every: 1m}", "batch: this destination is told event by event, expected no such key: each event is"),
        ('file_name: "{control}.json"', "file_name: this destination is told event by event, expected no such key: "),
        ("control_numbers: {start: 5}", "control_numbers: this destination is told event by event, expected no such"),
        ("encrypt: {to: x}", "encrypt: this destination is told event by event, expected no such key: what is sent"),
        ("acknowledgement: {expect: contrl}", "acknowledgement: this destination is told event by event, expected no"),
        ("unencodable: replace", "unencodable: this destination is told event by event, expected no such key: JSON"),
        ("mapping: standard/tracking_events", "mapping: missing key 'format' beside it, expected both, or a layout"),
        ("format: {type: json}", "format: missing key 'mapping' beside it, expected both, or a layout instead"),
        ("layout: trakcer", "layout: found 'trakcer', expected one of 'canonical' or 'tracker', did you mean"),
        ("events: [status_change]", "events[0]: found 'status_change', expected one of "),
        ("events: []", "events: found an empty list, expected at least 1 of them"),
        ("only: [{}]", "only[0]: a rule without conditions, expected at least one"),
        ("only: [{carrier: spedy}]", "only[0].carrier: there is no carrier 'spedy', did you mean 'speedy'?"),
        ("order: shipments", "order: found 'shipments', expected one of "),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_what_to_do(tmp_path: Path, line: str, said: str) -> None:
    """At its file and line."""
    found = mistakes(tmp_path, line)
    assert any(each.startswith(f"{FILE}:6: destinations.live.{said}") for each in found), found


def test_a_vocabulary_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """It is one of ours or a mapping."""
    assert mistakes(tmp_path, "vocabulary: nine_statuses")[0].startswith(f"{FILE}:6: there is no mapping nine_statuses")


@pytest.mark.parametrize("key", ["layout: canonical", "vocabulary: canonical", "history: true"])
def test_an_own_layout_excludes_ours(tmp_path: Path, key: str) -> None:
    """Format and mapping say all there is to say."""
    own = ("format: {type: json}", "mapping: standard/tracking_events", key)
    name = key.partition(":")[0]
    assert f"{FILE}:8: destinations.live.{name}: format and mapping say what is sent, expected no such key" in mistakes(
        tmp_path, *own
    )


def test_an_own_layout_is_json(tmp_path: Path) -> None:
    """Whoever is told event by event reads JSON."""
    own = ("format: {type: edifact}", "mapping: standard/tracking_events")
    said = f"{FILE}:6: destinations.live.format.type: found 'edifact', expected json: a notification is JSON"
    assert said in mistakes(tmp_path, *own)


def test_a_tracker_needs_no_history(tmp_path: Path) -> None:
    """It has all its checkpoints."""
    [said] = mistakes(tmp_path, "layout: tracker", "history: true")
    assert said.startswith(f"{FILE}:7: destinations.live.history: a tracker has all its checkpoints")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("layout: tracker", "layout: this destination gets files, expected no such key: files are laid out by format"),
        ("vocabulary: nine_status", "vocabulary: this destination gets files, expected no such key: statuses get the"),
        ("history: true", "history: this destination gets files, expected no such key: a file holds many events"),
        ("order: shipment", "order: found 'shipment', expected any or strict: a file tells of many shipments"),
    ],
)
def test_a_file_has_no_keys_of_notifications(tmp_path: Path, line: str, said: str) -> None:
    """Told like any other mistake."""
    found = mistakes(tmp_path, globex=f"{configured.GLOBEX}    {line}\n")
    assert any(each.startswith(f"customers/globex.yaml:10: destinations.edi.{said}") for each in found), found


@pytest.mark.parametrize("key", ["format", "mapping", "file_name"])
def test_a_file_needs_its_keys_still(tmp_path: Path, key: str) -> None:
    """Only who is told event by event may leave them out."""
    lines = configured.GLOBEX.splitlines(keepends=True)
    found = mistakes(tmp_path, globex="".join(each for each in lines if not each.strip().startswith(f"{key}:")))
    assert any(f"destinations.edi: missing key '{key}', expected " in each for each in found), found


def test_a_files_mapping_cannot_ask_what_only_a_notification_knows(tmp_path: Path) -> None:
    """It is told when the configuration is read, not when the first file is made."""
    path = tmp_path / "mappings" / "globex" / "own.yaml"
    path.parent.mkdir(parents=True)
    path.write_text('extends: standard/tracking_events\nheader: {"BGM@2.1": "{sequence}"}\n')
    gateway = configured.GATEWAY.replace(str(configured.MAPPINGS), f"[{tmp_path / 'mappings'}, {configured.MAPPINGS}]")
    globex = configured.GLOBEX.replace("mapping: standard/tracking_events", "mapping: globex/own")
    with pytest.raises(ConfigError, match=r"globex/own asks for \{sequence\}, which only what tells one event"):
        wire_hooli(tmp_path, gateway=gateway, customers__globex=globex)


def test_editors_know_the_keys(tmp_path: Path) -> None:
    """The JSON Schema has the triggers as a word or a list, and needs no format."""
    assert tmp_path.is_dir()
    described = json_schema("customer")["$defs"]["DestinationOptions"]
    assert ["sink"] == described["required"]
    assert "estimated_delivery_changes" in str(described["properties"]["events"])
    assert {"layout", "vocabulary", "history", "only"} < described["properties"].keys()
