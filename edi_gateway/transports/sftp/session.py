"""One login at a server. No request waits for ever, and no failure goes by without its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncssh
from asyncssh.packet import PacketDecodeError

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.complaints import complain
from edi_gateway.transports.sftp.endpoint import Endpoint

GONE: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
"""What a server answers about a file that is not there."""

UNABLE: Final = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect, asyncssh.SFTPOpUnsupported)
"""What a server answers to a request it carries out for nobody, or not for us."""

_BROKEN: Final = (
    *(asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection),
    *(OSError, PacketDecodeError),
)


class Session:
    """An sFTP channel and the connections it runs through, the last of them to the server itself."""

    def __init__(
        self, sftp: asyncssh.SFTPClient, hops: Sequence[asyncssh.SSHClientConnection], endpoint: Endpoint
    ) -> None:
        self.sftp = sftp
        self.name = endpoint.name
        self.width = endpoint.in_flight
        self._hops = hops
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(endpoint.in_flight)
        self._patience = endpoint.request_timeout.total_seconds()
        self._longest = endpoint.transfer_timeout.total_seconds()
        self._awaited = 0  # requests sent and not answered
        self._heard = 0.0  # when the last answer came, or the first of those requests left
        self._watch: asyncio.TimerHandle | None = None
        self._why = ""  # it was cut by us
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether a new login is needed."""
        return self._broken or any(connection.is_closed() for connection in self._hops)

    @asynccontextmanager
    async def request(self, doing: str, path: str) -> AsyncIterator[None]:
        """Around one request, once the server has a place for it: ends it when nothing is heard, says what failed.

        Raises TransientError. Awaiting a stalled request with a plain time limit would not end: its clean-up asks the
        same server to close the file. So the connection is cut, and every request on it fails at once.
        """
        async with self._slots:
            self._sent()
            try:
                yield
            except asyncio.CancelledError:
                self.abort()
                raise
            except (asyncssh.Error, OSError, PacketDecodeError) as error:
                if isinstance(error, _BROKEN):
                    self.abort()
                raise TransientError(complain(f"{self.name} {path}", doing, error, self._why)) from error
            finally:
                self._awaited -= 1
                self.heard()

    @contextmanager
    def transfer(self) -> Iterator[None]:
        """Around all requests for one file or listing: cuts the connection when they take too long together."""
        timer = self._loop.call_later(self._longest, self.abort, f"not done within {self._longest:g} s")
        try:
            yield
        finally:
            timer.cancel()

    def heard(self) -> None:
        """The server has just given a sign of life."""
        self._heard = self._loop.time()

    def abort(self, why: str = "") -> None:
        """Cut the connection without a good-bye."""
        if not self._broken:
            self._why = why
        self._broken = True
        self._forget_watch()
        for connection in reversed(self._hops):
            connection.abort()

    async def close(self) -> None:
        """Say good-bye, and do not wait for anybody to hear it."""
        self._forget_watch()
        for connection in reversed(self._hops):
            connection.close()
            await connection.wait_closed()

    def _sent(self) -> None:
        if not self._awaited:
            self.heard()
        self._awaited += 1
        if not self._watch:
            self._watch = self._loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        """Every answer moves the moment on at which silence has lasted too long."""
        self._watch = None
        if not self._awaited:
            return
        left = self._heard + self._patience - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self.abort(f"no answer within {self._patience:g} s")

    def _forget_watch(self) -> None:
        if self._watch:
            self._watch.cancel()
            self._watch = None
