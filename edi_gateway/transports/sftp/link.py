"""The connection of one source or sink: opened when first needed, kept, and opened anew after it broke."""

from __future__ import annotations

import asyncio
from typing import Final

from edi_gateway.errors import NotTriedError, TransientError
from edi_gateway.restraint import Breaker
from edi_gateway.transports.sftp.circuit import attempt, breaker
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import HostKeyError
from edi_gateway.transports.sftp.opening import LoginError, open_session
from edi_gateway.transports.sftp.session import Session

_REFUSED: Final = 2  # logins in a row: a password that is tried for ever locks the account
_DISTRUSTED: Final = 1  # every further look would say the same


class Link:
    """Gives a session in order; two circuit breakers, of the host and of the account, say when not to try."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None
        self._breakers: tuple[Breaker, ...] = ()  # shared with others, and alive only as long as somebody holds them

    async def session(self) -> Session:
        """A session that was in order when last seen. Raises as ``open_session`` does, and as `Breaker.admitted` does.

        Whoever waits while a login fails shares the failure: sixty acks must not try for sixty times as long.
        """
        if self._session and not self._session.broken:
            return self._session
        opening = self._opening
        if opening is None or opening.done():
            opening = self._opening = asyncio.create_task(self._open())
            opening.add_done_callback(_look_at)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if opening.cancelled() and not (task and task.cancelling()):
                raise TransientError(f"{self._endpoint.name}: closed while it was being opened") from None
            raise

    async def close(self) -> None:
        """End the session, and with it whatever is under way."""
        opening, self._opening = self._opening, None
        if opening and not opening.done():
            opening.cancel()
            await asyncio.wait([opening])
        session, self._session = self._session, None
        if session:
            await session.close()

    async def _open(self) -> Session:
        host, account = self._breakers = _breakers(self._endpoint)
        rule = self._endpoint.circuit

        def reached(error: TransientError) -> int | None:
            return 0 if isinstance(error, HostKeyError | LoginError) else rule.failures or None

        with attempt(account, rule, _refused), attempt(host, rule, reached):
            self._session = await open_session(self._endpoint)
            return self._session


def _refused(error: TransientError) -> int | None:
    if isinstance(error, NotTriedError):
        return None
    return _DISTRUSTED if isinstance(error, HostKeyError) else _REFUSED if isinstance(error, LoginError) else None


def _breakers(endpoint: Endpoint) -> tuple[Breaker, Breaker]:
    """The breaker of the host, and that of the account, which is another once keys or passwords are exchanged.

    Raises HostKeyError when known_hosts cannot be read.
    """
    hops = [hop for hop in (endpoint.jump, endpoint) if hop]
    way = tuple((hop.host, hop.port) for hop in hops)
    proofs = tuple((hop.username, hop.trusted(), hop.credentials()) for hop in hops)
    return (
        breaker(way, " through ".join(f"{host}:{port}" for host, port in reversed(way))),
        breaker((way, proofs), endpoint.name),
    )


def _look_at(opening: asyncio.Task[Session]) -> None:
    """A failure that nobody waits for any more is no defect."""
    if not opening.cancelled():
        opening.exception()
