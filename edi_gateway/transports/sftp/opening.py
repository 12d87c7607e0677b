"""From nothing to an open sFTP session: through the jump host, if any, past the host key and the login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.algorithms import offered
from edi_gateway.transports.sftp.channel import open_channel
from edi_gateway.transports.sftp.complaints import complain
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import Trusted, Witness, distrust
from edi_gateway.transports.sftp.login import Login
from edi_gateway.transports.sftp.session import Session

_SIGNS_OF_LIFE: Final = 2  # unanswered keepalives until the connection counts as lost


class LoginError(TransientError):
    """The server was reached, and does not let this account in or does not give it sFTP."""


async def open_session(endpoint: Endpoint, witness: Witness | None = None) -> Session:
    """Log in and start sFTP, within the endpoint's time for it; whatever fails, nothing stays open.

    Raises HostKeyError, LoginError, and TransientError for everything else.
    """
    async with _opening(endpoint) as opening:
        if endpoint.jump:
            await opening.log_in(endpoint.jump, Witness())
        connection = await opening.log_in(endpoint, witness or Witness())
        with opening.step("start sFTP"):
            sftp = await open_channel(connection)
        return Session(sftp, opening.hops, endpoint)


@asynccontextmanager
async def through_jump(endpoint: Endpoint) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """A connection to the jump host alone, None where there is none. Raises as ``open_session`` does."""
    async with _opening(endpoint) as opening:
        connection = await opening.log_in(endpoint.jump, Witness()) if endpoint.jump else None
    try:
        yield connection
    finally:
        if connection:
            connection.abort()
            await connection.wait_closed()


@asynccontextmanager
async def _opening(endpoint: Endpoint) -> AsyncIterator[_Opening]:
    opening = _Opening(endpoint)
    seconds = endpoint.connect_timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            yield opening
    except BaseException as error:
        for connection in reversed(opening.hops):
            connection.abort()
        if isinstance(error, TimeoutError):
            raise TransientError(
                complain(opening.where, opening.doing, error, f"no answer within {seconds:g} s")
            ) from error
        raise


class _Opening:
    """How far it has come: the connections that stand, one through the other, and for errors what is under way."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.hops: list[asyncssh.SSHClientConnection] = []
        self.where = endpoint.name
        self._keepalive = endpoint.keepalive.total_seconds()
        self._doing = ""
        self._witness = Witness()

    @property
    def doing(self) -> str:
        """What is under way."""
        return self._doing or ("log in" if self._witness.fingerprint else "connect")

    @contextmanager
    def step(self, doing: str = "") -> Iterator[None]:
        """Around what may fail; says what it was, and whether it was the account's fault."""
        self._doing = doing
        try:
            yield
        except asyncssh.HostKeyNotVerifiable:
            raise
        except (asyncssh.Error, OSError) as error:
            said = complain(self.where, self.doing, error)
            if isinstance(error, asyncssh.ChannelOpenError) and not doing:
                said = f"{self.where}: cannot connect through the jump host: {error.reason}; check host and port there"
            refused = isinstance(error, asyncssh.PermissionDenied) or (doing and _refused_service(error))
            raise (LoginError if refused else TransientError)(said) from error

    async def log_in(self, login: Login, witness: Witness) -> asyncssh.SSHClientConnection:
        """One hop, through the one before."""
        self.where, self._witness = login.name, witness
        trusted = login.trusted()
        agent = await self._ask_agent() if login.agent else None
        try:
            with self.step("read its certificate"):
                keys = login.keys()
            with self.step():
                keys += await agent.get_keys() if agent else []
                connection, _ = await asyncssh.create_connection(
                    lambda: witness, login.host, login.port, **self._options(login, trusted, keys)
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise distrust(trusted, witness.refused, error.reason) from error
        finally:
            if agent:
                agent.close()
        self.hops.append(connection)
        return connection

    async def _ask_agent(self) -> asyncssh.SSHAgentClient:
        try:
            return await asyncssh.connect_agent()
        except OSError as error:
            said = complain(self.where, "ask ssh-agent", error)
            raise TransientError(f"{said}; start one, and set SSH_AUTH_SOCK for the gateway") from error

    def _options(self, login: Login, trusted: Trusted, keys: list[Any]) -> dict[str, Any]:
        """What asyncssh is told; nothing is left for it to find in the home folder or the environment."""
        return {
            "config": None,
            "tunnel": self.hops[-1] if self.hops else (),
            "username": login.username,
            "password": login.password.get_secret_value() if login.password else None,
            "client_keys": keys or None,
            "agent_path": None,
            "pkcs11_provider": None,
            "gss_host": None,
            "host_based_auth": False,
            "x509_trusted_certs": None,
            "known_hosts": (list(trusted.keys), list(trusted.authorities), list(trusted.revoked)),
            "server_host_key_algs": trusted.algorithms(login.legacy_algorithms),
            "compression_algs": None,
            "keepalive_interval": self._keepalive,
            "keepalive_count_max": _SIGNS_OF_LIFE,
            **offered(login.legacy_algorithms),
        }


def _refused_service(error: Exception) -> bool:
    return isinstance(error, asyncssh.ChannelOpenError)
