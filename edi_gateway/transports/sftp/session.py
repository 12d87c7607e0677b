"""One login at a server, kept until it breaks. No request waits for ever, and no failure goes by without its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.algorithms import offered
from edi_gateway.transports.sftp.complaints import complain
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import Trusted, Witness, distrust

GONE: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
"""What a server answers about a file that is not there."""

_GOODBYE: Final = 5.0  # seconds for an orderly end
_SIGNS_OF_LIFE: Final = 2  # unanswered keepalives until the connection counts as lost
_BROKEN: Final = (asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, OSError)


class Session:
    """A connection with its sFTP channel."""

    def __init__(self, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient, endpoint: Endpoint) -> None:
        self.sftp = sftp
        self._connection = connection
        self.name = endpoint.name
        self._patience = endpoint.request_timeout.total_seconds()
        self._given_up = False
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether a new login is needed."""
        return self._broken or self._connection.is_closed()

    @contextmanager
    def request(self, doing: str, path: str) -> Iterator[None]:
        """Around one request: ends it when the answer does not come, and says what failed.

        Raises TransientError. Awaiting a stalled request with a plain time limit would not end: its clean-up asks the
        same server to close the file. So the connection is cut, and every request on it fails at once.
        """
        timer = asyncio.get_running_loop().call_later(self._patience, self._give_up)
        try:
            yield
        except asyncio.CancelledError:
            self.abort()
            raise
        except (asyncssh.Error, OSError) as error:
            if isinstance(error, _BROKEN):
                self.abort()
            words = f"no answer within {self._patience:g} s" if self._given_up else ""
            raise TransientError(complain(f"{self.name} {path}", doing, error, words)) from error
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._given_up = True
        self.abort()

    def abort(self) -> None:
        """Cut the connection without a good-bye."""
        self._broken = True
        self._connection.abort()

    async def close(self) -> None:
        """Say good-bye and wait for the connection to end."""
        timer = asyncio.get_running_loop().call_later(_GOODBYE, self.abort)
        self._connection.close()
        await self._connection.wait_closed()
        timer.cancel()


class Link:
    """The session of one source or sink: opened when first needed, and anew after it broke."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._failure: TransientError | None = None

    async def session(self) -> Session:
        """A session that was in order when last seen. Raises as ``open_session`` does.

        Whoever waits while a login fails shares the failure: sixty acks must not try for sixty times as long.
        """
        failed_before = self._failure
        async with self._opening:
            if self._session and not self._session.broken:
                return self._session
            if self._failure and self._failure is not failed_before:
                raise self._failure
            try:
                self._session = await open_session(self._endpoint)
            except TransientError as error:
                self._failure = error
                raise
            return self._session

    async def close(self) -> None:
        """End the session, if there is one."""
        async with self._opening:
            session, self._session = self._session, None
            if session:
                await session.close()


async def open_session(endpoint: Endpoint, witness: Witness | None = None) -> Session:
    """Log in and start sFTP. Raises HostKeyError, and TransientError for everything else that fails."""
    trusted, witness = endpoint.trusted(), witness or Witness()
    connection = await _log_in(endpoint, trusted, witness)
    loop = asyncio.get_running_loop()
    timer = loop.call_later(endpoint.connect_timeout.total_seconds(), connection.abort)
    try:
        # Names that are no UTF-8 must survive the way to us and back.
        sftp = await connection.start_sftp_client(path_errors="surrogateescape")
    except BaseException as error:
        connection.abort()
        if not isinstance(error, asyncssh.Error | OSError):
            raise
        words = _no_answer(endpoint) if timer.when() <= loop.time() else ""
        raise TransientError(complain(endpoint.name, "start sFTP", error, words)) from error
    finally:
        timer.cancel()
    return Session(connection, sftp, endpoint)


async def _log_in(endpoint: Endpoint, trusted: Trusted, witness: Witness) -> asyncssh.SSHClientConnection:
    agent = await _ask_agent(endpoint) if endpoint.agent else None
    try:
        keys = [*([endpoint.key] if endpoint.key else []), *(await agent.get_keys() if agent else [])]
        connection, _ = await asyncssh.create_connection(
            lambda: witness, endpoint.host, endpoint.port, **_options(endpoint, trusted, keys)
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise distrust(trusted, witness.refused, error.reason) from error
    except (asyncssh.Error, OSError) as error:
        words = _no_answer(endpoint) if isinstance(error, TimeoutError) and not error.strerror else ""
        doing = "log in" if witness.fingerprint else "connect"
        raise TransientError(complain(endpoint.name, doing, error, words)) from error
    finally:
        if agent:
            agent.close()
    return connection


async def _ask_agent(endpoint: Endpoint) -> asyncssh.SSHAgentClient:
    try:
        return await asyncssh.connect_agent()
    except OSError as error:
        said = complain(endpoint.name, "ask ssh-agent", error)
        raise TransientError(f"{said}; start one, and set SSH_AUTH_SOCK for the gateway") from error


def _no_answer(endpoint: Endpoint) -> str:
    return f"no answer within {endpoint.connect_timeout.total_seconds():g} s"


def _options(endpoint: Endpoint, trusted: Trusted, keys: list[Any]) -> dict[str, Any]:
    """What asyncssh is told; nothing is left for it to find in the home folder or the environment."""
    return {
        "config": None,
        "username": endpoint.username,
        "password": endpoint.password.get_secret_value() if endpoint.password else None,
        "client_keys": keys or None,
        "agent_path": None,
        "pkcs11_provider": None,
        "gss_host": None,
        "host_based_auth": False,
        "x509_trusted_certs": None,
        "known_hosts": (list(trusted.keys), list(trusted.authorities), list(trusted.revoked)),
        "server_host_key_algs": trusted.algorithms(endpoint.legacy_algorithms),
        "compression_algs": None,
        "connect_timeout": endpoint.connect_timeout.total_seconds(),
        "keepalive_interval": endpoint.keepalive.total_seconds(),
        "keepalive_count_max": _SIGNS_OF_LIFE,
        **offered(endpoint.legacy_algorithms),
    }
