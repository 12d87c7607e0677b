"""Tracking checks as a source meets them: claimed, asked of the carrier, and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from edi_gateway.tracking.planning import Reply


@dataclass(frozen=True, slots=True)
class Check:
    """The right to ask a carrier for one number, until the claim runs out."""

    id: int
    tracking_number: str
    number: int  # of the check; what an earlier one says that was overtaken changes nothing
    failures: int  # checks before it, in a row, that had no answer
    digest: str = ""  # of the last answer, "" where there was none
    etag: str = ""  # what that answer was marked with
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a check ended. ``reply`` None: it had no answer, and is made again, at ``again_at`` if that is known."""

    check: Check
    reply: Reply | None
    error: str = ""
    again_at: datetime | None = None
    digest: str = ""
    etag: str = ""
    modified: str = ""


class Checks(Protocol):
    """The queue of one channel's checks."""

    async def claim(self, most: int, lease: timedelta) -> Sequence[Check]:
        """The checks that have been due longest, or none: nothing is due, or nothing more may begin."""

    async def finish(self, ended: Sequence[Ended]) -> None:
        """Write down how checks ended, and when the next ones are."""

    async def release(self, checks: Sequence[Check]) -> None:
        """Give checks back that were not made: they are due as they were."""
