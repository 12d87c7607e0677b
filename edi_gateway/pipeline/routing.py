"""Which destination is owed which event."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from edi_gateway.pipeline.partners import Destination
from edi_gateway.store.outbox import Owed
from edi_gateway.store.reconcile import Change
from edi_gateway.store.tables import Action

Subscribers = Mapping[tuple[str, str], Collection[str]]  # (carrier, tracking number) → customers


def owed(destinations: Sequence[Destination], changes: Sequence[Change], subscribers: Subscribers) -> Iterator[Owed]:
    """What each destination is owed for what has changed.

    A new event, or one that has become more complete, is owed where a rule matches it or the customer subscribed to its
    tracking number; the outbox drops what was told before. A retracted one is owed as a cancellation whatever the rules
    say today; the outbox keeps it only where the event had been sent.
    """
    for change in changes:
        event = change.event
        customers = subscribers.get((event.carrier, event.tracking_number), ())
        for destination in destinations:
            if change.kind == "retracted":
                action = Action.CANCEL
            elif destination.events == "status_changes" and not change.status_changed:
                continue
            elif destination.customer in customers or destination.wants(event):
                action = Action.REPORT
            else:
                continue
            yield Owed(destination.name, destination.customer, change.event_id, change.shipment_id, action)
