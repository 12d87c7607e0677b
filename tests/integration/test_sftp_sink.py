"""The sFTP sink against our own server, which lacks posix-rename and can be made to fail, and against OpenSSH's."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncssh
import pytest

from edi_gateway.errors import RefusedError, TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.plugins import Sink
from edi_gateway.transports.sftp.sink import SftpSink
from sftp_test_server.faults import DiskFull, Drop, Fault, Faults, PosixRename, Refuse, Stall, Vanish, WrongSize
from tests.integration.sftp_support import LONG_AGO, names, options, put
from tests.servers import ServerUnderTest, own_server

DOCUMENT = OutboundDocument("tracking_events_000000001.edi", b"UNB+UNOC:3+HUB+GLOBEX'" * 50)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def own(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote", faults=faults) as server:
        yield server


@asynccontextmanager
async def sink(server: ServerUnderTest, **more: Any) -> AsyncIterator[SftpSink]:
    made = SftpSink(**options(server, "in", **more))
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("length", [0, 1, 1234, 3_000_001])
async def test_a_document_arrives_complete(sftp_server: ServerUnderTest, length: int) -> None:
    """The bytes lie under their name, nothing temporary is left, and the receipt says what was verified."""
    content = os.urandom(length)
    async with sink(sftp_server) as destination:
        assert isinstance(destination, Sink)
        receipt = await destination.send(OutboundDocument("a.edi", content), again=False)
    assert receipt == f"renamed, {length:,} bytes verified"
    assert names(sftp_server.root / "in") == ["a.edi"]
    assert (sftp_server.root / "in" / "a.edi").read_bytes() == content


async def test_many_documents_share_one_connection(sftp_server: ServerUnderTest) -> None:
    """Documents sent side by side do not disturb each other."""
    sent = [OutboundDocument(f"{number}.edi", os.urandom(5000)) for number in range(40)]
    async with sink(sftp_server) as destination:
        await asyncio.gather(*(destination.send(document, again=False) for document in sent))
    folder = sftp_server.root / "in"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {each.name: each.content for each in sent}


async def test_nothing_appears_under_the_final_name_before_it_is_complete(own: ServerUnderTest, faults: Faults) -> None:
    """While the upload hangs, whoever looks sees the temporary name alone."""
    stall = Stall(operation="rename")
    faults.set(stall)
    async with sink(own) as destination:
        sending = asyncio.create_task(destination.send(DOCUMENT, again=False))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        assert names(own.root / "in") == [f"{DOCUMENT.name}.tmp"]
        faults.clear()
        await sending
    assert names(own.root / "in") == [DOCUMENT.name]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("there", [b"older", DOCUMENT.content[:-1] + b"?", DOCUMENT.content + b"and more"])
@pytest.mark.parametrize("more", [{}, {"temporary": ""}, {"verify": "none"}])
async def test_another_file_of_that_name_is_never_replaced(
    sftp_server: ServerUnderTest, there: bytes, again: bool, more: dict[str, Any]
) -> None:
    """An older file that nobody collected yet stays as it is, and the error names it, however often it is tried."""
    path = put(sftp_server.root / "in", DOCUMENT.name, there)
    async with sink(sftp_server, **more) as destination:
        with pytest.raises(
            TransientError, match=rf"another file stands under that name of {len(there):,} bytes from 2"
        ):
            await destination.send(DOCUMENT, again=again)
        assert path.read_bytes() == there
        path.unlink()
        await destination.send(DOCUMENT, again=True)
    assert names(path.parent) == [DOCUMENT.name]
    assert path.read_bytes() == DOCUMENT.content


async def test_what_is_left_of_an_upload_that_broke_off_is_overwritten(sftp_server: ServerUnderTest) -> None:
    """A longer left-over under the temporary name leaves no trace in the document."""
    folder = sftp_server.root / "in"
    put(folder, f"{DOCUMENT.name}.tmp", b"left over from an upload that broke off, and longer" * 100)
    async with sink(sftp_server) as destination:
        await destination.send(DOCUMENT, again=False)
    assert names(folder) == [DOCUMENT.name]
    assert (folder / DOCUMENT.name).read_bytes() == DOCUMENT.content


async def test_what_arrived_is_not_sent_again(sftp_server: ServerUnderTest) -> None:
    """When an earlier attempt got through without our knowing, the equal file stays untouched."""
    path = put(sftp_server.root / "in", DOCUMENT.name, DOCUMENT.content)
    async with sink(sftp_server) as destination:
        receipt = await destination.send(DOCUMENT, again=True)
    assert receipt == f"already there, {len(DOCUMENT.content):,} bytes compared"
    assert path.stat().st_mtime == LONG_AGO


@pytest.mark.parametrize("there", [DOCUMENT.content[:-1], b"", None])
@pytest.mark.parametrize("temporary", ["{name}.tmp", ""])
async def test_what_arrived_in_part_is_sent_again(
    sftp_server: ServerUnderTest, there: bytes | None, temporary: str
) -> None:
    """A beginning of the document is a half upload of ours, as servers without rename leave it; it is made whole."""
    path = sftp_server.root / "in" / DOCUMENT.name
    if there is not None:
        put(path.parent, path.name, there)
    async with sink(sftp_server, temporary=temporary) as destination:
        await destination.send(DOCUMENT, again=True)
    assert names(path.parent) == [DOCUMENT.name]
    assert path.read_bytes() == DOCUMENT.content


async def test_a_direct_write_says_that_it_is_not_atomic(sftp_server: ServerUnderTest) -> None:
    """For servers without rename the file is written under its own name."""
    async with sink(sftp_server, temporary="") as destination:
        receipt = await destination.send(DOCUMENT, again=False)
    assert receipt == f"written directly, not atomic, {len(DOCUMENT.content):,} bytes verified"
    assert (sftp_server.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


async def test_a_temporary_name_may_lie_in_another_folder(sftp_server: ServerUnderTest) -> None:
    """The upload goes to the folder that the customer does not watch."""
    async with sink(sftp_server, temporary="../out/{name}") as destination:
        await destination.send(DOCUMENT, again=False)
    assert names(sftp_server.root / "in") == [DOCUMENT.name]
    assert names(sftp_server.root / "out") == []


@pytest.mark.parametrize(
    ("operation", "more", "receipt"),
    [
        ("rename", {}, "renamed, collected already"),
        ("close", {"temporary": ""}, "written directly, not atomic, collected already"),
        ("close", {}, "collected already, under its temporary name"),
        ("close", {"verify": "none"}, "collected already, under its temporary name"),
        ("close", {"rename_refused": "fail"}, "collected already, under its temporary name"),
        ("rename", {"verify": "content"}, "renamed, collected already"),
    ],
)
async def test_a_file_collected_at_once_counts_as_delivered(
    own: ServerUnderTest, faults: Faults, operation: str, more: dict[str, Any], receipt: str
) -> None:
    """A customer who takes the file right after its close or its rename got it; it must not be sent twice."""
    faults.set(Vanish(operation=operation, into="/out"))
    async with sink(own, **more) as destination:
        assert (await destination.send(DOCUMENT, again=False)).startswith(receipt)
    assert [path.read_bytes() for path in (own.root / "out").iterdir() if path.is_file()] == [DOCUMENT.content]
    assert names(own.root / "in") == []


async def test_a_full_disk_is_transient_and_leaves_nothing_behind(own: ServerUnderTest, faults: Faults) -> None:
    """What was written before the disk was full is removed, and the next attempt succeeds."""
    faults.set(DiskFull(after_bytes=100))
    async with sink(own) as destination:
        with pytest.raises(TransientError, match=rf"mailbox@127\.0\.0\.1:{own.port} /in/.*\.tmp: cannot write it: "):
            await destination.send(DOCUMENT, again=False)
        assert names(own.root / "in") == []
        faults.clear()
        await destination.send(DOCUMENT, again=True)
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


@pytest.mark.parametrize(
    ("operation", "doing"),
    [("open", "open it for writing"), ("rename,posix_rename", "rename it to /in/"), ("write", "write it")],
)
async def test_a_missing_right_is_transient_and_told(
    own: ServerUnderTest, faults: Faults, operation: str, doing: str
) -> None:
    """The error names what was tried and whom to ask; when the right is given, the next attempt succeeds."""
    faults.set(Refuse(operation=operation))
    async with sink(own, rename_refused="fail") as destination:
        with pytest.raises(TransientError, match=f"cannot {doing}.*ask the other side for this right"):
            await destination.send(DOCUMENT, again=False)
        assert names(own.root / "in") == []
        faults.clear()
        await destination.send(DOCUMENT, again=True)
    assert names(own.root / "in") == [DOCUMENT.name]


async def test_a_missing_folder_is_transient_and_told(sftp_server: ServerUnderTest) -> None:
    """A folder that somebody has to make first is no reason to give the document up."""
    async with sink(sftp_server, path="/nowhere/at/all") as destination:
        with pytest.raises(TransientError, match=r"/nowhere/at/all/.*\.tmp: .*have the folder made"):
            await destination.send(DOCUMENT, again=False)


async def test_a_line_that_breaks_after_the_rename_counts_as_delivered(own: ServerUnderTest, faults: Faults) -> None:
    """The file was proved before it got its name: to send it again would be to send it twice."""
    at_rename, drop = Stall(operation="rename"), Drop(operation="stat", times=1)
    faults.set(at_rename)
    async with sink(own) as destination:
        sending = asyncio.create_task(destination.send(DOCUMENT, again=False))
        assert await asyncio.to_thread(faults.wait_until_fired, at_rename)
        faults.set(drop)
        receipt = await sending
    assert faults.fired()[drop] == 1
    assert receipt == f"renamed, {len(DOCUMENT.content):,} bytes verified before that, the connection broke after it"
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


@pytest.mark.parametrize("operation", ["open", "write", "close", "stat", "rename"])
async def test_a_connection_that_drops_is_made_good_by_the_next_attempt(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Wherever the connection breaks, one more attempt leaves exactly the document."""
    drop = Drop(operation=operation, times=1)
    faults.set(drop)
    async with sink(own) as destination:
        with pytest.raises(TransientError):
            await destination.send(DOCUMENT, again=False)
        assert faults.fired()[drop] == 1
        await destination.send(DOCUMENT, again=True)
    assert names(own.root / "in") == [DOCUMENT.name]
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


@pytest.mark.parametrize("operation", ["login", "open", "write", "close", "stat", "rename"])
async def test_a_server_that_hangs_is_left_in_time(own: ServerUnderTest, faults: Faults, operation: str) -> None:
    """No request waits for ever, and the next attempt connects anew."""
    faults.set(Stall(operation=operation))
    async with sink(own, request_timeout="200ms", connect_timeout="1s") as destination:
        begun = time.monotonic()
        with pytest.raises(TransientError, match=r"no answer within (0\.2|1) s"):
            await destination.send(DOCUMENT, again=False)
        assert time.monotonic() - begun < 3
        faults.clear()
        await destination.send(DOCUMENT, again=True)
    assert names(own.root / "in") == [DOCUMENT.name]


@pytest.mark.parametrize(
    "refusal",
    [
        Refuse(operation="rename"),
        Refuse(operation="rename", answer="unsupported"),
        Refuse(operation="rename", answer="failure"),
    ],
)
async def test_a_server_that_refuses_to_rename_gets_the_file_directly(
    own: ServerUnderTest, faults: Faults, refusal: Fault
) -> None:
    """The document arrives under its name all the same, nothing temporary is left, and the receipt says how."""
    faults.set(refusal)
    async with sink(own) as destination:
        receipt = await destination.send(DOCUMENT, again=False)
    assert receipt.startswith("written directly, not atomic, as the server refuses to rename, 1,100 bytes verified")
    assert names(own.root / "in") == [DOCUMENT.name]
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


async def test_a_direct_upload_that_breaks_off_is_made_whole_by_the_next_attempt(
    own: ServerUnderTest, faults: Faults
) -> None:
    """Half a document under its own name is overwritten, be it that the server refuses to overwrite."""
    document = OutboundDocument("a.edi", os.urandom(300_000))
    no_rename = Refuse(operation="rename")
    faults.set(no_rename, Drop(operation="write", path="*/a.edi", after_bytes=100_000, times=1))
    async with sink(own) as destination:
        with pytest.raises(TransientError):
            await destination.send(document, again=False)
        assert 0 < (own.root / "in" / "a.edi").stat().st_size < 300_000
        faults.set(no_rename, Refuse(operation="overwrite"))
        await destination.send(document, again=True)
    assert names(own.root / "in") == ["a.edi"]
    assert (own.root / "in" / "a.edi").read_bytes() == document.content


class FirstWriteFails(asyncssh.SFTPServer):
    """Answers requests side by side; the first part of a file fails, after all others that come with it are stored."""

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if not offset:
            await asyncio.sleep(0.2)
            raise asyncssh.SFTPFailure("the first part is not for me")
        return cast("int", super().write(file_obj, offset, data))


class AnyUser(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - whoever comes is let in
        return False


async def test_a_direct_upload_that_breaks_off_leaves_a_beginning_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that carries out writes in another order than they came cannot leave holes in a file that all see."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    monkeypatch.setenv("SFTP_PASSWORD", "any")
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=AnyUser,
        server_host_keys=[key],
        sftp_factory=lambda channel: FirstWriteFails(channel, chroot=str(tmp_path).encode()),
    )
    async with listener:
        destination = SftpSink(
            host="127.0.0.1",
            port=listener.get_port(),
            username="any",
            password="${env:SFTP_PASSWORD}",
            host_key=(key.export_public_key().decode().strip(),),
            temporary="",
        )
        with pytest.raises(TransientError, match="cannot write it: the first part"):
            await destination.send(OutboundDocument("a.edi", os.urandom(3_000_000)), again=False)
        await destination.close()
    assert (tmp_path / "a.edi").read_bytes() == b""


async def test_a_left_over_that_cannot_be_overwritten_is_removed(own: ServerUnderTest, faults: Faults) -> None:
    """A half upload under the temporary name does not stand in the way where the server refuses to overwrite."""
    put(own.root / "in", f"{DOCUMENT.name}.tmp", b"half")
    faults.set(Refuse(operation="overwrite"))
    async with sink(own) as destination:
        await destination.send(DOCUMENT, again=True)
    assert names(own.root / "in") == [DOCUMENT.name]


async def test_a_server_that_renames_in_openssh_way_alone_is_understood(own: ServerUnderTest, faults: Faults) -> None:
    """Where only posix-rename works it is used, the name being free."""
    faults.set(PosixRename(), Refuse(operation="rename", answer="unsupported", times=1))
    async with sink(own) as destination:
        assert await destination.send(DOCUMENT, again=False) == "renamed, 1,100 bytes verified"
    assert names(own.root / "in") == [DOCUMENT.name]


async def test_a_replacing_rename_is_not_used_over_another_file(own: ServerUnderTest, faults: Faults) -> None:
    """A file that appears while ours is uploaded is not replaced, though the server offers a rename that would."""
    rename = Stall(operation="rename", times=1)
    faults.set(PosixRename(), rename)
    async with sink(own) as destination:
        sending = asyncio.create_task(destination.send(DOCUMENT, again=False))
        assert await asyncio.to_thread(faults.wait_until_fired, rename)
        put(own.root / "in", DOCUMENT.name, b"another")
        faults.set(PosixRename())
        with pytest.raises(TransientError, match="another file stands under that name of 7 bytes"):
            await sending
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == b"another"


@pytest.mark.parametrize("answer", ["permission_denied", "failure", "unsupported"])
async def test_a_server_that_tells_nothing_of_its_files_is_delivered_to(
    own: ServerUnderTest, faults: Faults, answer: str
) -> None:
    """A drop box that refuses stat and reading gets the file, and the receipt says that nobody looked."""
    faults.set(Refuse(operation="stat,lstat,fstat", answer=answer), Refuse(path="*", operation="readdir,list"))
    async with sink(own) as destination:
        receipt = await destination.send(DOCUMENT, again=False)
    assert receipt == "renamed, 1,100 bytes, not verified as the server tells no size"
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


async def test_no_attribute_of_a_file_is_ever_set(own: ServerUnderTest, faults: Faults) -> None:
    """Some servers fail an upload whose mode or times somebody tries to set, as AWS Transfer does."""
    refusal = Refuse(operation="setstat")
    faults.set(refusal)
    async with sink(own) as destination:
        await destination.send(DOCUMENT, again=False)
    assert faults.fired()[refusal] == 0


async def test_a_size_that_does_not_fit_is_not_a_delivery(own: ServerUnderTest, faults: Faults) -> None:
    """When the server has another number of bytes than were sent, the document is not renamed into place."""
    faults.set(WrongSize(size=7, operation="stat"))
    async with sink(own) as destination:
        with pytest.raises(TransientError, match=r"found 7 bytes, expected the 1,100 that were sent"):
            await destination.send(DOCUMENT, again=False)
    assert names(own.root / "in") == []


@pytest.mark.parametrize(
    ("verify", "receipt"),
    [("content", "renamed, 1,100 bytes compared"), ("none", "renamed, 1,100 bytes, not verified")],
)
async def test_a_server_that_tells_wrong_sizes_is_delivered_to_when_told_so(
    own: ServerUnderTest, faults: Faults, verify: str, receipt: str
) -> None:
    """verify: content reads the bytes back, verify: none believes the server."""
    faults.set(WrongSize(size=7))
    async with sink(own, verify=verify) as destination:
        assert await destination.send(DOCUMENT, again=False) == receipt
    assert (own.root / "in" / DOCUMENT.name).read_bytes() == DOCUMENT.content


async def test_an_upload_that_reads_back_otherwise_is_not_a_delivery(own: ServerUnderTest, faults: Faults) -> None:
    """verify: content finds what a size would not tell."""
    document = OutboundDocument("a.edi", b"x" * 100)
    written = Stall(operation="close", times=1)
    faults.set(written)
    async with sink(own, verify="content") as destination:
        sending = asyncio.create_task(destination.send(document, again=False))
        assert await asyncio.to_thread(faults.wait_until_fired, written)
        (own.root / "in" / "a.edi.tmp").write_bytes(b"x" * 99 + b"y")
        faults.clear()
        with pytest.raises(TransientError, match="other when read back, expected the 100 bytes that were sent"):
            await sending
    assert names(own.root / "in") == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b.edi", "/etc/passwd", "a\0b", "x" * 256])
async def test_a_name_no_server_can_hold_is_refused_for_good(own: ServerUnderTest, name: str) -> None:
    """A retry could not help, so the document goes to the dead letters; nothing is written."""
    async with sink(own) as destination:
        with pytest.raises(RefusedError, match="correct file_name"):
            await destination.send(OutboundDocument(name, b"x"), again=False)
    assert names(own.root / "in") == []


async def test_a_check_tells_every_step_and_leaves_nothing(sftp_server: ServerUnderTest) -> None:
    """Name, TCP, host key, login, listing and writing are proved, and the folder is as before."""
    put(sftp_server.root / "in", "a.edi", b"x")
    async with sink(sftp_server) as destination:
        steps = [step async for step in destination.check()]
    assert ["DNS", "TCP", "host key", "login", "list", "write"] == [step.name for step in steps]
    assert all(step.ok for step in steps), steps
    assert names(sftp_server.root / "in") == ["a.edi"]


@pytest.mark.parametrize("operation", ["open", "write", "rename", "remove"])
async def test_a_check_fails_where_a_delivery_would(own: ServerUnderTest, faults: Faults, operation: str) -> None:
    """A right that is missing shows before the first document does; what was written is removed where that can be."""
    faults.set(Refuse(operation=operation))
    async with sink(own) as destination:
        steps = [step async for step in destination.check()]
    assert ("write", False) == (steps[-1].name, steps[-1].ok)
    assert "ask the other side for this right" in steps[-1].detail
    assert operation == "remove" or names(own.root / "in") == []


async def test_a_check_accepts_a_folder_that_may_not_be_listed(own: ServerUnderTest, faults: Faults) -> None:
    """A drop box that shows nothing is as good as any other."""
    faults.set(Refuse(operation="list"))
    async with sink(own) as destination:
        steps = [step async for step in destination.check()]
    assert ("write", True) == (steps[-1].name, steps[-1].ok)
