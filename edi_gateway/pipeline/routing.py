"""Which destination is owed which event."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from edi_gateway.pipeline.partners import ALL, Destination, Trigger
from edi_gateway.store.outbox import Again, Owed
from edi_gateway.store.reconcile import Change
from edi_gateway.store.tables import Action
from edi_gateway.worlds import world_of

Subscribers = Mapping[tuple[str, str], Collection[str]]  # (carrier, tracking number) → customers

CANCELLATION: Final = "cancellation"  # what a notification names instead of a change
EVENT: Final = "event"


def owed(destinations: Sequence[Destination], changes: Sequence[Change], subscribers: Subscribers) -> Iterator[Owed]:
    """What each destination is owed for what has changed.

    An event that changed what the destination wants to hear of is owed where a rule matches it or the customer
    subscribed to its tracking number; the outbox drops what was told before. A retracted one is owed as a cancellation
    whatever the rules say today; the outbox keeps it only where the event had been sent. Live and test data go to
    destinations of their world alone.
    """
    for change in changes:
        event = change.event
        customers = subscribers.get((event.carrier, event.tracking_number), ())
        changed, world = _changed(change), world_of(event.carrier)
        void = change.kind in {"retracted", "voided"}
        for destination in destinations:
            if destination.world != world:
                continue
            trigger = CANCELLATION if void else _trigger(destination, change, changed)
            standing = change.kind in {"decides", "voided"} and _is_kept_informed(destination)
            if not (trigger or standing) or (change.kind == "voided" and not standing):
                continue
            if not void and not (
                (destination.customer in customers or destination.wants(event))
                and (destination.only is None or destination.only(event))
            ):
                continue
            yield Owed(
                destination.name,
                destination.customer,
                change.event_id,
                change.shipment_id,
                Action.CANCEL if void else Action.REPORT,
                trigger or Trigger.STATUS,
                change.previous_status,
                change.status,
                Again.STATUS_DIFFERS if standing else Again.ANYHOW if change.kind == "restated" else Again.NEVER,
            )


def _is_kept_informed(destination: Destination) -> bool:
    """Whether what it heard last of a shipment has to be the shipment's status."""
    return destination.notifying is not None and bool({ALL, Trigger.STATUS} & set(destination.events))


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
    if ALL not in wanted or change.kind == "decides" or (change.kind == "restated" and destination.notifying is None):
        return ""  # whoever gets every event has got it
    return changed[0] if changed else EVENT
