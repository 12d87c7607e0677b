"""The test tracking codes, and the status that each of them answers."""

from __future__ import annotations

from typing import Final

CODES: Final = {
    "K1000000000": "UNKNOWN",
    "K1000000001": "PENDING",
    "K1000000002": "PICKED_UP",
    "K1000000003": "OUT_FOR_DELIVERY",
    "K1000000004": "IN_TRANSIT",
    "K1000000005": "DELIVERED",
    "K1000000006": "AVAILABLE_FOR_PICKUP",
    "K1000000007": "RETURN_TO_SENDER",
    "K1000000008": "ATTEMPT_FAILURE",
}
