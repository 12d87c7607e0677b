"""Pulling files over sFTP: list, read, and delete what was taken, against ``sftp -b`` with get and rm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.carrier_files import carrier_files
from benchmarks.contest import Contest, Sides, seconds
from benchmarks.openssh import AGAINST, Mailbox, mailbox
from benchmarks.product import CHANNEL
from edi_gateway.pipeline.intake import ChannelMemory, poll
from edi_gateway.pipeline.partners import Channel
from edi_gateway.plugins import Source
from edi_gateway.store.engine import Database

_SMALL: Final = 4_096
_IN_SMALL: Final = 15  # events, with room to spare
_LARGE: Final = 100_000_000
_IN_LARGE: Final = 420_000
_FILES: Final = 1_000
_FEW: Final = 100  # of which the peer's time for a thousand is reckoned where each takes a third of a second
Pull = Callable[[Mailbox, Channel], Coroutine[Any, Any, int]]


@dataclass(slots=True)
class _Memory:
    """What a source remembers, without a database."""

    looks: dict[str, str] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)

    async def known(self, keys: Collection[str]) -> set[str]:
        """See edi_gateway.plugins.Memory."""
        return self.committed & set(keys)

    async def forget(self, key: str) -> None:
        """See edi_gateway.plugins.Memory."""
        self.committed.discard(key)

    def held(self, _key: str) -> bool:
        """See edi_gateway.plugins.Memory."""
        return False

    async def retain(self, keys: Collection[str]) -> None:
        """See edi_gateway.plugins.Memory."""
        self.committed &= set(keys)


async def _source(_place: Mailbox, channel: Channel) -> int:
    """The source alone: log in, look twice, read, delete; returns how many bytes were taken."""
    memory, taken = _Memory(), 0
    source = channel.source
    assert isinstance(source, Source)
    for _ in range(2):  # a file is taken when two looks saw the same
        async for arrivals in source.poll(memory):
            taken += sum(len(arrival.content) for arrival in arrivals)
            memory.committed.update(arrival.key for arrival in arrivals)
            await asyncio.gather(*(arrival.ack() for arrival in arrivals))
    await source.close()
    return taken


async def _intake(place: Mailbox, channel: Channel) -> int:
    """The same with the database: every byte is on the disk before its file is deleted."""
    database = place.scratch / "intake.sqlite"
    for file in place.scratch.glob("intake.sqlite*"):
        file.unlink()
    db = Database(f"sqlite:///{database}")
    db.migrate()
    memory = ChannelMemory(db, channel.name)
    await poll(db, channel, memory)
    stored = await poll(db, channel, memory)
    await channel.source.close()
    db.close()
    return stored * _SMALL  # each of which is another file of that size


@contextmanager
def _pulling(pull: Pull, files: int, size: int, each: int, *, far: bool = False, rate: bool = False) -> Iterator[Sides]:
    with mailbox(far=far) as place:
        contents = [content.ljust(size, b"\n") for content in carrier_files(files * each, each)]
        size = sum(map(len, contents))

        def us() -> float:
            paths = _fill(place, contents)
            channel = place.wired().channels[CHANNEL]
            taken = seconds(lambda: _complete(asyncio.run(pull(place, channel)), size, paths))
            return files / taken if rate else taken

        def peer() -> float:
            taken = _scaled(place, contents) if rate else _get(place, contents)
            return files / taken if rate else taken

        yield Sides(us, peer)


def _fill(place: Mailbox, contents: Sequence[bytes]) -> list[Path]:
    """Put files in the mailbox."""
    place.clear()
    paths = [place.outgoing / f"status_{number:05}.edi" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def _complete(taken: int, expected: int, paths: list[Path]) -> None:
    if taken != expected or any(path.exists() for path in paths):
        raise ValueError(f"took {taken:,} bytes of {expected:,}, and left {sum(path.exists() for path in paths)} files")


def _get(place: Mailbox, contents: Sequence[bytes]) -> float:
    """The peer's time."""
    paths = _fill(place, contents)
    taken = place.batch([line for path in paths for line in (f"get {path}", f"rm {path}")])
    _complete(sum(path.stat().st_size for path in place.local.iterdir()), sum(map(len, contents)), paths)
    return taken


def _scaled(place: Mailbox, contents: Sequence[bytes]) -> float:
    """The peer's time, reckoned from that for a few files: only logging in happens once for all."""
    place.clear()
    login = place.batch(["pwd"])
    return login + (_get(place, contents[:_FEW]) - login) * len(contents) / _FEW


_HUNDRED: Final = f"{AGAINST}, get and rm; its time for {_FEW} files, but for the login, taken {_FILES // _FEW} times"

CONTESTS: Final = (
    Contest(
        "pull_small_time_vs_openssh_loopback",
        "s",
        f"{AGAINST}, get and rm of {_FILES:,} files",
        partial(_pulling, _source, _FILES, _SMALL, _IN_SMALL),
    ),
    Contest(
        "pull_small_speedup_vs_openssh_50ms",
        "files/s",
        _HUNDRED,
        partial(_pulling, _source, _FILES, _SMALL, _IN_SMALL, far=True, rate=True),
        runs=3,
        warm_up=False,
    ),
    Contest(
        "pull_large_time_vs_openssh",
        "s",
        f"{AGAINST}, get and rm of 100 MB",
        partial(_pulling, _source, 1, _LARGE, _IN_LARGE),
    ),
    Contest(
        "pull_large_time_vs_openssh_50ms",
        "s",
        f"{AGAINST}, get and rm of 100 MB",
        partial(_pulling, _source, 1, _LARGE, _IN_LARGE, far=True),
        runs=3,
        warm_up=False,
    ),
    Contest(
        "intake_small_time_vs_openssh_loopback",
        "s",
        f"{AGAINST}, get and rm of {_FILES:,} files",
        partial(_pulling, _intake, _FILES, _SMALL, _IN_SMALL),
    ),
)
