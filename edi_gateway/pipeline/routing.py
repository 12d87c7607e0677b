"""Which destination is owed which event."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from edi_gateway.pipeline.partners import ALL, Destination, Trigger
from edi_gateway.store.outbox import Owed
from edi_gateway.store.reconcile import Change
from edi_gateway.store.tables import Action

Subscribers = Mapping[tuple[str, str], Collection[str]]  # (carrier, tracking number) → customers

CANCELLATION: Final = "cancellation"  # what a notification names instead of a change
EVENT: Final = "event"


def owed(destinations: Sequence[Destination], changes: Sequence[Change], subscribers: Subscribers) -> Iterator[Owed]:
    """What each destination is owed for what has changed.

    An event that changed what the destination wants to hear of is owed where a rule matches it or the customer
    subscribed to its tracking number; the outbox drops what was told before. A retracted one is owed as a cancellation
    whatever the rules say today; the outbox keeps it only where the event had been sent.
    """
    for change in changes:
        event = change.event
        customers = subscribers.get((event.carrier, event.tracking_number), ())
        changed = _changed(change)
        for destination in destinations:
            action, trigger = Action.REPORT, CANCELLATION
            if change.kind == "retracted":
                action = Action.CANCEL
            else:
                trigger = _trigger(destination, change, changed)
                if not trigger or not (destination.customer in customers or destination.wants(event)):
                    continue
                if destination.only is not None and not destination.only(event):
                    continue
            yield Owed(
                destination.name,
                destination.customer,
                change.event_id,
                change.shipment_id,
                action,
                trigger,
                change.previous_status,
                change.status,
                change.kind == "restated",
            )


def _changed(change: Change) -> Sequence[Trigger]:
    """What of its shipment the event changed, what weighs most first."""
    found = []
    if change.status_changed:
        found.append(Trigger.STATUS)
    if change.reason_changed:
        found.append(Trigger.REASON)
    if change.estimate_changed:
        found.append(Trigger.ESTIMATE)
    return found


def _trigger(destination: Destination, change: Change, changed: Sequence[Trigger]) -> str:
    """What makes the event of interest to the destination; "" when nothing does."""
    wanted = destination.events
    for trigger in changed:
        if trigger in wanted:
            return trigger
    if ALL not in wanted or (change.kind == "restated" and destination.notifying is None):
        return ""  # whoever gets every event in files has got it
    return changed[0] if changed else EVENT
