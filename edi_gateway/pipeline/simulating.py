"""Test data through the pipeline: the channel by which it comes, and test tracking codes told of a number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from edi_gateway.formats.trees.json_text import Json
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.partners import Channel
from edi_gateway.plugins import Arrival, Memory, Step
from edi_gateway.simulation.play import Report, reports
from edi_gateway.simulation.scenario import scenario, tracking_codes
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from edi_gateway.worlds import CHANNEL, MARK, named_in

MAPPING: Final = "simulated/events"
CARRIER: Final = "simulated"  # of test data for which nobody names one
_SELDOM: Final = timedelta(days=1)
_FRESH: Final = timedelta(days=1)  # how long a test tracking code's history is told as it is


class _Quiet:
    """A source to which nothing comes by itself: test documents are entered into the inbox."""

    async def poll(self, memory: Memory) -> AsyncIterator[Sequence[Arrival]]:  # noqa: ARG002
        """Nothing."""
        for nothing in tuple[Sequence[Arrival]]():
            yield nothing

    async def check(self) -> AsyncIterator[Step]:
        """Nothing to prove."""
        for nothing in tuple[Step]():
            yield nothing

    async def close(self) -> None:
        """Nothing is open."""


def simulated(mapping: Mapping) -> Channel:
    """The channel of all test documents; the carrier is each document's own."""
    return Channel(CHANNEL, Partner(MARK), _Quiet(), _SELDOM, Json(), mapping)


def enter(db: Database, world: str, carrier: str, said: Iterable[Report]) -> list[int]:
    """Put a simulated carrier's reports into the inbox as they are, in order; returns the documents' ids.

    ``world`` is a customer's test world. One that came before is not entered again.
    """
    now = utc_now()
    documents = [RawDocument(CHANNEL, report.name, report.content, now, "") for report in said]
    received = inbox.receive(db, named_in(world, carrier), documents)
    return [each.duplicate_of or each.document_id for each in received]


def tell(db: Database, world: str, carrier: str, code: str, now: datetime, *, anew: bool) -> list[int]:
    """Let a carrier report the history of a test tracking code, ending now; returns the documents' ids.

    A history that is younger than a day is left as it is, unless it is to be told ``anew``.
    """
    last = inbox.last_received(db, named_in(world, carrier), f"{code}-")
    if not anew and last is not None and now - last < _FRESH:
        return []
    ends = now.replace(second=0, microsecond=0)  # so that whoever asks twice is told once
    return enter(db, world, carrier, reports(scenario(tracking_codes()[code]), code, ends, anew=True))
