"""Several requests side by side, so that a long way costs its time once and not per request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from edi_gateway.errors import TransientError

_T = TypeVar("_T")


async def side_by_side(width: int, items: Iterable[_T], work: Callable[[_T], Awaitable[None]]) -> None:
    """Do ``work`` for every item, ``width`` at a time, begun in order.

    After a TransientError nothing more is begun; it is raised once all that was begun has ended.
    """
    left = iter(items)
    failures: list[TransientError] = []
    await asyncio.gather(*(_lane(left, work, failures) for _ in range(width)))
    if failures:
        raise failures[0]


async def _lane(left: Iterator[_T], work: Callable[[_T], Awaitable[None]], failures: list[TransientError]) -> None:
    for item in left:
        try:
            await work(item)
        except TransientError as error:
            failures.append(error)
        if failures:
            return
