"""Pushing files over sFTP: written under another name, on the disk, renamed, against ``sftp -b`` doing the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from benchmarks.contest import Contest, Sides, seconds
from benchmarks.openssh import AGAINST, Mailbox, mailbox
from edi_gateway.model import OutboundDocument
from edi_gateway.pipeline.deliver import deliver
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import outbox
from edi_gateway.store.engine import Database

_SMALL: Final = 4_096
_LARGE: Final = 100_000_000
_FILES: Final = 1_000
_FEW: Final = 100
Push = Callable[[Destination, Sequence[OutboundDocument]], Coroutine[Any, Any, None]]


async def _sink(destination: Destination, documents: Sequence[OutboundDocument]) -> None:
    """The sink alone, as many files at a time as a destination sends."""
    gate = asyncio.Semaphore(destination.in_flight)

    async def send(document: OutboundDocument) -> None:
        async with gate:
            await destination.sink.send(document, again=False)

    await asyncio.gather(*map(send, documents))
    await destination.sink.close()


@contextmanager
def _pushing(files: int, size: int, *, far: bool = False, rate: bool = False) -> Iterator[Sides]:
    with mailbox(far=far) as place:
        documents = _documents(files, size)

        def us() -> float:
            place.clear()
            (destination,) = place.wired().destinations
            taken = seconds(lambda: asyncio.run(_sink(destination, documents)))
            _complete(place, documents)
            return files / taken if rate else taken

        def peer() -> float:
            taken = _scaled(place, documents) if rate else _put(place, documents)
            return files / taken if rate else taken

        yield Sides(us, peer)


@contextmanager
def _delivering() -> Iterator[Sides]:
    """The whole of delivery: each attempt is a row before its first byte leaves, and one after its last."""
    with mailbox() as place:
        documents = _documents(_FILES, _SMALL)

        def us() -> float:
            place.clear()
            (destination,) = place.wired().destinations
            db = _sealed(place, destination, documents)
            taken = seconds(lambda: asyncio.run(_deliver(db, destination)))
            db.close()
            _complete(place, documents)
            return taken

        yield Sides(us, lambda: _put(place, documents))


async def _deliver(db: Database, destination: Destination) -> None:
    await deliver(db, destination)
    await destination.sink.close()


def _sealed(place: Mailbox, destination: Destination, documents: Sequence[OutboundDocument]) -> Database:
    for file in place.scratch.glob("deliver.sqlite*"):
        file.unlink()
    db = Database(f"sqlite:///{place.scratch / 'deliver.sqlite'}")
    db.migrate()
    with db.write() as connection:
        for number, document in enumerate(documents, 1):
            outbox.seal(connection, destination.name, destination.customer, number, document, [])
    return db


def _documents(files: int, size: int) -> list[OutboundDocument]:
    rng = random.Random(size)  # noqa: S311
    return [OutboundDocument(f"tracking_{number:05}.edi", rng.randbytes(size)) for number in range(files)]


def _complete(place: Mailbox, documents: Sequence[OutboundDocument]) -> None:
    arrived = {path.name: path.stat().st_size for path in place.incoming.iterdir()}
    if arrived != {document.name: len(document.content) for document in documents}:
        raise ValueError(f"{len(arrived)} files arrived, expected {len(documents)}")


def _put(place: Mailbox, documents: Sequence[OutboundDocument]) -> float:
    """The peer's time; -f asks the server, as the gateway does, to have each file on its disk."""
    place.clear()
    for document in documents:
        (place.local / document.name).write_bytes(document.content)
    there = place.incoming
    taken = place.batch(
        [
            line
            for name in (document.name for document in documents)
            for line in (f"put -f {name} {there / name}.tmp", f"rename {there / name}.tmp {there / name}")
        ]
    )
    _complete(place, documents)
    return taken


def _scaled(place: Mailbox, documents: Sequence[OutboundDocument]) -> float:
    place.clear()
    login = place.batch(["pwd"])
    return login + (_put(place, documents[:_FEW]) - login) * len(documents) / _FEW


_HUNDRED: Final = (
    f"{AGAINST}, put -f and rename; its time for {_FEW} files, but for the login, taken {_FILES // _FEW} times"
)

CONTESTS: Final = (
    Contest(
        "push_small_time_vs_openssh_loopback",
        "s",
        f"{AGAINST}, put -f and rename of {_FILES:,} files",
        partial(_pushing, _FILES, _SMALL),
    ),
    Contest(
        "push_small_speedup_vs_openssh_50ms",
        "files/s",
        _HUNDRED,
        partial(_pushing, _FILES, _SMALL, far=True, rate=True),
        runs=3,
        warm_up=False,
    ),
    Contest("push_large_time_vs_openssh", "s", f"{AGAINST}, put -f and rename of 100 MB", partial(_pushing, 1, _LARGE)),
    Contest(
        "deliver_small_time_vs_openssh_loopback",
        "s",
        f"{AGAINST}, put -f and rename of {_FILES:,} files",
        _delivering,
        runs=5,
    ),
)
