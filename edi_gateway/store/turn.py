"""Taking turns: a lock that is handed over in the order of asking."""

from __future__ import annotations

import threading
from collections import deque


class Turn:
    """A lock for one thread at a time; who asked first has it first, and any thread may end the turn.

    A plain lock is mostly taken again by who gave it back a moment before, while others wait for several turns.
    """

    def __init__(self) -> None:
        self._look = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._look:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:  # Ctrl-C in a command
            self._leave(mine)
            raise

    def __exit__(self, *_raised: object) -> None:
        with self._look:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False

    def _leave(self, mine: threading.Lock) -> None:
        with self._look:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:  # it was our turn already
                self._hand_on()
