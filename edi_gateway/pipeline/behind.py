"""Commits that go on while the next batch is read: the disk is waited for when there is nothing else to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Self

from sqlalchemy import Connection

Transaction = Callable[[], AbstractContextManager[Connection]]


class Behind:
    """Transactions one after the other, each begun when the one before is committed.

    What a commit raises is raised by the next transaction, or at the end of the block.
    """

    def __init__(self, begin: Transaction) -> None:
        self._begin = begin
        self._thread: ThreadPoolExecutor | None = None
        self._commit: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._settle()
        finally:
            if self._thread:
                self._thread.shutdown()

    @contextmanager
    def transaction(self, *, wait: bool) -> Iterator[Connection]:
        """The next transaction; with ``wait`` it is committed when the block ends, else some time after."""
        self._settle()
        with ExitStack() as stack:
            yield stack.enter_context(self._begin())
            if wait:
                return
            rest = stack.pop_all()
        self._thread = self._thread or ThreadPoolExecutor(1, "commit")
        self._commit = self._thread.submit(rest.close)

    def _settle(self) -> None:
        commit, self._commit = self._commit, None
        if commit:
            commit.result()
