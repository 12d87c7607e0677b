"""Test keys: whatever a carrier is called, it is known, and test tracking codes are told at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from edi_gateway.model import number_of, utc_now
from edi_gateway.pipeline.simulating import CARRIER, tell
from edi_gateway.simulation.scenario import tracking_codes
from edi_gateway.store import inbox, tracks
from edi_gateway.store.engine import Database
from edi_gateway.web.api.caller import Caller, Context
from edi_gateway.worlds import CHANNEL, named_in

_LOOK: Final = 0.02  # seconds between two looks
_LONGEST: Final = 10.0  # seconds; what takes longer is told when it is there

Asked = tuple[str, str]  # carrier, "" for whoever carries it; tracking number


class _EveryCarrier(Mapping[str, str]):
    """Whatever a carrier is called: its name in a test world."""

    def __init__(self, world: str) -> None:
        self._world = world

    def __getitem__(self, name: str) -> str:
        if not name:
            raise KeyError(name)
        return named_in(self._world, name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def known_carriers(who: Caller, carriers: Collection[str]) -> Mapping[str, str]:
    """Name in small letters → what the carrier is called in the tables; a test key knows every carrier."""
    return _EveryCarrier(who.customer) if who.test else {name.lower(): name for name in carriers}


async def rehearse(who: Caller, gateway: Context, asked: Iterable[Asked], *, anew: bool, wait: bool = True) -> None:
    """Have the histories of the test tracking codes among these numbers reported, for a test key.

    ``anew``: also those that were reported before, ending now; otherwise only once a day. ``wait`` until they can be
    read, but no longer than ten seconds.
    """
    codes = {(carrier, number_of(number)) for carrier, number in asked if number_of(number) in tracking_codes()}
    if not who.test or not codes:
        return
    documents = await asyncio.to_thread(_tell, gateway.db, who.customer, codes, anew=anew)
    gateway.wake(CHANNEL)
    until = time.monotonic() + _LONGEST
    while wait and time.monotonic() < until:
        if await asyncio.to_thread(inbox.all_processed, gateway.db, documents):
            return
        await asyncio.sleep(_LOOK)


def _tell(db: Database, world: str, codes: Collection[Asked], *, anew: bool) -> list[int]:
    unsaid = {number for carrier, number in codes if not carrier}
    known = tracks.by_numbers(db, world, unsaid) if unsaid else {}
    documents: list[int] = []
    for carrier, number in sorted(codes):
        before = next((track.carrier for track in known.get(number, ()) if track.carrier), CARRIER)
        documents += tell(db, world, carrier or before, number, utc_now(), anew=anew)
    return documents
