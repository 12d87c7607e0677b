"""Requests that were refused: counted, logged now and then, and an alarm when a carrier gets in no more."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import structlog

from edi_gateway.errors import RequestRefusedError

log = structlog.get_logger()
_PAUSE: Final = 1.0  # seconds between two lines of the log about one channel and status
_ALARMING: Final = 3  # requests without authentication in a row; one is an everyday matter
_UNAUTHORIZED: Final = 401


class Refusals:
    """Counts by channel and status, since the start.

    ``failing`` is called with a channel and why it lets nobody in, and with "" once it does again.
    """

    def __init__(self, failing: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._failing = failing
        self._clock = clock
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._logged: dict[tuple[str, int], float] = {}
        self._in_a_row: dict[str, int] = {}

    def refused(self, channel: str, error: RequestRefusedError, client: str) -> None:
        """Somebody was refused at that channel, "" for one that does not exist."""
        key = channel, error.status
        self._counts[key] += 1
        now = self._clock()
        if now - self._logged.get(key, -_PAUSE) >= _PAUSE:
            self._logged[key] = now
            log.warning(
                "request.refused",
                channel=channel,
                status=error.status,
                why=str(error),
                client=client,
                count=self._counts[key],
            )
        if channel and error.status == _UNAUTHORIZED:
            row = self._in_a_row[channel] = self._in_a_row.get(channel, 0) + 1
            if row == _ALARMING:
                self._failing(channel, f"requests are refused (401), the last one from {client}: {error}")

    def accepted(self, channel: str) -> None:
        """Somebody was let in; the first time, what was said before a restart is taken back, too."""
        if self._in_a_row.get(channel, _ALARMING) >= _ALARMING:
            self._failing(channel, "")
        self._in_a_row[channel] = 0
