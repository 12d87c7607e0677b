"""CSV: from bytes to complete events, against Python's csv.DictReader, which makes dicts of rows and stops there."""

from __future__ import annotations

import csv
import random
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.contest import Contest, Sides, seconds
from edi_gateway.daemon.garbage import spare_the_collector
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import utc_now
from edi_gateway.pipeline.reading import read

_ROWS: Final = 100_000
_SEED: Final = 20250303
_BEGIN: Final = datetime(2025, 3, 3, 5)  # noqa: DTZ001  as its files do, the carrier names no zone
_HEADER: Final = "Parcel;Status;Reason;Scanned at;Depot;UN/LOCODE;Country;Text;Customer;Reference;Signed by;Weight"
_STATUSES: Final = (("10", ""), ("20", ""), ("30", "2"), ("40", ""), ("90", ""))
_DEPOTS: Final = (
    ("HAMBURG", "DEHAM", "DE"),
    ("BREMEN", "DEBRE", "DE"),
    ("DORTMUND", "DEDTM", "DE"),
    ("LEIPZIG", "DELEJ", "DE"),
    ("MÜNCHEN", "DEMUC", "DE"),
    ("WIEN", "ATVIE", "AT"),
)
_MAPPING: Final = """\
timezone: Europe/Berlin
format: {type: delimited, delimiter: semicolon}
for_each: ROW
event:
  tracking_number: "@Parcel"
  code: "@Status"
  reason: "@Reason"
  text: "@Text"
  occurred_at: {path: "@Scanned at", format: "%d.%m.%Y %H:%M"}
  location: {name: "@Depot", unlocode: {path: "@UN/LOCODE", convert: unlocode}, country: "@Country"}
  account: "@Customer"
  signatory: "@Signed by"
  references:
    - {CU: "@Reference"}
codes:
  "10": {status: PICKED_UP}
  "20": {status: IN_TRANSIT, reason: transit.arrived_facility}
  "30": {status: ATTEMPT_FAILURE, reasons: {"2": {status: ATTEMPT_FAILURE, reason: attempt.not_home}}}
  "40": {status: OUT_FOR_DELIVERY}
  "90": {status: DELIVERED}
"""


def rows(count: int) -> bytes:
    """A carrier's file, made up: the same bytes for the same number, scans in the order of their time."""
    rng, at, lines = random.Random(_SEED), _BEGIN, [_HEADER]  # noqa: S311  texts, not secrets
    for number in range(count):
        at += timedelta(seconds=rng.randrange(20))
        code, reason = rng.choice(_STATUSES)
        depot, unlocode, country = rng.choice(_DEPOTS)
        signed = '"SCHMIDT; SÖHNE"' if code == "90" else ""
        where = f"{depot};{unlocode};{country}"
        what = f"SCANNED AT DEPOT {number % 90};{4400 + number % 100};PO{number * 7:08};{signed};{rng.randrange(900)},5"
        lines.append(f"SP{number // 4:010};{code};{reason};{at:%d.%m.%Y %H:%M};{where};{what}")
    return "\r\n".join([*lines, ""]).encode()


@contextmanager
def _events() -> Iterator[Sides]:
    content = rows(_ROWS)
    text = content.decode()
    with tempfile.TemporaryDirectory(prefix="edi-bench-") as folder:
        (Path(folder) / "speedy").mkdir()
        (Path(folder) / "speedy" / "rows.yaml").write_text(_MAPPING, encoding="utf-8")
        library = Library([Path(folder)])
        mapping, syntax = library.reader("speedy/rows"), library.format("speedy/rows")

        def ours() -> None:
            found = 0
            for reading in read(content, syntax, mapping, Partner("speedy"), utc_now()):
                if reading.findings:
                    raise ValueError(str(reading.findings[0]))
                for event in reading.said.events if reading.said else ():
                    event.fingerprint()
                    found += event.mapped and event.provenance.segment > 0
            if found != _ROWS:
                raise ValueError(f"found {found} events in the file, expected {_ROWS}")

        def theirs() -> None:
            deque(csv.DictReader(text.splitlines(keepends=True), delimiter=";"), maxlen=0)

        spare_the_collector()  # as the daemon does
        yield Sides(us=lambda: _ROWS / seconds(ours), peer=lambda: _ROWS / seconds(theirs))


CONTESTS: Final = (
    Contest(
        "csv_events_time/speed_vs_dictreader",
        "rows/s",
        "csv.DictReader, from text that is decoded already",
        _events,
        runs=5,
    ),
)
