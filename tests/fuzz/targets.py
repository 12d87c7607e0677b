"""What is fuzzed: each syntax from bytes to fingerprints, through the mappings that come with the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.pipeline.reading import read

_MAPPINGS: Final = Path(__file__).parents[2] / "mappings"
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DEFECT: Final = "something that made the gateway fail"

# For each syntax the mappings that read it: together they use every kind of place and option there is.
READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "edifact": ("standard/iftsta", "kurier/iftsta"),
    "x12": ("standard/x12-214", "standard/x12-315"),
    "delimited": ("royalmail/csv_records", "gls/pakstat"),
    "fixed_width": ("lastmile/h001",),
    "json": ("fedex/track", "royalmail/events", "ups/track_alert"),
    "xml": ("dhl_express/tracking", "bpost/track", "dhl_parcel_de/track"),
}


class DefectError(Exception):
    """Input made the gateway fail instead of being taken or set aside."""


def target(syntax: str) -> Callable[[bytes], None]:
    """Reads bytes by every mapping of the syntax; raises DefectError where that fails."""
    library = Library([_MAPPINGS])
    readers = [(library.format(name), library.reader(name)) for name in READ_BY[syntax]]
    partner = Partner("carrier", "Europe/Berlin")
    structlog.configure(processors=[_dropped])

    def fuzz(content: bytes) -> None:
        for form, mapping in readers:
            form.is_complete(content)
            for reading in read(content, form, mapping, partner, _NOW):
                for finding in reading.findings:
                    if finding.found.startswith(_DEFECT):
                        raise DefectError(str(finding))
                for event in reading.said.events if reading.said else ():
                    event.fingerprint()

    return fuzz


def seeds(syntax: str) -> Iterator[bytes]:
    """What the fuzzer begins with: the samples of the mappings that read the syntax, and nothing at all."""
    yield b""
    for name in READ_BY[syntax]:
        folder = _MAPPINGS / name.partition("/")[0] / "samples" / name.partition("/")[2]
        for path in sorted(folder.glob("*")):
            if not path.name.endswith(".events.jsonl"):
                yield path.read_bytes()


def _dropped(*_: object) -> structlog.typing.EventDict:
    raise structlog.DropEvent


if __name__ == "__main__":
    print(*READ_BY)  # noqa: T201  for make
