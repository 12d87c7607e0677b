"""Proof of a connection, step by step, ending at the first that fails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.plugins import Step
from edi_gateway.transports.sftp.complaints import complain
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import HostKeyError, Witness
from edi_gateway.transports.sftp.listing import inside
from edi_gateway.transports.sftp.session import GONE, Session, open_session
from edi_gateway.transports.sftp.upload import write

Try = Callable[[Session], Awaitable[str]]
_PROOF = b"connection check of an EDI gateway; this file is about to be removed\n"


async def check(endpoint: Endpoint, tries: Sequence[tuple[str, Try]]) -> AsyncIterator[Step]:
    """Name service, TCP, host key, login, then ``tries`` on the open session; each says what was seen."""
    for name, reach in (("DNS", _resolve), ("TCP", _greet)):
        try:
            yield Step(name, True, await reach(endpoint))
        except (OSError, TransientError) as error:
            yield Step(name, False, complain(endpoint.name, "connect", error))
            return
    witness = Witness()
    try:
        session = await open_session(endpoint, witness)
    except HostKeyError as error:
        yield Step("host key", False, str(error))
        return
    except TransientError as error:
        if witness.fingerprint:
            yield Step("host key", True, witness.fingerprint)
        yield Step("login" if witness.fingerprint else "handshake", False, str(error))
        return
    try:
        yield Step("host key", True, witness.fingerprint)
        yield Step("login", True, f"as {endpoint.username}, SFTP version {session.sftp.version}")
        for name, attempt in tries:
            try:
                yield Step(name, True, await attempt(session))
            except TransientError as error:
                yield Step(name, False, str(error))
                return
    finally:
        await session.close()


async def _resolve(endpoint: Endpoint) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, proto=6)
    return ", ".join(dict.fromkeys(str(address[0]) for *_, address in found))


async def _greet(endpoint: Endpoint) -> str:
    """The server's identification (RFC 4253, section 4.2), which tells an SSH server from anything else."""
    async with asyncio.timeout(endpoint.connect_timeout.total_seconds()):
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        try:
            greeting = (await reader.read(255)).split(b"\n")[0].decode("ascii", "backslashreplace").strip()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    if not greeting.startswith("SSH-"):
        raise TransientError(f"expected an SSH server, which begins with SSH-2.0, found {greeting!r}")
    return greeting


async def write_proof(session: Session, folder: str) -> str:
    """Write a small file of a name nobody else has; returns its path. Raises TransientError."""
    path = inside(folder, f".edi-gateway-check-{secrets.token_hex(8)}.tmp")
    try:
        await write(session, path, _PROOF)
    except TransientError:
        await _tidy(session, path)
        raise
    return path


async def remove_proof(session: Session, path: str, renamed: str | None) -> None:
    """Delete the file after giving it the name ``renamed``, if any. Raises TransientError, having tidied up."""
    try:
        if renamed:
            with session.request(f"rename it to {renamed}", path):
                await session.sftp.rename(path, renamed)
        with session.request("delete it", renamed or path):
            await session.sftp.remove(renamed or path)
    except TransientError:
        await _tidy(session, path, renamed or path)
        raise


async def _tidy(session: Session, *paths: str) -> None:
    for path in paths:
        with suppress(TransientError), session.request("delete it", path), suppress(*GONE):
            await session.sftp.remove(path)


def denied(error: TransientError) -> bool:
    """Whether the server refused for want of a right, which the account may do without."""
    return isinstance(error.__cause__, asyncssh.SFTPPermissionDenied)
