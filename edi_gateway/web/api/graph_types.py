"""The types of the GraphQL API: trackers in the nine words, with global ids."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from uuid import UUID

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from edi_gateway.model import Classifier, Status
from edi_gateway.notifications.identities import global_id
from edi_gateway.notifications.payloads import message
from edi_gateway.notifications.words import nine_status
from edi_gateway.store.tracks import Track

_CHECKPOINT: Final = "gid://edi-gateway/Checkpoint/"
_ID: Final = re.compile(rf"(?:{global_id('')})?([0-9a-fA-F-]{{32,36}})")


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


_DATE_TIME: Final[ScalarDefinition] = strawberry.scalar(
    name="DateTime", description="ISO 8601, with its offset", serialize=_written, parse_value=datetime.fromisoformat
)
CONFIG: Final = StrawberryConfig(scalar_map={datetime: _DATE_TIME})


@strawberry.enum(description="Where a shipment stands.")
class TrackerStatus(Enum):
    """The nine words for where a shipment stands."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    PICKED_UP = "PICKED_UP"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    ATTEMPT_FAILURE = "ATTEMPT_FAILURE"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    RETURN_TO_SENDER = "RETURN_TO_SENDER"
    DELIVERED = "DELIVERED"


@strawberry.enum(description="Why a tracker could not be made.")
class TrackerUserErrorCode(Enum):
    """Why a tracker could not be made."""

    BLANK = "BLANK"
    INVALID = "INVALID"
    UNKNOWN_CARRIER = "UNKNOWN_CARRIER"


@strawberry.type(description="Something that happened to a shipment.")
class Checkpoint:
    """Something that happened to a shipment."""

    id: strawberry.ID
    message: str
    status: TrackerStatus
    scanned_at: datetime = strawberry.field(description="By the carrier's own clock.")


@strawberry.type(description="A shipment as you track it.")
class Tracker:
    """A shipment as a customer tracks it."""

    id: strawberry.ID
    tracking_code: str
    status: TrackerStatus
    estimated_delivery_at: datetime | None
    delivered_at: datetime | None
    carrier: str = strawberry.field(description="Empty while nobody knows.")
    checkpoints: list[Checkpoint] = strawberry.field(description="What happened, in that order.")


@strawberry.type(description="What was wrong with an input.")
class TrackerUserError:
    """What was wrong with an input."""

    code: TrackerUserErrorCode
    message: str
    field: str | None = strawberry.field(description="The field of the input it is about.")


@strawberry.type
class TrackerCreatePayload:
    """What came of trackerCreate: a tracker, or errors."""

    tracker: Tracker | None
    tracker_user_errors: list[TrackerUserError]


@strawberry.type
class TrackerEdge:
    """A tracker and its place in the list."""

    cursor: str
    node: Tracker


@strawberry.type
class PageInfo:
    """Whether and where the list goes on."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class TrackerConnection:
    """A page of trackers."""

    edges: list[TrackerEdge]
    page_info: PageInfo

    @strawberry.field
    def nodes(self) -> list[Tracker]:
        """The trackers alone."""
        return [edge.node for edge in self.edges]


@strawberry.input
class TrackerCreateInput:
    """A number to track."""

    tracking_code: str | None = strawberry.field(default=None, description="Required.")
    carrier: str | None = strawberry.field(default=None, description="In any case; left out: whoever carries it.")
    is_async: bool | None = strawberry.field(
        name="async",
        default=True,
        description="true: answered at once, the first update follows; false: the carrier is waited for, up to 25 s.",
    )


def tracker_of(track: Track) -> Tracker:
    """A tracker as the GraphQL API gives it; its checkpoints are what happened, not what is expected."""
    return Tracker(
        id=strawberry.ID(global_id(track.id)),
        tracking_code=track.tracking_number,
        status=_word(track.status, track.reason),
        estimated_delivery_at=track.estimated_delivery_at and track.estimated_delivery_at.astimezone(UTC),
        delivered_at=track.delivered_at,
        carrier=track.carrier,
        checkpoints=[
            Checkpoint(
                id=strawberry.ID(f"{_CHECKPOINT}{UUID(scan.key)}"),
                message=message(scan.event),
                status=_word(scan.event.status, scan.event.reason),
                scanned_at=scan.event.occurred_at,
            )
            for scan in track.scans
            if scan.event.classifier is Classifier.ACT
        ],
    )


def tracker_id(told: str) -> str | None:
    """The public id in a global one, or in what is one already; None for anything else."""
    found = _ID.fullmatch(told)
    try:
        return str(UUID(found[1])) if found else None
    except ValueError:
        return None


def _word(status: Status, reason: str) -> TrackerStatus:
    return TrackerStatus(nine_status(status, reason).status)
