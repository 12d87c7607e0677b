"""A server that cannot be reached is left alone for a while, by everybody who talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from structlog.testing import capture_logs

from edi_gateway.errors import NotTriedError, TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.transports.sftp.hostkeys import HostKeyError
from edi_gateway.transports.sftp.opening import LoginError
from edi_gateway.transports.sftp.sink import SftpSink
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Drop, Faults, OtherHostKey, Refuse, Stall
from tests.integration.sftp_support import Recall, options, password, poll, put
from tests.servers import PASSWORD, ServerUnderTest, own_server

SHORT = {"failures": 3, "pause": "100ms", "longest": "300ms"}
LONG = {"failures": 3, "pause": "60s"}
DOCUMENT = OutboundDocument("a.edi", b"x")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def own(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote", faults=faults) as server:
        yield server


@asynccontextmanager
async def sources(server: ServerUnderTest, count: int = 1, **more: Any) -> AsyncIterator[list[SftpSource]]:
    async with AsyncExitStack() as stack:
        made = [SftpSource(**options(server, "out", **more)) for _ in range(count)]
        for each in made:
            stack.push_async_callback(each.close)
        yield made


async def fail(source: SftpSource, times: int, kind: type[TransientError] = TransientError) -> TransientError:
    """Poll so often; every poll fails with exactly that error, the last of which is returned."""
    for _ in range(times):
        with pytest.raises(kind) as caught:
            await poll(source, Recall())
        assert caught.type is kind
    return caught.value


async def until_it_is_tried(source: SftpSource) -> None:
    """Poll until a poll succeeds."""
    async with asyncio.timeout(10):
        while True:
            with suppress(NotTriedError, HostKeyError, LoginError):
                await poll(source, Recall())
                return
            await asyncio.sleep(0.01)


def of_circuit(logs: list[Any]) -> list[tuple[str, str]]:
    return [(log["event"], log["log_level"]) for log in logs if log["event"].startswith("circuit.")]


async def test_a_host_that_failed_so_often_is_left_alone_by_everybody(own: ServerUnderTest, faults: Faults) -> None:
    """Channels and destinations of one host share the count; then each fails at once, and says since when and why."""
    drop = Drop(operation="banner")
    faults.set(drop)
    destination = SftpSink(**options(own, "in", circuit=LONG))
    async with sources(own, 2, circuit=LONG) as (first, second):
        with capture_logs() as logs:
            await fail(first, 2)
            await fail(second, 1)
            assert of_circuit(logs) == [("circuit.opened", "error")]
            said = str(await fail(first, 5, NotTriedError))
            with pytest.raises(NotTriedError):
                await destination.send(DOCUMENT, again=False)
            assert of_circuit(logs) == [("circuit.opened", "error")]
        assert faults.fired()[drop] == 3
    assert f"{own.host}:{own.port}: cannot connect: " in said
    assert f"not tried: {own.host}:{own.port} has failed since 20" in said
    assert " UTC and is tried next at 20" in said


async def test_after_the_pause_one_at_a_time_tries_and_success_lets_all_in(
    own: ServerUnderTest, faults: Faults
) -> None:
    """While a probe hangs the others fail at once; when it succeeds everybody connects. Each change is logged once."""
    faults.set(Refuse(operation="banner"))
    async with sources(own, 3, circuit=SHORT, connect_timeout="30s") as channels:
        with capture_logs() as logs:
            await fail(channels[0], 3)
            probe = Stall(operation="kex")
            faults.set(probe)
            probing = asyncio.create_task(until_it_is_tried(channels[0]))
            assert await asyncio.to_thread(faults.wait_until_fired, probe)
            for channel in channels[1:]:
                assert "is being tried now" in str(await fail(channel, 3, NotTriedError))
            assert faults.fired()[probe] == 1
            faults.clear()
            await probing
            for channel in channels:
                await poll(channel, Recall())
        assert of_circuit(logs) == [
            ("circuit.opened", "error"),
            ("circuit.half_open", "info"),
            ("circuit.closed", "info"),
        ]


async def test_pauses_grow_to_the_longest(own: ServerUnderTest, faults: Faults) -> None:
    """Each pause is twice the one before, less up to a fifth so that not everything is tried in one moment."""
    faults.set(Refuse(operation="banner"))
    async with sources(own, circuit={"failures": 2, "pause": "20ms", "longest": "100ms"}) as (channel,):
        with capture_logs() as logs:
            async with asyncio.timeout(10):
                while len([log for log in logs if "seconds" in log]) < 5:
                    with suppress(TransientError):
                        await poll(channel, Recall())
                    await asyncio.sleep(0.005)
    pauses = [log["seconds"] for log in logs if "seconds" in log]
    for pause, most in zip(pauses, [0.02, 0.04, 0.08, 0.1, 0.1], strict=True):
        assert 0.79 * most <= pause <= most
    assert [log["event"] for log in logs if "seconds" in log] == ["circuit.opened", *["circuit.still_open"] * 4]


async def test_a_refused_login_does_not_lock_the_account(
    own: ServerUnderTest, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password is tried twice; other accounts of the host, and the right password, are not held up by it."""
    refusal = Refuse(operation="login")
    wrong = password(monkeypatch, "wrong")
    rule = {"failures": 2, "pause": "60s"}
    async with sources(own, circuit=rule, **wrong) as (channel,):
        await fail(channel, 2, LoginError)
        faults.set(refusal)
        assert "check username and key or password" in str(await fail(channel, 5, NotTriedError))
        assert faults.fired()[refusal] == 0
        faults.clear()
        async with sources(own, circuit=rule, **password(monkeypatch, PASSWORD)) as (other,):
            await poll(other, Recall())
        await fail(channel, 1, NotTriedError)


async def test_a_host_that_refuses_a_login_is_reached(own: ServerUnderTest, faults: Faults) -> None:
    """What lies between two such answers are failures in a row no more: an account's trouble is not its host's."""
    unreachable = Drop(operation="banner")
    async with sources(own, circuit={"failures": 2, "pause": "60s"}) as (channel,):
        faults.set(unreachable)
        await fail(channel, 1)
        faults.set(Refuse(operation="login"))
        await fail(channel, 1, LoginError)
        faults.set(unreachable)
        await fail(channel, 1)
        faults.clear()
        await poll(channel, Recall())


async def test_a_changed_host_key_is_not_asked_again_and_again(own: ServerUnderTest, faults: Faults) -> None:
    """Every poll says so, with both fingerprints, but one look is enough; it is tried again after the pause."""
    other = OtherHostKey()
    faults.set(other)
    pinned = asyncssh.import_public_key(own.known_hosts_line.split(" ", 1)[1]).get_fingerprint()
    async with sources(own, circuit={**SHORT, "pause": "300ms"}) as (channel,):
        with capture_logs() as logs:
            error = await fail(channel, 4, HostKeyError)
        assert isinstance(error, HostKeyError)
        assert error.changed
        assert pinned in error.trusted[0]
        assert "SHA256:" in error.shown
        assert pinned not in error.shown
        assert error.shown in str(error)
        assert error.trusted[0] in str(error)
        assert of_circuit(logs) == [("circuit.opened", "error")]
        assert faults.fired()[other] == 1
        faults.clear()
        await until_it_is_tried(channel)


async def test_a_pin_that_is_put_right_is_used_at_once(own: ServerUnderTest, tmp_path: Path) -> None:
    """A corrected known_hosts file ends the waiting: it is another question now."""
    file = tmp_path / "known_hosts"
    line = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    file.write_text(f"[{own.host}]:{own.port} {line}\n")
    async with sources(own, circuit=LONG, host_key=(), known_hosts=str(file)) as (channel,):
        await fail(channel, 2, HostKeyError)
        file.write_text(f"{own.known_hosts_line}\n")
        await poll(channel, Recall())


async def test_a_connection_that_stands_is_used_while_others_wait(own: ServerUnderTest, faults: Faults) -> None:
    """The circuit is about connecting: a session that works goes on working."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    async with sources(own, 2, circuit=LONG) as (standing, late):
        await poll(standing, memory)
        faults.set(Refuse(operation="banner"))
        await fail(late, 3)
        await fail(late, 1, NotTriedError)
        assert await poll(standing, memory) == {"a.edi": b"x"}


async def test_a_probe_that_is_cancelled_does_not_bar_the_way(own: ServerUnderTest, faults: Faults) -> None:
    """A channel that is stopped while it probes leaves the probing to others."""
    faults.set(Refuse(operation="banner"))
    async with sources(own, 2, circuit=SHORT, connect_timeout="30s") as (first, second):
        await fail(first, 3)
        stall = Stall(operation="accept")
        faults.set(stall)
        probing = asyncio.create_task(until_it_is_tried(first))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        await first.close()
        with pytest.raises(TransientError):
            await probing
        faults.clear()
        await until_it_is_tried(second)


async def test_zero_failures_never_open_the_circuit(own: ServerUnderTest, faults: Faults) -> None:
    """Whoever wants every attempt to be made says so."""
    refusal = Refuse(operation="banner")
    faults.set(refusal)
    async with sources(own, circuit={"failures": 0}) as (channel,):
        await fail(channel, 8)
    assert faults.fired()[refusal] == 8


def test_what_one_event_loop_learned_another_does_not_know(own: ServerUnderTest, faults: Faults) -> None:
    """Circuits belong to the loop that runs, so that no process-wide state outlives it."""
    channel = SftpSource(**options(own, "out", circuit={**LONG, "failures": 1}))

    async def attempt() -> int:
        await fail(channel, 1)
        await fail(channel, 1, NotTriedError)
        return faults.fired()[refusal]

    refusal = Refuse(operation="banner")
    faults.set(refusal)
    assert [asyncio.run(attempt()), asyncio.run(attempt())] == [1, 2]
