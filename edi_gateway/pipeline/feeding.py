"""Which customer may see which event by the API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from edi_gateway.pipeline.partners import Feed
from edi_gateway.store.feed import Seen
from edi_gateway.store.reconcile import Change
from edi_gateway.store.tables import Action
from edi_gateway.worlds import world_of


def seen(
    feeds: Sequence[Feed], changes: Sequence[Change], subscribers: Mapping[tuple[str, str], Collection[str]]
) -> Iterator[Seen]:
    """What each customer may see of what has changed: where a rule matches the event or it subscribed to the number.

    That an event is void goes to all; the feed keeps it only for those with whom its shipment was shared. Live and test
    data go to those of their world alone.
    """
    for change in changes:
        if change.kind in {"decides", "voided"}:
            continue  # it was seen when it was new
        event = change.event
        customers = subscribers.get((event.carrier, event.tracking_number), ())
        void = change.kind == "retracted"
        world = world_of(event.carrier)
        for feed in feeds:
            if feed.world != world:
                continue
            if void or feed.customer in customers or feed.wants(event):
                yield Seen(
                    feed.customer,
                    event.carrier,
                    event.tracking_number,
                    change.shipment_id,
                    change.event_id,
                    Action.CANCEL if void else Action.REPORT,
                )
