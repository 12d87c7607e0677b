"""What carriers publish of their formats is read by the mappings that were made for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edi_gateway.mapping.load import Library
from edi_gateway.model import Status
from tests.unit.formats.records import of

_ROOT = Path(__file__).parents[3]
_ORIGINALS = _ROOT.parent / "shared" / "domain" / "samples" / "payloads"
_LIBRARY = Library([_ROOT / "mappings"])

# file: mapping, events, set aside, statuses that are among them
_SAID: dict[str, tuple[str, int, int, set[Status]]] = {
    "as_canadapost_pws_tracking_details_en.xml": (
        "canadapost/tracking_detail",
        10,
        0,
        {Status.DELIVERED, Status.PENDING},
    ),
    "as_fedex_tracking_response_delivered_with_signature.xml": ("fedex/webservice", 11, 0, {Status.DELIVERED}),
    "as_fedex_tracking_response_missing_status_code.xml": ("fedex/webservice", 0, 1, set()),
    "as_fedex_tracking_response_multiple_results.xml": ("fedex/webservice", 0, 3, set()),
    "as_stamps_track_shipment_response.xml": ("stamps/track_shipment", 0, 3, set()),
    "as_usps_tracking_response_batch.xml": ("usps/track", 12, 2, {Status.DELIVERED, Status.OUT_FOR_DELIVERY}),
    "australiapost_track.json": ("australiapost/track", 27, 0, {Status.DELIVERED, Status.IN_TRANSIT}),
    "bpost_track.xml": ("bpost/track", 3, 0, {Status.DELIVERED, Status.OUT_FOR_DELIVERY, Status.IN_TRANSIT}),
    "canadapost_track.xml": ("canadapost/tracking_detail", 6, 0, {Status.DELIVERED, Status.EXCEPTION}),
    "dcsa_tnt_v2_event_example.yaml.txt": ("dcsa/events", 0, 1, set()),
    "dhl_express_track.xml": ("dhl_express/tracking", 19, 0, {Status.DELIVERED, Status.PICKED_UP}),
    "dhl_parcel_de_track.xml": ("dhl_parcel_de/track", 7, 0, {Status.DELIVERED, Status.PICKED_UP}),
    "dpd_track.xml": ("dpd/parcel_life_cycle", 0, 15, set()),
    "fedex_track.json": ("fedex/track", 1, 1, {Status.PICKED_UP}),
    "gls_pakstat.018": ("gls/pakstat", 3, 0, {Status.DELIVERED}),
    "gls_track.json": ("gls/track", 2, 0, {Status.PENDING, Status.PICKED_UP}),
    "laposte_track.json": ("laposte/track", 9, 0, {Status.DELIVERED, Status.PENDING}),
    "postnl_currentstatus.http": ("postnl/currentstatus", 1, 0, {Status.PICKED_UP}),
    "royalmail_csv_H_D_records.csv": ("royalmail/csv_records", 4, 0, {Status.PICKED_UP}),
    "royalmail_events.json": ("royalmail/events", 0, 1, set()),
    "spring_track.json": ("spring/track", 2, 0, {Status.DELIVERED, Status.PICKED_UP}),
    "ups_track_alert_delivered.json": ("ups/track_alert", 1, 0, {Status.DELIVERED}),
    "us_lastmile_H001_fixedlength.txt": ("lastmile/h001", 2, 0, {Status.IN_TRANSIT}),
}
_needs_originals = pytest.mark.skipif(
    not _ORIGINALS.is_dir(), reason="the carriers' own samples are not beside this checkout"
)


@_needs_originals
@pytest.mark.parametrize("name", _SAID)
def test_a_carriers_own_sample_is_read(name: str) -> None:
    """As many events as it tells, each with a code the mapping knows; what is wrong is set aside at its place."""
    mapping, events, aside, statuses = _SAID[name]
    found = of(_LIBRARY, mapping, (_ORIGINALS / name).read_bytes())
    assert (len(found.events), len(found.aside)) == (events, aside)
    assert statuses <= {event.status for event in found.events}
    assert all(event.mapped for event in found.events)
    assert all(finding.found or finding.expected for finding in found.aside)


@_needs_originals
def test_every_sample_has_its_mapping() -> None:
    """None is forgotten."""
    assert {path.name for path in _ORIGINALS.iterdir()} == set(_SAID)


@_needs_originals
def test_the_event_described_in_yaml_is_read_as_json() -> None:
    """What the excerpt of an API description shows as its example."""
    text = (_ORIGINALS / "dcsa_tnt_v2_event_example.yaml.txt").read_text(encoding="utf-8").split("default:")[0]
    event = {key: value for key, value in re.findall(r"^ +(\w+): ['\"](.*)['\"]$", text, re.MULTILINE)}  # noqa: C416
    found = of(_LIBRARY, "dcsa/events", json.dumps(event).encode())
    assert [(each.tracking_number, each.reason) for each in found.events] == [
        ("84DB923D-2A19-4EB0-BEB5-446C1EC57D34", "doc.issued")
    ]
    assert found.findings == []


@_needs_originals
def test_a_time_that_is_none_is_set_aside_at_its_place() -> None:
    """The example says UNPARSABLE DATE where a date belongs."""
    (aside,) = of(_LIBRARY, "royalmail/events", (_ORIGINALS / "royalmail_events.json").read_bytes()).aside
    assert (aside.found, aside.at.name, aside.code) == ("UNPARSABLE DATE", "eventDateTime", "12")


def test_every_mapping_named_here_is_shipped() -> None:
    """The project stands by itself: its own samples are tests wherever it lies."""
    assert {mapping for mapping, *_ in _SAID.values()} <= set(_LIBRARY.names())
