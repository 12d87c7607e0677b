"""Trackers as customers ask for them, whichever way they ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.model import Direction, Status, TrackingState, number_of
from edi_gateway.pipeline.requesting import request
from edi_gateway.pipeline.simulating import CARRIER
from edi_gateway.store import tracks
from edi_gateway.store.trackers import Gaps, Made, Wish
from edi_gateway.store.tracks import Track
from edi_gateway.web.api.caller import Caller, Context
from edi_gateway.web.api.models import Item
from edi_gateway.web.api.rehearsal import rehearse
from edi_gateway.worlds import named_in, shown


class UnknownCarrierError(LookupError):
    """There is no carrier of that name."""


def wished(item: Item, known: Mapping[str, str]) -> Wish:
    """What an item asks for. ``known`` as `rehearsal.known_carriers` has it. Raises UnknownCarrierError."""
    if item.carrier and item.carrier.lower() not in known:
        raise UnknownCarrierError(f"there is no carrier {item.carrier}")
    return Wish(known.get(item.carrier.lower(), ""), number_of(item.tracking_number))


async def make(gateway: Context, who: Caller, wishes: Sequence[Wish], *, wait: bool = False) -> list[Made]:
    """Trackers for these, in one transaction; carriers that can be asked for the new ones are from now on.

    With a test key, the histories of test tracking codes are told anew; ``wait`` until they can be read.
    """
    gaps = _in_test(who, wishes) if who.test else gateway.carriers()
    made = await asyncio.to_thread(request, gateway.db, who.customer, wishes, gaps, gateway.audience())
    if who.test:
        await rehearse(who, gateway, wishes, anew=True, wait=wait)
    else:
        await gateway.refreshing.revive({wish for wish, each in zip(wishes, made, strict=True) if each.new})
    return made


def _in_test(who: Caller, wishes: Sequence[Wish]) -> Gaps:
    """The carriers of a test world that these may concern."""
    named = {wish.carrier for wish in wishes if wish.carrier} | {named_in(who.customer, CARRIER)}
    return dict.fromkeys(named, DEFAULT_GAP)


async def make_one(gateway: Context, who: Caller, wish: Wish, wait: float | None) -> tuple[Track | None, bool]:
    """A tracker, and whether it is new; None when it was deleted meanwhile.

    The carrier is asked first and waited for, at most so many seconds. With None, a new tracker says what is known
    before anything was looked up.
    """
    [made] = await make(gateway, who, [wish], wait=wait is not None)
    track = await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, made.id)
    if track is None:
        return None, made.new
    if wait is None:
        return _unknown(track, wish) if made.new else track, made.new
    if not who.test:
        await gateway.refreshing.now(who.customer, {(track.carrier, track.tracking_number)}, wait)
    return await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, made.id), made.new


def _unknown(track: Track, wish: Wish) -> Track:
    """The tracker as if nothing were known of its shipment."""
    return replace(
        track,
        carrier=shown(wish.carrier),
        epoch=0,
        status=Status.UNKNOWN,
        reason="",
        direction=Direction.FORWARD,
        tracking_state=TrackingState.ACTIVE,
        status_at=None,
        estimated_delivery_at=None,
        milestones=MappingProxyType({}),
        scans=(),
    )
