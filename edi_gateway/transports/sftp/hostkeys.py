"""Host keys: which are trusted, what it means when another one is shown, and how to learn them the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncssh

from edi_gateway.errors import AttentionError, TransientError
from edi_gateway.transports.sftp.algorithms import host_key_algorithms
from edi_gateway.transports.sftp.complaints import complain

SSH_PORT: Final = 22
_ASKED: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512")
_PATIENCE: Final = 15.0  # seconds for one host key


class HostKeyError(AttentionError):
    """The server's host key is not one we trust. Nothing was sent; somebody has to look before it can go on.

    ``shown`` and ``trusted`` are fingerprints: the server's, "" when it showed none, and those that are pinned.
    """

    def __init__(self, message: str, *, shown: str = "", trusted: tuple[str, ...] = ()) -> None:
        self.shown = shown
        self.trusted = trusted
        super().__init__(message)

    def untried(self, message: str, next_probe: datetime) -> HostKeyError:  # noqa: ARG002  a person has to look first
        """The same again."""
        return HostKeyError(message, shown=self.shown, trusted=self.trusted)

    @property
    def changed(self) -> bool:
        """Whether another key than a pinned one was shown: an attack, until the other side says otherwise."""
        return bool(self.shown and self.trusted)


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is known of one host: its keys, the authorities that may certify it, and what is revoked."""

    host: str
    port: int
    keys: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()

    def algorithms(self, legacy: Sequence[str]) -> list[str]:
        """Host key algorithms to ask the server for, trusted ones first."""
        return host_key_algorithms(self.keys, certified=bool(self.authorities), legacy=legacy)


def trusted_keys(host: str, port: int, pinned: Sequence[str], known_hosts: Path | None) -> Trusted:
    """The keys of one host: ``pinned`` ones (``ssh-ed25519 AAAA...``) and those of an OpenSSH known_hosts file.

    Raises HostKeyError when the file cannot be read.
    """
    keys = tuple(asyncssh.import_public_key(line) for line in pinned)
    if known_hosts is None:
        return Trusted(host, port, keys)
    try:
        found = asyncssh.read_known_hosts(str(known_hosts))
    except (OSError, ValueError) as error:
        raise HostKeyError(f"known_hosts {known_hosts} cannot be used: {error}") from None
    listed, authorities, revoked, *_ = found.match(host, "", None if port == SSH_PORT else port)
    return Trusted(host, port, (*keys, *listed), tuple(authorities), tuple(revoked))


class Witness(asyncssh.SSHClient):
    """Watches a handshake: keeps the connection, and the host key that was shown and is not trusted."""

    def __init__(self) -> None:
        self.refused: asyncssh.SSHKey | None = None
        self._connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Keep the connection, to be asked even when it fails later."""
        self._connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Note a key that is not among the trusted ones; it stays untrusted."""
        self.refused = key
        return False

    @property
    def fingerprint(self) -> str:
        """Algorithm and fingerprint of the host key that was accepted; "" when none was."""
        key = self._connection.get_server_host_key() if self._connection else None
        return _describe(key) if key else ""


def distrust(trusted: Trusted, shown: asyncssh.SSHKey | None, words: str) -> HostKeyError:
    """The error for a host key that was not accepted: unknown, changed, or ``words`` of a failed certificate."""
    where = f"{trusted.host}:{trusted.port}"
    if shown is None:
        return HostKeyError(f"{where}: host key refused: {words}; ask the other side which key the host has now")
    if not trusted.keys:
        return HostKeyError(
            f"{where}: unknown host key: the server shows {_describe(shown)}, none is trusted for this host; run "
            f"edi-gateway trust {where}, compare the fingerprint with the other side, and pin the key",
            shown=_describe(shown),
        )
    expected = tuple(_describe(key) for key in trusted.keys)
    return HostKeyError(
        f"{where}: changed host key: the server shows {_describe(shown)}, trusted is {', '.join(expected)}; somebody "
        "may be in between: ask the other side by telephone whether its key changed, and only then pin the new one",
        shown=_describe(shown),
        trusted=expected,
    )


def _describe(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


async def fetch_host_keys(
    host: str, port: int = SSH_PORT, jump: asyncssh.SSHClientConnection | None = None
) -> list[tuple[str, str, str]]:
    """Ask a server for its host keys: algorithm, ``SHA256:`` fingerprint and the line for a known_hosts file.

    Nothing vouches for them: a person has to compare the fingerprints. Raises TransientError when there are none.
    """
    asked = (_fetch(host, port, algorithm, jump) for algorithm in _ASKED)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    keys = [answer for answer in answers if isinstance(answer, asyncssh.SSHKey)]
    if not keys:
        raise TransientError(complain(f"{host}:{port}", "get a host key", _telling(answers)))
    name = host if port == SSH_PORT else f"[{host}]:{port}"
    return [(key.get_algorithm(), key.get_fingerprint(), f"{name} {_line(key)}") for key in keys]


async def _fetch(
    host: str, port: int, algorithm: str, jump: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHKey | None:
    async with asyncio.timeout(_PATIENCE):
        return await asyncssh.get_server_host_key(
            host, port, tunnel=jump or (), server_host_key_algs=[algorithm], config=None
        )


def _telling(answers: Sequence[object]) -> Exception:
    """The error that says most: why nobody answered, rather than which type of key there is none of."""
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    return next((error for error in errors if not isinstance(error, asyncssh.Error)), errors[0])


def _line(key: asyncssh.SSHKey) -> str:
    algorithm, encoded = key.export_public_key("openssh").decode("ascii").split()[:2]
    return f"{algorithm} {encoded}"
