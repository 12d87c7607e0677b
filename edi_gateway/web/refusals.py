"""Requests that were refused: counted, logged now and then, and an alarm when a carrier gets in no more."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import structlog

from edi_gateway.errors import RequestRefusedError
from edi_gateway.model import utc_now
from edi_gateway.store.refused import Refused

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
        self._untold: dict[tuple[str, int], Refused] = {}
        self._in_a_row: dict[str, int] = {}

    def refused(self, channel: str, error: RequestRefusedError, client: str) -> None:
        """Somebody was refused at that channel, "" for one that does not exist."""
        key = channel, error.status
        self._counts[key] += 1
        before = self._untold.get(key)
        self._untold[key] = Refused(channel, error.status, 1 + (before.count if before else 0), utc_now(), str(error))
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

    def untold(self) -> list[Refused]:
        """What was refused since this was last asked."""
        told, self._untold = self._untold, {}
        return list(told.values())

    def give_back(self, refused: Iterable[Refused]) -> None:
        """It could not be written down: it is told again."""
        for one in refused:
            since = self._untold.get((one.channel, one.status))
            latest = since or one
            self._untold[one.channel, one.status] = replace(latest, count=one.count + (since.count if since else 0))

    def accepted(self, channel: str) -> None:
        """Somebody was let in; the first time, what was said before a restart is taken back, too."""
        if self._in_a_row.get(channel, _ALARMING) >= _ALARMING:
            self._failing(channel, "")
        self._in_a_row[channel] = 0
