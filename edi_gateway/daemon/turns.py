"""Work by name: one run of each name at a time, and all of it known to whoever wants to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any


class Turns:
    """The tasks that run now, by name."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def running(self) -> set[asyncio.Task[None]]:
        """Everything that runs now."""
        return set(self._running.values())

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin, unless the last run of that name still goes on."""
        task = self._running.get(name)
        if task is None or task.done():
            task = self._running[name] = asyncio.create_task(work(), name=name)
            task.add_done_callback(partial(self._forget, name))

    async def after(self, name: str) -> None:
        """Return once no run of that name goes on; how it ended is not asked."""
        task = self._running.get(name)
        if task:
            await asyncio.wait({task})

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        if self._running.get(name) is task:
            del self._running[name]
