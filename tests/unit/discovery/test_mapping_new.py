"""``edi-gateway mapping new``: what a sample gives is a mapping that loads, and reads it where guesses suffice."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from edi_gateway.cli.main import app
from edi_gateway.discovery.discover import discover
from edi_gateway.discovery.sample import MOST, sample_of
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.pipeline.reading import read
from edi_gateway.pipeline.samples import Sample, samples
from tests.unit.pipeline.iftsta import interchange, message, sts

MAPPINGS = Path(__file__).parents[3] / "mappings"
NOW = datetime(2038, 1, 1, tzinfo=UTC)

PLAIN_CSV = """Sendungsnr;Ereignis;Beschreibung;Zeitpunkt;Ort;Land
00340434161094000001;K10;Sendung abgeholt;24.10.2026 08:15;München;DE
00340434161094000001;K30;In Zustellung;25.10.2026 07:05;Köln;DE
00340434161094000001;K90;Zugestellt;25.10.2026 11:40;Köln;DE
00340434161094000002;K10;Sendung abgeholt;24.10.2026 08:16;München;DE
00340434161094000002;K77;Sonderfall 7;25.10.2026 09:00;Köln;DE
"""
X12 = (
    "ISA*00*          *00*          *02*CARR           *ZZ*GATE           *261101*0900*U*00401*000000001*0*P*>~"
    "GS*QM*CARR*GATE*20261101*0900*1*X*004010~ST*214*0001~B10*PRO12345*SHIP1*CARR~LX*1~"
    "AT7*D1*NS***20261101*0830*UT~MS1*DALLAS*TX*US~AT7*ZZ9*NS***20261101*0840*UT~SE*7*0001~GE*1*1~IEA*1*000000001~"
)


def new(content: bytes | str, folder: Path, *more: str, name: str = "speedy/status") -> tuple[Result, str]:
    """Run the command on a sample; the answer, and the mapping it wrote."""
    file = folder / "sample.dat"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    command = [
        "--config",
        str(folder / "none"),
        "mapping",
        "new",
        name,
        "--from",
        str(file),
        "--out",
        str(folder / "m"),
    ]
    done = CliRunner().invoke(app, [*command, *more])
    written = folder / "m" / f"{name}.yaml"
    return done, written.read_text(encoding="utf-8") if written.exists() else ""


def events(content: bytes | str, folder: Path, name: str = "speedy/status") -> Sequence[tuple[str, str, str]]:
    """Number, status and time of what the new mapping reads."""
    library = Library([folder / "m", MAPPINGS])
    raw = content.encode() if isinstance(content, str) else content
    readings = read(raw, library.format(name), library.reader(name), Partner(""), NOW)
    said = [event for reading in readings if reading.said for event in reading.said.events]
    return [(event.tracking_number, str(event.status), event.occurred_at.isoformat()) for event in said]


def test_a_plain_csv_gives_its_events(tmp_path: Path) -> None:
    """Delimiter, header, encoding, time and the meaning of texts; a code whose text says nothing stays UNKNOWN."""
    content = PLAIN_CSV.encode("cp1252")
    done, written = new(content, tmp_path)
    assert done.exit_code == 0, done.output
    assert events(content, tmp_path) == [
        ("00340434161094000001", "PICKED_UP", "2026-10-24T08:15:00+02:00"),
        ("00340434161094000001", "OUT_FOR_DELIVERY", "2026-10-25T07:05:00+01:00"),
        ("00340434161094000001", "DELIVERED", "2026-10-25T11:40:00+01:00"),
        ("00340434161094000002", "PICKED_UP", "2026-10-24T08:16:00+02:00"),
        ("00340434161094000002", "UNKNOWN", "2026-10-25T09:00:00+01:00"),
    ]
    assert "encoding: cp1252" in written
    assert "# K77: {status: UNKNOWN}   # review: seen 1x, 'Sonderfall 7'" in written
    assert "K77" in done.output


def test_day_and_month_that_can_be_either_are_told(tmp_path: Path) -> None:
    """In the file and on the terminal, as long as no value decides."""
    head = "Tracking Number,Status,Date\n"
    done, written = new(
        head + "AB12345678,Delivered,03/04/2026 10:00\nAB12345679,Delivered,05/06/2026 10:00\n", tmp_path
    )
    assert "AMBIGUOUS: %m/%d/%Y %H:%M fits every value as well" in written
    assert "whether Date has the day or the month first" in done.output
    _, written = new(head + "AB12345678,Delivered,03/14/2026 10:00\n", tmp_path, "--force")
    assert 'format: "%m/%d/%Y %H:%M"' in written
    assert "AMBIGUOUS" not in written


def test_a_trailer_that_counts_is_found(tmp_path: Path) -> None:
    """Behind rows with a header; a file without it is cut short then."""
    content = PLAIN_CSV + "TRL;5\n"
    _, written = new(content, tmp_path)
    assert "trailer: {record: TRAILER, count: count, counts: [ROW]}" in written
    assert len(events(content, tmp_path)) == 5
    assert events(PLAIN_CSV, tmp_path) == []


def test_json_gives_its_events_with_the_number_outward(tmp_path: Path) -> None:
    """Each event has the number of the shipment that holds it, not of the first."""
    shipments = [
        {
            "trackingNumber": f"JX{number:010}",
            "events": [
                {"code": "DL", "description": "Delivered", "eventDateTime": "2026-10-25T11:40:00+01:00"},
                {"code": "OD", "description": "Out for delivery", "eventDateTime": "2026-10-25T07:05:00+01:00"},
            ],
        }
        for number in (1, 2)
    ]
    wanted = [
        (f"JX000000000{number}", status, f"2026-10-25T{time}:00+01:00")
        for number in (1, 2)
        for status, time in (("DELIVERED", "11:40"), ("OUT_FOR_DELIVERY", "07:05"))
    ]
    for content in (
        json.dumps({"result": {"shipments": shipments}}),
        json.dumps(shipments),
        "\n".join(map(json.dumps, shipments)) + "\n",
    ):
        done, _ = new(content, tmp_path, "--force")
        assert done.exit_code == 0, done.output
        assert events(content, tmp_path) == wanted


def test_xml_numbers_are_those_of_what_holds_the_event(tmp_path: Path) -> None:
    """A sample with one shipment must not make a mapping that gives its number to the events of others."""
    history = "<history><event><code>D</code><date>2026-10-25T11:40:00Z</date></event></history>"
    parcel = f"<parcel><pin>{{0}}</pin>{history}</parcel>"
    new(f"<r>{parcel.format('7023210039414604')}</r>", tmp_path)
    both = f"<r>{parcel.format('7023210039414604')}{parcel.format('7023210039414605')}</r>"
    assert [number for number, _, _ in events(both, tmp_path)] == ["7023210039414604", "7023210039414605"]


def test_what_looks_like_events_beside_the_events_is_told(tmp_path: Path) -> None:
    """The last event often stands apart from those before it."""
    event = "<EventCode>01</EventCode><EventDate>2026-10-25</EventDate><EventTime>10:00</EventTime><City>X</City>"
    content = f"<t><i ID='9102901000462189604217'><Last>{event}</Last><TrackDetail>{event}</TrackDetail></i></t>"
    done, written = new(content, tmp_path)
    assert "Last" in written
    assert "holds events, too" in done.output


def test_an_iftsta_builds_on_the_standard(tmp_path: Path) -> None:
    """What the standard knows it reads; the carrier's own codes are listed by agency, with suggestions."""
    body = "CNI+1+K1'STS+1+X7::87:Zugestellt'DTM+334:202610120730:203'"
    content = interchange(message(sts("K0", "21", 30), body))
    done, written = new(content, tmp_path)
    assert done.exit_code == 0, done.output
    assert "extends: standard/iftsta" in written
    assert '- agency: "87"' in written
    assert [(number, status) for number, status, _ in events(content, tmp_path)] == [
        ("K0", "DELIVERED"),
        ("K1", "DELIVERED"),
    ]


def test_a_214_builds_on_the_standard(tmp_path: Path) -> None:
    """Its unknown code stays a comment."""
    done, written = new(X12, tmp_path)
    assert done.exit_code == 0, done.output
    assert "extends: standard/x12-214" in written
    assert "# ZZ9: {status: UNKNOWN}" in written
    assert events(X12, tmp_path) == [
        ("PRO12345", "DELIVERED", "2026-11-01T08:30:00+00:00"),
        ("PRO12345", "UNKNOWN", "2026-11-01T08:40:00+00:00"),
    ]


def test_a_mapping_is_not_overwritten_without_force(tmp_path: Path) -> None:
    """What a person has put right stays."""
    new(PLAIN_CSV, tmp_path)
    target = tmp_path / "m" / "speedy" / "status.yaml"
    target.write_text("mine\n")
    done, written = new(PLAIN_CSV, tmp_path)
    assert (done.exit_code, written) == (1, "mine\n")
    assert isinstance(done.exception, ConfigError)
    assert "--force" in str(done.exception)
    done, written = new(PLAIN_CSV, tmp_path, "--force")
    assert done.exit_code == 0
    assert "Sendungsnr" in written


def test_a_packed_sample_is_unpacked(tmp_path: Path) -> None:
    """Bounded, whatever it claims to hold."""
    done, written = new(gzip.compress(PLAIN_CSV.encode()), tmp_path)
    assert done.exit_code == 0, done.output
    assert "@Sendungsnr" in written
    packed = gzip.compress(b"a;b\n" * 20_000_000)
    tracemalloc.start()
    bomb = sample_of("bomb", packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not bomb.whole
    assert peak < 10 * MOST


def test_values_of_the_sample_cannot_break_out_of_their_comments(tmp_path: Path) -> None:
    """Neither the file nor the terminal is steered by what a carrier sends."""
    event = {"trackingNumber": "JX0000000001", "code": "A\x1b[31m", "text": "b\ncodes: {}\x1b[0m" + "c" * 5_000}
    done, written = new(json.dumps([event | {"eventTime": "2026-10-25T11:40:00Z"}]), tmp_path)
    assert done.exit_code == 0, done.exception
    assert "\x1b" not in written + done.output
    assert max(map(len, written.splitlines())) < 400


@pytest.mark.parametrize("cut", [("[", "{}", "]"), ("<r>", "", "</r>"), ("", "", "")], ids=["json", "xml", "csv"])
def test_only_the_beginning_of_a_large_file_is_looked_at(cut: tuple[str, str, str]) -> None:
    """What goes on behind it is not needed, wherever the cut falls."""
    event = {"trackingNumber": "JX0000000001", "status": "Delivered", "eventTime": "2026-10-25T11:40:00Z"}
    rows = {
        "[": json.dumps(event) + ",",
        "<r>": "<event><trackingNumber>JX0000000001</trackingNumber><status>Delivered</status>"
        "<eventTime>2026-10-25T11:40:00Z</eventTime></event>",
        "": "JX0000000001;Delivered;2026-10-25T11:40:00Z\n",
    }
    head = cut[0] or "trackingNumber;status;eventTime\n"
    row = rows[cut[0]]
    sample = sample_of("large", (head + row * (MOST // len(row) + 2)).encode())
    assert not sample.whole
    draft = discover(sample, "speedy/status", Library([MAPPINGS]))
    assert any("tracking number: trackingNumber" in line for line in draft.recognised)
    assert "eventTime" in draft.text


@pytest.mark.parametrize("sample", list(samples(Library([MAPPINGS]))), ids=lambda sample: f"{sample.mapping}")
def test_every_shape_there_is_a_mapping_for_gives_one_that_loads(sample: Sample, tmp_path: Path) -> None:
    """And is the same each time it is made."""
    content = sample.path.read_bytes()
    done, written = new(content, tmp_path)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "# review:" in written
    assert Library([tmp_path / "m", MAPPINGS]).use("speedy/status") == ("reads", ())
    assert new(content, tmp_path, "--force")[1] == written


def _loads(raw: bytes, folder: Path) -> None:
    try:
        text = discover(sample_of("any", raw), "speedy/status", Library([MAPPINGS])).text
    except ConfigError:
        return
    target = folder / "speedy" / "status.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    library = Library([folder, MAPPINGS])
    library.reader("speedy/status")
    library.format("speedy/status")
    assert max(map(len, text.splitlines())) < 5_000


_CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["D", "21", "2026-10-25", "10:00", "03/04/2026", "ABC1234567", "Delivered", "tracking number", "null"]
    ),
)
_TREES = st.recursive(
    st.one_of(_CELLS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_CELLS, inner, max_size=4)),
)


@settings(max_examples=25, deadline=None)
@given(
    raw=st.binary(max_size=300),
    start=st.sampled_from([b"", b"UNB+UNOA:1+", b"ISA*00*", b"<a>", b"{", b"[", b"\x1f\x8b"]),
)
def test_any_bytes_give_a_mapping_that_loads_or_a_reason(
    raw: bytes, start: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing else."""
    _loads(start + raw, tmp_path_factory.mktemp("any"))


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.lists(_CELLS, min_size=2, max_size=6), max_size=8), delimiter=st.sampled_from(";,\t|"))
def test_any_rows_give_a_mapping_that_loads_or_a_reason(
    rows: list[list[str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever columns are called, and whatever stands in them."""
    text = "\n".join(delimiter.join(row) for row in rows)
    _loads(text.encode("utf-8", "replace"), tmp_path_factory.mktemp("rows"))


@settings(max_examples=25, deadline=None)
@given(tree=_TREES)
def test_any_tree_gives_a_mapping_that_loads_or_a_reason(
    tree: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever keys are called, and however they are nested."""
    _loads(json.dumps(tree).encode(), tmp_path_factory.mktemp("tree"))
