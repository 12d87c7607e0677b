"""What customers call our statuses: as we do, in nine words, or in words of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from edi_gateway.model import Classifier, Status


class Said(NamedTuple):
    """A status and its reason in a customer's words."""

    status: str
    reason: str


Words = Callable[[Status, str, Classifier], Said | None]
"""Status, reason and classifier → what the customer calls that; None where the customer has no word for it."""

# Where one of the nine means several of ours, the reason has to tell them apart; this one, when the carrier gave none.
_NINE: Final[Mapping[Status, tuple[Status, str]]] = {
    Status.EXCEPTION: (Status.IN_TRANSIT, "other.exception"),
    Status.LOST: (Status.IN_TRANSIT, "loss.reported"),
    Status.RETURNED: (Status.RETURN_TO_SENDER, "return.completed"),
    Status.CANCELLED: (Status.UNKNOWN, "cancel.shipment"),
}


VOCABULARIES: Final = frozenset({"canonical", "nine_status"})


def canonical(status: Status, reason: str, _classifier: Classifier = Classifier.ACT) -> Said:
    """Our own thirteen statuses."""
    return Said(status.value, reason)


def nine_status(status: Status, reason: str, _classifier: Classifier = Classifier.ACT) -> Said:
    """The nine: UNKNOWN, PENDING, PICKED_UP, IN_TRANSIT, OUT_FOR_DELIVERY, ATTEMPT_FAILURE, AVAILABLE_FOR_PICKUP,
    RETURN_TO_SENDER and DELIVERED.
    """
    projected, why = _NINE.get(status, (status, ""))
    return Said(projected.value, reason or why)
