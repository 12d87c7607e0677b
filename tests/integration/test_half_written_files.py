"""Files whose writer has not finished: left alone until they have their end, or until patience ends."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
from structlog.testing import capture_logs

from edi_gateway.pipeline import intake
from edi_gateway.pipeline.intake import ChannelMemory
from edi_gateway.pipeline.partners import Channel
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import findings, inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Document, DocumentState
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Faults, Refuse, WrongSize
from tests import configured
from tests.integration.sftp_support import LONG_AGO, names, options, put
from tests.servers import ServerUnderTest, own_server

WHOLE = (
    b"UNB+UNOC:3+SPEEDY+HUB+261012:0900+I1'UNH+1+IFTSTA:D:01B:UN'BGM+23+R1+9'DTM+137:202610120900:203'"
    b"CNI+1+K1'STS+1+21'DTM+334:202610120830:203'UNT+7+1'UNZ+1+I1'"
)
HALF = WHOLE[:100]
PATIENCE = timedelta(minutes=10)


@dataclass
class Desk:
    """One channel of the gateway on a server, its database, and a clock that tests set."""

    db: Database
    channel: Channel
    server: ServerUnderTest
    now: float = 0.0
    memory: ChannelMemory = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """What a new process still knows."""
        self.memory = ChannelMemory(self.db, self.channel.name, clock=lambda: self.now)

    @property
    def folder(self) -> Path:
        return self.server.root / "out"

    async def polls(self, count: int) -> int:
        """So many polls; returns how many documents were committed."""
        return sum([await intake.poll(self.db, self.channel, self.memory) for _ in range(count)])

    def waited_out(self) -> None:
        """The patience has passed."""
        self.now += PATIENCE.total_seconds()

    def taken(self) -> list[tuple[Document, bytes]]:
        """Every document with its bytes, oldest first."""
        stored = reversed(inbox.documents(self.db))
        return [(document, inbox.load(self.db, document.digest)) for document in stored]

    def untouched(self) -> bool:
        """Whether nothing was committed and nothing cleared."""
        return not self.taken() and names(self.folder) == ["a.edi"]


@asynccontextmanager
async def desk_at(server: ServerUnderTest, tmp_path: Path, template: Path) -> AsyncIterator[Desk]:
    shutil.copy(template, tmp_path / "gateway.sqlite")
    db = Database(f"sqlite:///{tmp_path / 'gateway.sqlite'}")
    wired = configured.wired(tmp_path / "config").channels["speedy/files"]
    source = SftpSource(**options(server, "out", after="delete"))
    try:
        yield Desk(db, replace(wired, source=source, patience=PATIENCE), server)
    finally:
        await source.close()
        db.close()


@pytest.fixture
async def desk(sftp_server: ServerUnderTest, tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Desk]:
    async with desk_at(sftp_server, tmp_path, sqlite_template) as made:
        yield made


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def faulty(faults: Faults, tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Desk]:
    """Only our own server can be made to fail."""
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with desk_at(server, tmp_path, sqlite_template) as made:
            yield made


@asynccontextmanager
async def writer(server: ServerUnderTest, name: str = "a.edi") -> AsyncIterator[asyncssh.SFTPClientFile]:
    """The carrier's own program, with the file open under its last name."""
    known = asyncssh.import_known_hosts(server.known_hosts_line)
    async with (
        asyncssh.connect(
            server.host,
            server.port,
            username=server.username,
            client_keys=[str(server.private_key)],
            known_hosts=known,
            config=None,
        ) as connection,
        connection.start_sftp_client() as sftp,
    ):
        yield await sftp.open(f"{server.remote_root}/out/{name}", "wb", block_size=0)


def incomplete(captured: Sequence[Mapping[str, object]]) -> int:
    return sum(line["event"] == "document.incomplete" for line in captured)


async def test_a_writer_that_pauses_in_the_middle_is_waited_for(desk: Desk) -> None:
    """However often is looked meanwhile, the half is neither committed nor cleared; the whole arrives once."""
    async with writer(desk.server) as file:
        await file.write(HALF, 0)
        with capture_logs() as log:
            assert await desk.polls(5) == 0
        assert (incomplete(log), desk.untouched()) == (1, True)
        await file.write(WHOLE[len(HALF) :], len(HALF))
        await file.close()
    assert await desk.polls(2) == 1
    assert [content for _, content in desk.taken()] == [WHOLE]
    assert names(desk.folder) == []


async def test_a_writer_that_preserves_an_old_time_is_waited_for(desk: Desk) -> None:
    """A time long ago says nothing about whether the writer has finished."""
    async with writer(desk.server) as file:
        for end in (60, 100, 150):
            await file.write(WHOLE[:end], 0)
            await file.setstat(asyncssh.SFTPAttrs(atime=LONG_AGO, mtime=LONG_AGO))
            assert await desk.polls(3) == 0
            assert desk.untouched()
        await file.write(WHOLE, 0)
        await file.setstat(asyncssh.SFTPAttrs(atime=LONG_AGO, mtime=LONG_AGO))
        await file.close()
    assert await desk.polls(2) == 1
    assert [content for _, content in desk.taken()] == [WHOLE]


async def test_an_interrupted_upload_that_is_repeated_arrives_whole(desk: Desk) -> None:
    """The connection broke; the carrier's program starts over under the same name."""
    with suppress(ConnectionAbortedError):
        async with writer(desk.server) as file:
            await file.write(HALF, 0)
            raise ConnectionAbortedError
    assert await desk.polls(4) == 0
    assert desk.untouched()
    async with writer(desk.server) as file:
        await file.write(WHOLE, 0)
        await file.close()
    assert await desk.polls(2) == 1
    assert [content for _, content in desk.taken()] == [WHOLE]


@pytest.mark.parametrize(
    ("content", "state", "remark"),
    [
        (HALF, DocumentState.QUARANTINED, ("quarantine", "UNZ")),
        (b"", DocumentState.PROCESSED, ("warning", "an interchange")),
        (b" \r\n", DocumentState.PROCESSED, ("warning", "an interchange")),
    ],
)
async def test_an_upload_that_is_never_completed_is_taken_as_it_is(
    desk: Desk, content: bytes, state: DocumentState, remark: tuple[str, str]
) -> None:
    """When it stood unchanged for as long as the channel's patience: cut short it is set aside, empty it is noted."""
    put(desk.folder, "a.edi", content)
    assert await desk.polls(3) == 0
    desk.now = PATIENCE.total_seconds() - 1
    assert await desk.polls(2) == 0
    assert desk.untouched()
    desk.waited_out()
    assert await desk.polls(1) == 1
    assert names(desk.folder) == []
    process_pending(desk.db, {desk.channel.name: desk.channel}, [])
    ((document, kept),) = desk.taken()
    (finding,) = findings.of_document(desk.db, document.id)
    assert (document.state, kept) == (state, content)
    assert (finding.severity, finding.expected) == remark


async def test_every_change_starts_the_wait_anew(desk: Desk) -> None:
    """A writer that goes on every nine minutes is never overtaken."""
    for end in range(40, 120, 20):
        put(desk.folder, "a.edi", WHOLE[:end])
        assert await desk.polls(2) == 0
        desk.now += PATIENCE.total_seconds() - 60
        assert await desk.polls(1) == 0
    assert desk.untouched()


async def test_another_content_of_the_same_size_and_time_is_not_taken_for_the_first(desk: Desk) -> None:
    """What is committed in the end is what lies there then."""
    put(desk.folder, "a.edi", WHOLE[:-1] + b" ")
    put(desk.folder, "a.edi", WHOLE[: len(WHOLE) - 8] + b"        ")
    assert await desk.polls(3) == 0
    put(desk.folder, "a.edi", WHOLE)
    desk.waited_out()
    assert await desk.polls(1) == 1
    assert [content for _, content in desk.taken()] == [WHOLE]
    assert names(desk.folder) == []


async def test_a_name_that_is_dropped_again_begins_its_own_wait(desk: Desk) -> None:
    """How long the one before it had waited does not count."""
    put(desk.folder, "a.edi", HALF)
    assert await desk.polls(2) == 0
    (desk.folder / "a.edi").unlink()
    assert await desk.polls(1) == 0
    desk.waited_out()
    put(desk.folder, "a.edi", HALF)
    assert await desk.polls(4) == 0
    assert desk.untouched()


async def test_a_restart_begins_the_wait_anew(desk: Desk) -> None:
    """The wait lives in the process; nothing is taken early because of that."""
    put(desk.folder, "a.edi", HALF)
    assert await desk.polls(2) == 0
    desk.waited_out()
    desk.restart()
    assert await desk.polls(3) == 0
    assert desk.untouched()


async def test_without_patience_a_file_is_taken_as_it_is(desk: Desk) -> None:
    """The partner's files may end as they like."""
    desk.channel = replace(desk.channel, patience=timedelta(0))
    put(desk.folder, "a.edi", HALF)
    assert await desk.polls(2) == 1


async def test_others_arrive_while_one_waits(desk: Desk) -> None:
    """In the same poll and in those after it."""
    put(desk.folder, "a.edi", HALF)
    put(desk.folder, "b.edi", WHOLE)
    assert await desk.polls(2) == 1
    put(desk.folder, "c.edi", WHOLE.replace(b"K1", b"K2"))
    assert await desk.polls(2) == 1
    assert names(desk.folder) == ["a.edi"]


async def test_a_file_that_waits_is_not_read_again_meanwhile(faulty: Desk, faults: Faults) -> None:
    """Only when patience ends, or when it changed."""
    put(faulty.folder, "a.edi", HALF)
    assert await faulty.polls(2) == 0
    faults.set(Refuse(operation="open", path="*.edi"))
    assert await faulty.polls(3) == 0
    faults.clear()
    put(faulty.folder, "a.edi", WHOLE)
    assert await faulty.polls(2) == 1


async def test_a_file_that_grows_under_a_server_without_sizes_waits_anew(faulty: Desk, faults: Faults) -> None:
    """Nothing in the listing shows that it changed; its bytes do."""
    faults.set(WrongSize(size=0))
    put(faulty.folder, "a.edi", HALF)
    assert await faulty.polls(3) == 0
    put(faulty.folder, "a.edi", WHOLE[:120])
    faulty.waited_out()
    assert await faulty.polls(2) == 0
    assert faulty.untouched()
    put(faulty.folder, "a.edi", WHOLE)
    faulty.waited_out()
    assert await faulty.polls(1) == 1
    assert [content for _, content in faulty.taken()] == [WHOLE]
