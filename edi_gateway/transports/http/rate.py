"""How many requests a time: a bucket of tokens that fills steadily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field


class Rate(BaseModel):
    """How many requests a channel takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_second: float = Field(gt=0, description="requests a second in the long run")
    burst: int = Field(ge=1, description="requests that may come at once after a pause")


class Bucket:
    """Full at first; each request takes a token."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._at = clock()

    def take(self) -> int:
        """Take a token and return 0, or take none and return the seconds until there is one."""
        now = self._clock()
        self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._rate.per_second))
