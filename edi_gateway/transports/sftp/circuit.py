"""Circuit breakers of servers and accounts, each shared by all that go there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from edi_gateway.errors import TransientError
from edi_gateway.restraint import Breaker, Circuit

_Breakers = WeakValueDictionary[Hashable, Breaker]
_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Breakers] = WeakKeyDictionary()


@contextmanager
def attempt(place: Breaker, rule: Circuit, weigh: Callable[[TransientError], int | None]) -> Iterator[None]:
    """Around one attempt; ``weigh`` tells what its error means for this place.

    A number: it has failed, and so many failures in a row open the circuit; 0: it was reached; None: no telling.
    Raises as `Breaker.admitted` does, without running the attempt.
    """
    with place.admitted() as probe:
        try:
            yield
        except TransientError as error:
            threshold = weigh(error)
            if threshold:
                place.failed(error, rule, threshold if rule.failures else 0, probe=probe)
            elif threshold == 0:
                place.succeeded()
            raise
        else:
            place.succeeded()


def breaker(key: Hashable, name: str) -> Breaker:
    """The one breaker of that key in the running event loop; it lives as long as somebody holds it."""
    breakers = _of_loop.setdefault(asyncio.get_running_loop(), _Breakers())
    found = breakers.get(key)
    if found is None:
        found = breakers[key] = Breaker(name)
    return found
