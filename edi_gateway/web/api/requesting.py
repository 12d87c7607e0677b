"""Trackers as customers ask for them, whichever way they ask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from edi_gateway.model import Direction, Status, TrackingState, number_of
from edi_gateway.pipeline.requesting import request
from edi_gateway.store import tracks
from edi_gateway.store.trackers import Made, Wish
from edi_gateway.store.tracks import Track
from edi_gateway.web.api.caller import Caller, Context
from edi_gateway.web.api.models import Item


class UnknownCarrierError(LookupError):
    """There is no carrier of that name."""


def by_name(carriers: Collection[str]) -> Mapping[str, str]:
    """The carriers by their names in small letters: customers write them as they like."""
    return {name.lower(): name for name in carriers}


def wished(item: Item, known: Mapping[str, str]) -> Wish:
    """What an item asks for. Raises UnknownCarrierError."""
    if item.carrier and item.carrier.lower() not in known:
        raise UnknownCarrierError(f"there is no carrier {item.carrier}")
    return Wish(known.get(item.carrier.lower(), ""), number_of(item.tracking_number))


async def make(gateway: Context, who: Caller, wishes: Sequence[Wish]) -> list[Made]:
    """Trackers for these, in one transaction; carriers that can be asked for the new ones are from now on."""
    made = await asyncio.to_thread(request, gateway.db, who.customer, wishes, gateway.carriers(), gateway.audience())
    await gateway.refreshing.revive({wish for wish, each in zip(wishes, made, strict=True) if each.new})
    return made


async def make_one(gateway: Context, who: Caller, wish: Wish, wait: float | None) -> tuple[Track | None, bool]:
    """A tracker, and whether it is new; None when it was deleted meanwhile.

    The carrier is asked first and waited for, at most so many seconds. With None, a new tracker says what is known
    before anything was looked up.
    """
    [made] = await make(gateway, who, [wish])
    track = await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, made.id)
    if track is None:
        return None, made.new
    if wait is None:
        return _unknown(track, wish) if made.new else track, made.new
    await gateway.refreshing.now(who.customer, {(track.carrier, track.tracking_number)}, wait)
    return await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, made.id), made.new


def _unknown(track: Track, wish: Wish) -> Track:
    """The tracker as if nothing were known of its shipment."""
    return replace(
        track,
        carrier=wish.carrier,
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
