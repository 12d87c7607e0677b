"""Servers as they are met in the field: slow lines, short reads, files that are given away once, extensions."""

import asyncio
import time
from pathlib import Path

import asyncssh
import pytest

from sftp_test_server.faults import (
    Faults,
    Fsync,
    Limits,
    OneShot,
    PosixRename,
    ReadsInFlight,
    Refuse,
    ShortRead,
    SlowList,
    Stall,
    Trickle,
    Vanish,
)
from tests.servers import own_server
from tests.sftp_clients import LOST, Client, client, openssh_sftp, paramiko_client, read

CONTENT = bytes(range(256)) * 400


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("permission_denied", asyncssh.SFTPPermissionDenied),
        ("failure", asyncssh.SFTPFailure),
        ("unsupported", asyncssh.SFTPOpUnsupported),
        ("no_such_file", asyncssh.SFTPNoSuchFile),
    ],
)
async def test_a_refusal_gives_the_answer_that_was_chosen(
    tmp_path: Path, answer: str, error: type[asyncssh.SFTPError]
) -> None:
    """Each request that is refused, of a path or an open file, is answered with the error named."""
    faults = Faults()
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(b"UNB")
        async with client(server) as sftp:
            file = await sftp.open("/out/a.edi", "r+b", block_size=0)
            faults.set(Refuse(answer=answer))
            for request in (
                *(sftp.stat, sftp.lstat, sftp.readdir, sftp.remove, sftp.realpath, sftp.mkdir, sftp.rmdir),
                *(sftp.open, lambda path: sftp.chmod(path, 0o600), lambda path: sftp.rename(path, "/out/b.edi")),
                *(lambda _: file.stat(), lambda _: file.utime(), lambda _: file.write(b"ISA"), lambda _: file.close()),
            ):
                with pytest.raises(error):
                    await request("/out/a.edi")
        assert (server.root / "out/a.edi").read_bytes() == b"UNB"


async def test_each_answer_to_a_listing_can_be_refused(tmp_path: Path) -> None:
    """A folder opens, and its listing fails after the first answer."""
    faults = Faults(SlowList(entries=1), Refuse(operation="readdir", times=1, answer="failure"))
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with client(server) as sftp:
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.listdir("/")
            assert await sftp.listdir("/") == ["in", "out"]


async def test_replacing_is_refused_apart_from_renaming(tmp_path: Path) -> None:
    """A rename onto a name that exists is refused, another goes through; so with the extension that replaces."""
    faults = Faults(PosixRename(), Refuse(operation="replace"))
    with own_server(tmp_path / "remote", faults=faults) as server:
        for name in ("a.edi", "b.edi"):
            (server.root / "out" / name).write_text(name)
        async with client(server) as sftp:
            for rename in (sftp.rename, sftp.posix_rename):
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await rename("/out/a.edi", "/out/b.edi")
            assert (server.root / "out/b.edi").read_text() == "b.edi"
            await sftp.posix_rename("/out/a.edi", "/out/c.edi")
            faults.remove(Refuse(operation="replace"))
            await sftp.posix_rename("/out/c.edi", "/out/b.edi")
            faults.add(Refuse(operation="posix_rename", answer="unsupported"))
            with pytest.raises(asyncssh.SFTPOpUnsupported):
                await sftp.posix_rename("/out/b.edi", "/out/a.edi")
            await sftp.rename("/out/b.edi", "/out/a.edi")
        assert {path.name: path.read_text() for path in (server.root / "out").glob("*.edi")} == {"a.edi": "a.edi"}


def test_openssh_renames_with_the_extension_where_it_is_on_offer(tmp_path: Path) -> None:
    """OpenSSH's client replaces a file when the server offers to, and cannot when it does not."""
    faults = Faults(PosixRename(times=1))
    with own_server(tmp_path / "remote", faults=faults) as server:
        for name in ("a.edi", "b.edi", "c.edi"):
            (server.root / "out" / name).write_text(name)
        assert openssh_sftp(server, "rename /out/a.edi /out/b.edi").returncode == 0
        assert "Failure" in openssh_sftp(server, "rename /out/c.edi /out/b.edi").stderr
        assert (server.root / "out/b.edi").read_text() == "a.edi"
        with paramiko_client(server) as sftp, pytest.raises(OSError, match="unsupported"):
            sftp.posix_rename("/out/c.edi", "/out/b.edi")  # asks for it without looking at what is on offer


async def test_fsync_is_answered_where_it_is_on_offer(tmp_path: Path) -> None:
    """A client can wait for the disk on servers that offer it, and a fault can refuse it there."""
    faults = Faults()
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with client(server) as sftp, sftp.open("/in/a.edi", "wb") as file:
            with pytest.raises(asyncssh.SFTPOpUnsupported):
                await file.fsync()
        faults.set(Fsync(), Refuse(operation="fsync", times=1, answer="failure"))
        async with client(server) as sftp, sftp.open("/in/a.edi", "wb") as file:
            with pytest.raises(asyncssh.SFTPFailure):
                await file.fsync()
            await file.fsync()
        faults.set(fsync := Fsync())
        (tmp_path / "a.edi").write_bytes(CONTENT)
        assert openssh_sftp(server, f"put -f {tmp_path}/a.edi /in/b.edi").returncode == 0
        assert faults.fired() == {fsync: 1}
        assert (server.root / "in/b.edi").read_bytes() == CONTENT


async def test_limits_are_told_and_kept(tmp_path: Path) -> None:
    """Clients that ask are told the longest packet and keep to it; one that sends more is cut off."""
    faults = Faults(Limits(max_packet=5_000))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            assert (sftp.limits.max_read_len, sftp.limits.max_write_len) == (3_976, 3_976)
            file = await sftp.open("/out/a.edi", "rb", block_size=0)
            assert await read(file, 32768, 0) == CONTENT[:3_976]
            async with sftp.open("/in/a.edi", "wb") as small:
                await small.write(CONTENT)
            assert (server.root / "in/a.edi").read_bytes() == CONTENT
            file = await sftp.open("/in/b.edi", "wb", block_size=0)
            with pytest.raises(LOST):
                await file.write(b"x" * 5_000)
        faults.set(Limits(max_packet=5_000, advertise=False))
        async with client(server) as sftp:
            with pytest.raises(LOST):
                await (await sftp.open("/in/b.edi", "wb")).write(CONTENT)


def test_openssh_keeps_to_the_limits_it_is_told(tmp_path: Path) -> None:
    """OpenSSH's client, which would send 32 KiB at once, uploads and downloads in the smaller packets it is told of."""
    with own_server(tmp_path / "remote", faults=Faults(Limits(max_packet=9_000))) as server:
        (tmp_path / "a.edi").write_bytes(CONTENT)
        done = openssh_sftp(server, f"put {tmp_path}/a.edi /in/a.edi", f"get /in/a.edi {tmp_path}/b.edi")
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "b.edi").read_bytes() == CONTENT


async def test_a_trickle_takes_its_time_both_ways(tmp_path: Path) -> None:
    """A file is read and written at the speed named; while it is written its beginning can be seen."""
    faults = Faults(Trickle(bytes_per_second=200_000))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            begun = time.monotonic()
            assert await read(await sftp.open("/out/a.edi", "rb")) == CONTENT
            assert time.monotonic() - begun >= len(CONTENT) / 200_000 * 0.9
            begun = time.monotonic()
            file = await sftp.open("/in/a.edi", "wb")
            writing = asyncio.ensure_future(file.write(CONTENT))
            assert 0 < await asyncio.to_thread(_first_size, server.root / "in/a.edi") < len(CONTENT)
            await writing
            assert time.monotonic() - begun >= len(CONTENT) / 200_000 * 0.9
            assert (server.root / "in/a.edi").read_bytes() == CONTENT


async def test_a_trickling_answer_arrives_bit_by_bit(tmp_path: Path) -> None:
    """One answer trickles over the line, so that it is slow but never silent; taking the fault away lets it flow."""
    faults = Faults(trickle := Trickle(operation="read", bytes_per_second=1_000))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            file = await sftp.open("/out/a.edi", "rb", block_size=0)
            reading = asyncio.ensure_future(read(file, 32768, 0))
            assert await asyncio.to_thread(faults.wait_until_fired, trickle)
            assert not reading.done()
            faults.clear()
            assert await asyncio.wait_for(reading, 5) == CONTENT[:32768]


async def test_reads_are_answered_short(tmp_path: Path) -> None:
    """A read gets no more bytes than the fault allows, and a client that goes on gets the file whole."""
    with own_server(tmp_path / "remote", faults=Faults(ShortRead(at_most=1000))) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            file = await sftp.open("/out/a.edi", "rb", block_size=0)
            assert await read(file, 32768, 0) == CONTENT[:1000]
            assert await read(await sftp.open("/out/a.edi", "rb")) == CONTENT
        assert openssh_sftp(server, f"get /out/a.edi {tmp_path}/a.edi").returncode == 0
        assert (tmp_path / "a.edi").read_bytes() == CONTENT


async def test_too_many_reads_in_flight_hang(tmp_path: Path) -> None:
    """A client with as many reads under way as allowed is served; with one more it hangs until the fault is gone."""
    faults = Faults(limit := ReadsInFlight(at_most=2, watch=0.3))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            file = await sftp.open("/out/a.edi", "rb", block_size=0)

            async def read_at_once(count: int) -> list[bytes]:
                return await asyncio.gather(*(read(file, 1000, 1000 * number) for number in range(count)))

            assert b"".join(await read_at_once(2)) == CONTENT[:2000]
            hanging = asyncio.ensure_future(read_at_once(3))
            assert await asyncio.to_thread(faults.wait_until_fired, limit)
            assert not hanging.done()
            faults.clear()
            assert b"".join(await hanging) == CONTENT[:3000]


async def test_openssh_hangs_where_few_reads_may_be_in_flight(tmp_path: Path) -> None:
    """OpenSSH's client, which reads far ahead, hangs; paramiko's reading piece by piece is served."""
    faults = Faults(limit := ReadsInFlight(at_most=1))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        with paramiko_client(server) as sftp, sftp.open("/out/a.edi") as file:
            assert await asyncio.to_thread(file.read) == CONTENT
        assert faults.fired() == {limit: 0}
        hanging = asyncio.ensure_future(asyncio.to_thread(openssh_sftp, server, f"get /out/a.edi {tmp_path}/a.edi"))
        assert await asyncio.to_thread(faults.wait_until_fired, limit)
        assert not hanging.done()
        faults.clear()
        assert (await hanging).returncode == 0
        assert (tmp_path / "a.edi").read_bytes() == CONTENT


async def test_a_listing_comes_slowly(tmp_path: Path) -> None:
    """A listing comes some entries at a time, each answer as late as told, and is complete in the end."""
    faults = Faults(slow := SlowList(entries=2, seconds=0.1))
    with own_server(tmp_path / "remote", faults=faults) as server:
        for number in range(5):
            (server.root / f"in/{number}.edi").touch()
        async with client(server) as sftp:
            begun = time.monotonic()
            assert await sftp.listdir("/in") == [f"{number}.edi" for number in range(5)]
            assert time.monotonic() - begun >= 0.3
        assert faults.fired() == {slow: 4}  # 2 + 2 + 1, and the end


async def test_a_file_vanishes_when_it_is_closed(tmp_path: Path) -> None:
    """What a client wrote is gone right after the close, what it only read stays."""
    faults = Faults(gone := Vanish(path="*.edi"))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "in/read.edi").touch()
        async with client(server) as sftp:
            async with sftp.open("/in/a.edi", "wb") as file:
                await file.write(CONTENT)
                assert (await sftp.stat("/in/a.edi")).size == len(CONTENT)
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await sftp.stat("/in/a.edi")
            await read(await sftp.open("/in/read.edi", "rb"))
            assert await sftp.listdir("/in") == ["read.edi"]
        assert faults.fired() == {gone: 1}


async def test_a_file_is_collected_when_it_gets_its_name(tmp_path: Path) -> None:
    """A file renamed to its final name is moved away at once, and one of the same name later is kept beside it."""
    faults = Faults(Vanish(path="/in/*.edi", into="/collected"))
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with client(server) as sftp:
            for content in (b"first", b"second"):
                async with sftp.open("/in/a.tmp", "wb") as file:
                    await file.write(content)
                await sftp.rename("/in/a.tmp", "/in/a.edi")
        found = {path.name: path.read_bytes() for path in (server.root / "collected").iterdir()}
        assert found == {"a.edi": b"first", "a.edi~1": b"second"}
        assert list((server.root / "in").iterdir()) == []


async def test_a_file_can_be_fetched_once(tmp_path: Path) -> None:
    """A file read to its end is gone at the close; one left half-way stays. The open file cannot be described."""
    with own_server(tmp_path / "remote", faults=Faults(OneShot(path="/out/*"))) as server:
        (server.root / "out/a.edi").write_bytes(CONTENT)
        async with client(server) as sftp:
            assert (await sftp.stat("/out/a.edi")).size == len(CONTENT)
            for size in (1000, len(CONTENT)):
                async with sftp.open("/out/a.edi", "rb", block_size=0) as file:
                    with pytest.raises(asyncssh.SFTPFailure):
                        await file.stat()
                    assert await read(file, size, 0) == CONTENT[:size]
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await sftp.open("/out/a.edi", "rb")


@pytest.mark.parametrize(
    "operation",
    ["open", "overwrite", "read", "write", "close", "readdir", "lstat", "fstat", "fsync", "mkdir", "rmdir", "replace"],
)
async def test_every_request_can_stall(tmp_path: Path, operation: str) -> None:
    """Whatever the request, a stall at it hangs the client until it is released, and then the work goes on."""
    faults = Faults(Fsync(), PosixRename(), stall := Stall(operation=operation))
    with own_server(tmp_path / "remote", faults=faults) as server:
        (server.root / "in/a.edi").touch()
        async with client(server) as sftp:
            hanging = asyncio.ensure_future(_everything(sftp))
            assert await asyncio.to_thread(faults.wait_until_fired, stall)
            assert not hanging.done()
            faults.remove(stall)
            await asyncio.wait_for(hanging, 5)


async def _everything(sftp: Client) -> None:
    async with sftp.open("/in/a.edi", "r+b", block_size=0) as file:
        await file.write(b"UNB")
        await file.fsync()
        await file.stat()
        await file.read(3, 0)
    await sftp.lstat("/in/a.edi")
    await sftp.mkdir("/in/new")
    await sftp.rmdir("/in/new")
    async with sftp.open("/in/b.edi", "wb"):
        pass
    await sftp.posix_rename("/in/b.edi", "/in/a.edi")
    await sftp.listdir("/in")


def _first_size(path: Path) -> int:
    """Look at a file that is being written until there is something of it."""
    while not (size := path.stat().st_size):
        time.sleep(0.005)
    return size
