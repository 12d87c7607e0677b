"""EDIFACT: from bytes to segments, and from bytes to complete events, against pydifact."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydifact.exceptions import MissingImplementationWarning
from pydifact.segmentcollection import Interchange

from benchmarks.carrier_files import carrier_files
from benchmarks.contest import Contest, Sides, seconds
from benchmarks.product import CHANNEL, wired
from edi_gateway.model import Segment, utc_now
from edi_gateway.pipeline.partners import Channel
from edi_gateway.pipeline.reading import read

_EVENTS: Final = 4_000
_TIMES: Final = 5  # times we read the same file in one run, so that the clock has something to measure
_AGAINST: Final = f"pydifact {version('pydifact')}, Interchange.from_str"


@contextmanager
def _reading(ours: Callable[[Channel, bytes], int]) -> Iterator[Sides]:
    """Both read one interchange of 1 MB; ``ours`` returns how much it found, so that nothing is left out unnoticed."""
    (content,) = carrier_files(_EVENTS, _EVENTS)
    warnings.simplefilter("ignore", MissingImplementationWarning)  # pydifact's wheel lacks files it looks for
    text, megabytes = content.decode("latin-1"), len(content) / 1e6
    with tempfile.TemporaryDirectory(prefix="edi-bench-") as folder:
        channel = wired(Path(folder)).channels[CHANNEL]
        found = ours(channel, content)
        if found != _EVENTS:
            raise ValueError(f"found {found} events in the file, expected {_EVENTS}")
        yield Sides(
            us=lambda: _TIMES * megabytes / seconds(lambda: [ours(channel, content) for _ in range(_TIMES)]),
            peer=lambda: megabytes / seconds(partial(Interchange.from_str, text)),
        )


def _decode(channel: Channel, content: bytes) -> int:
    """Envelope, counts, references and tags checked, every segment in its place and in hand; no element is cut."""
    return sum(segment.tag == "STS" for body in _bodies(channel, content) for segment in body.below())


def _decode_elements(channel: Channel, content: bytes) -> int:
    """The same, and every segment split into its elements."""
    found = 0
    for body in _bodies(channel, content):
        for segment in body.below():
            segment.components(1)
            found += segment.tag == "STS"
    return found


def _bodies(channel: Channel, content: bytes) -> Iterator[Segment]:
    for interchange in channel.format.decode(content):
        if interchange.findings:
            raise ValueError(str(interchange.findings[0]))
        for message in interchange.messages:
            if message.body is None or message.findings:
                raise ValueError(str(message.findings[0]))
            yield message.body


def _events(channel: Channel, content: bytes) -> int:
    """Complete events: mapped, with their provenance, and the fingerprint each is recognised by."""
    fingerprints = set()
    for reading in read(content, channel.format, channel.mapping, channel.partner, utc_now()):
        if reading.findings:
            raise ValueError(str(reading.findings[0]))
        if reading.said is not None:
            for event in reading.said.events:
                if not event.mapped or not event.provenance.segment:
                    raise ValueError(f"{event} is not complete")
                fingerprints.add(event.fingerprint(channel.dedupe_window))
    return len(fingerprints)


CONTESTS: Final = (
    Contest("edifact_decode_speed_vs_pydifact", "MB/s", _AGAINST, partial(_reading, _decode), runs=9),
    Contest("edifact_decode_elements_speed_vs_pydifact", "MB/s", _AGAINST, partial(_reading, _decode_elements), runs=9),
    Contest("edifact_events_speed_vs_pydifact", "MB/s", _AGAINST, partial(_reading, _events), runs=9),
)
