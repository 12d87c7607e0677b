"""What a plugin is: one frozen pydantic model whose fields are its YAML options and whose methods do the work.

Built-ins register in ``pyproject.toml`` under the same entry-point groups as anybody else's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from edi_gateway.model import Interchange, OutboundDocument, OutboundMessage, Receipt
from edi_gateway.tracking.checks import Checks
from edi_gateway.tracking.schedule import Schedule


class Plugin(BaseModel):
    """Base of every plugin: immutable, and a stranger among its options is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Arrival(NamedTuple):
    """One file as a source hands it over. ``ack`` lets the source clear its copy: call it after the commit.

    Without a ``key`` it cannot be had again: it is taken as it is, complete or not.
    """

    name: str
    content: bytes
    key: str
    ack: Callable[[], Awaitable[None]]


class Memory(Protocol):
    """What a source may remember of one channel between polls."""

    looks: dict[str, str]  # name → size and time at the previous look; lives as long as the process

    async def known(self, keys: Collection[str]) -> set[str]:
        """Those of ``keys`` whose bytes are committed already."""

    async def forget(self, key: str) -> None:
        """A copy has been cleared: another file may now come with the same name, size and time."""

    async def retain(self, keys: Collection[str]) -> None:
        """Forget every key that is not among ``keys``: its file is gone."""

    def held(self, key: str) -> bool:
        """Whether that file was found incomplete and is to be left alone for now: neither read nor cleared."""


class AskingMemory(Memory, Protocol):
    """What a source has besides that asks for one tracking number after another."""

    @property
    def checks(self) -> Checks:
        """The queue of tracking checks."""


class Step(NamedTuple):
    """One line of a connection check: what was tried, whether it held, and what was seen."""

    name: str
    ok: bool
    detail: str


@runtime_checkable
class Source(Protocol):
    """Where documents come from."""

    def poll(self, memory: Memory) -> AsyncIterator[Sequence[Arrival]]:
        """Yield what is there in batches; each batch is committed, then acked, before the next is asked for."""

    def check(self) -> AsyncIterator[Step]:
        """Prove the connection step by step; changes nothing that stays."""

    async def close(self) -> None:
        """Give back what is kept open between calls."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of a receiver over HTTP; its body is read when it is asked for, and no further."""

    method: str  # GET or POST
    path: str  # what follows the channel's name, without the slash between them
    target: str  # path and query as they were sent
    query: Mapping[str, str]
    headers: Mapping[str, str]  # lower-case names; of one that comes again, the values joined by a comma
    client: IPv4Address | IPv6Address  # who asks, behind the proxies we trust
    proxied: bool  # whether it came through one of those
    read: Callable[[int], Awaitable[bytes]]  # the body, if it has no more bytes; RequestRefusedError otherwise


class Answer(NamedTuple):
    """What a receiver answers."""

    status: int
    content: bytes
    content_type: str = "application/json"


Accept = Callable[[str, bytes], Awaitable[int]]
"""Commits a document of that name and content and returns its id. Raises StorageError when nothing was kept."""


@runtime_checkable
class Receiver(Protocol):
    """Where documents come to by themselves, each in a request. Registered beside the sources, but never polled."""

    @property
    def relies_on_proxy(self) -> bool:
        """Whether nobody gets in but through a proxy that is trusted."""

    async def answer(self, request: Request, accept: Accept) -> Answer:
        """Answer a request, after the commit of what it brought.

        Raises RequestRefusedError; passes on what ``accept`` and ``read`` raise.
        """

    def check(self) -> AsyncIterator[Step]:
        """Say what requests have to look like; changes nothing."""

    async def close(self) -> None:
        """Give back what is kept open between calls."""


@runtime_checkable
class Asking(Protocol):
    """A source that asks for tracking numbers: which ones, and when, is in a queue that it empties at each poll."""

    @property
    def schedule(self) -> Schedule:
        """When each number is asked for."""


@runtime_checkable
class Sink(Protocol):
    """Where outbound documents go."""

    async def send(self, document: OutboundDocument, *, again: bool) -> str | Receipt:
        """Deliver the bytes under that name and return what was verified.

        ``again`` says an earlier attempt may have arrived. Raises TransientError (BusyError and GoneError among them)
        or RefusedError.
        """

    def check(self) -> AsyncIterator[Step]:
        """Prove the connection step by step; changes nothing that stays."""

    async def close(self) -> None:
        """Give back what is kept open between calls."""


def is_told_one_by_one(sink: Sink) -> bool:
    """Whether the sink takes one event at a time, as a notification of its own: its class says ``one_by_one``.

    The name of such a document is its message id, its bytes are JSON.
    """
    return getattr(sink, "one_by_one", False) is True


@runtime_checkable
class Supervised(Protocol):
    """A sink whose server is its customer's own affair: one that fails on and on is put out of service.

    Meanwhile what is owed waits, and a person is told. A sink that itself leaves failing servers alone is none.
    """

    @property
    def disabled_after(self) -> timedelta:
        """How long nothing but failures may come of it."""


@runtime_checkable
class Format(Protocol):
    """Knows a syntax: bytes to interchanges."""

    def is_complete(self, content: bytes) -> bool:
        """Whether the bytes end as the syntax says, judged cheaply; where nobody can tell, True.

        A file that does not is left where it is for a while, since its writer may not have finished.
        """

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """Read the interchanges in order; raises DocumentError when there is none at all."""


@runtime_checkable
class Encoder(Protocol):
    """Knows a syntax the other way: messages to the bytes of one interchange."""

    @property
    def partnership(self) -> str:
        """Sender and recipient: whose sequence of control numbers it is."""

    @property
    def largest_control(self) -> int:
        """The largest control number an interchange has room for."""

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:
        """The interchange as it is sent; raises RefusedError for what the charset or the guide cannot hold."""

    def replace(self, text: str) -> str:
        """The text with every character the charset cannot hold replaced by the nearest that it can."""


def plugin_classes(group: str) -> Mapping[str, type[Plugin]]:
    """Name → class of every plugin registered under ``edi_gateway.<group>`` (sources, sinks, formats, encoders)."""
    found: dict[str, Any] = {point.name: point for point in entry_points(group=f"edi_gateway.{group}")}
    return _Lazy(found)


class _Lazy(dict[str, Any]):
    """Loads an entry point only when its name is asked for, so that an unused plugin costs nothing."""

    def __getitem__(self, name: str) -> type[Plugin]:
        loaded: type[Plugin] = super().__getitem__(name).load()
        return loaded
