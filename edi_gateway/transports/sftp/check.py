"""Proof of a connection, step by step, ending at the first that fails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.plugins import Step
from edi_gateway.transports.sftp.clearing import delete
from edi_gateway.transports.sftp.complaints import complain
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import HostKeyError, Witness
from edi_gateway.transports.sftp.listing import inside
from edi_gateway.transports.sftp.opening import open_session, through_jump
from edi_gateway.transports.sftp.session import Session
from edi_gateway.transports.sftp.upload import write

Try = Callable[[Session], Awaitable[str]]
_PROOF = b"connection check of an EDI gateway; this file is about to be removed\n"


async def check(endpoint: Endpoint, tries: Sequence[tuple[str, Try]]) -> AsyncIterator[Step]:
    """Name service, TCP, jump host if any, host key, login, then ``tries`` on the open session.

    Each says what was seen. Circuits are not asked: whoever checks wants to know how it is now.
    """
    first = endpoint.jump or endpoint
    for name, reach in (("DNS", _resolve), ("TCP", _greet), *((("jump", _jump),) if endpoint.jump else ())):
        try:
            yield Step(name, True, await reach(endpoint))
        except (OSError, TransientError) as error:
            told = isinstance(error, TransientError)
            yield Step(name, False, str(error) if told else complain(first.name, "connect", error))
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
    first = endpoint.jump or endpoint
    found = await asyncio.get_running_loop().getaddrinfo(first.host, first.port, proto=6)
    return ", ".join(dict.fromkeys(str(address[0]) for *_, address in found))


async def _greet(endpoint: Endpoint) -> str:
    """The server's identification (RFC 4253, section 4.2), which tells an SSH server from anything else."""
    first = endpoint.jump or endpoint
    async with asyncio.timeout(endpoint.connect_timeout.total_seconds()):
        reader, writer = await asyncio.open_connection(first.host, first.port)
        try:
            greeting = (await reader.read(255)).split(b"\n")[0].decode("ascii", "backslashreplace").strip()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    if not greeting.startswith("SSH-"):
        raise TransientError(
            f"{first.name}: cannot connect: expected an SSH server, which begins with SSH-2.0, found {greeting!r}"
        )
    return greeting


async def _jump(endpoint: Endpoint) -> str:
    async with through_jump(endpoint):
        return f"logged in as {endpoint.jump.name}" if endpoint.jump else ""


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
            async with session.request(f"rename it to {renamed}", path):
                await session.sftp.rename(path, renamed)
        async with session.request("delete it", renamed or path):
            await session.sftp.remove(renamed or path)
    except TransientError:
        await _tidy(session, path, renamed or path)
        raise


async def _tidy(session: Session, *paths: str) -> None:
    for path in paths:
        with suppress(TransientError):
            await delete(session, path)


def denied(error: TransientError) -> bool:
    """Whether the server refused for want of a right, which the account may do without."""
    return isinstance(error.__cause__, asyncssh.SFTPPermissionDenied)
