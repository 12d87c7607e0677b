"""Fault knobs: what shall go wrong, for whom, where and how often; changed at any time, from any thread."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Condition
from typing import ClassVar, TypeVar

PHASES = ("accept", "banner", "kex")  # of a connection, before anybody has said who they are
OPERATIONS = (
    *PHASES,
    *("login", "subsystem", "init"),
    *("open", "overwrite", "read", "write", "fsync", "close"),
    *("list", "readdir", "stat", "lstat", "fstat", "setstat", "realpath"),
    *("remove", "rename", "posix_rename", "replace", "mkdir", "rmdir"),
)
ANSWERS = ("permission_denied", "failure", "unsupported", "no_such_file")
_WITHOUT_PATH = frozenset({*PHASES, "login", "subsystem", "init"})
_HEARTBEAT = 0.05  # seconds between two looks at whether a held-up client is still there


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What all faults share: `user` and `path` are shell globs (`*` also crosses `/`), `times` None means always.

    `operation` is one of those at which the fault can strike (`can`), several of them joined by commas, or `*` for all
    except PHASES, which have to be named. Raises ValueError for what could never strike.
    """

    can: ClassVar[tuple[str, ...]] = OPERATIONS

    operation: str = "*"
    user: str = "*"
    path: str = "*"
    times: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could never strike, so that a slip of the pen does not pass as a server without faults."""
        unknown = self.operations.difference(self.can, "*")
        if unknown:
            raise ValueError(f"unknown operation {', '.join(sorted(unknown))}: known are {', '.join(self.can)}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times is {self.times}: write 1 or more, or leave it out for always")
        if self.user != "*" and (early := self.operations & {*PHASES}):
            raise ValueError(f"user is {self.user!r}, but nobody has said their name at {', '.join(sorted(early))}")
        if self.path != "*" and (early := self.operations & _WITHOUT_PATH):
            raise ValueError(f"path is {self.path!r}, but there is no path at {', '.join(sorted(early))}")

    @property
    def operations(self) -> frozenset[str]:
        """The operations named, as a set."""
        return frozenset(self.operation.split(","))

    def concerns(self, user: str, operation: str, paths: tuple[str, ...]) -> bool:
        """Tell whether a request is meant; one with two paths (a rename) by either of them."""
        return (
            (operation in self.operations or ("*" in self.operations and operation not in PHASES))
            and fnmatchcase(user, self.user)
            and any(fnmatchcase(path, self.path) for path in paths or ("",))
        )


@dataclass(frozen=True, kw_only=True)
class Refuse(Fault):
    """Answer with an error (`answer`: permission_denied, failure, unsupported or no_such_file), and do nothing.

    At `login` the credentials are turned down, at `subsystem` the channel's request; before that, and at `init`, the
    connection or channel is closed.
    """

    answer: str = "permission_denied"

    def __post_init__(self) -> None:
        """Refuse an answer that does not exist."""
        super().__post_init__()
        if self.answer not in ANSWERS:
            raise ValueError(f"unknown answer {self.answer!r}: known are {', '.join(ANSWERS)}")


@dataclass(frozen=True, kw_only=True)
class Delay(Fault):
    """Let the request wait for `seconds`, then carry it out."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Stall(Fault):
    """Hang at the request until this fault is taken away or the client has gone."""


@dataclass(frozen=True, kw_only=True)
class Drop(Fault):
    """Cut the connection, without a good-bye, once `after_bytes` of a file have been read or written.

    With any operation other than read and write it is cut when such a request arrives, which is then not carried out.
    """

    operation: str = "read,write"
    after_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class DiskFull(Fault):
    """Leave room for `after_bytes` in each file; a write beyond stores what fits and fails."""

    can: ClassVar[tuple[str, ...]] = ("write",)

    operation: str = "write"
    after_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class WrongSize(Fault):
    """Report `size` for a file (null: report none), in listings and stats alike unless `operation` says where."""

    can: ClassVar[tuple[str, ...]] = ("list", "stat", "lstat", "fstat")

    operation: str = "list,stat,lstat,fstat"
    size: int | None = 0


@dataclass(frozen=True, kw_only=True)
class Trickle(Fault):
    """Transfer files at `bytes_per_second`: one being written grows so slowly, one being read arrives so slowly."""

    can: ClassVar[tuple[str, ...]] = ("read", "write")

    operation: str = "read,write"
    bytes_per_second: int

    def __post_init__(self) -> None:
        """Refuse a speed at which nothing would ever arrive."""
        super().__post_init__()
        _at_least(1, bytes_per_second=self.bytes_per_second)

    def pieces(self, data: bytes) -> Iterator[tuple[bytes, float]]:
        """Cut `data` into pieces, each with the seconds to wait before it is transferred."""
        size = max(1, int(self.bytes_per_second * _HEARTBEAT))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            yield piece, len(piece) / self.bytes_per_second


@dataclass(frozen=True, kw_only=True)
class ShortRead(Fault):
    """Answer a read with `at_most` so many bytes, however many were asked for and are there."""

    can: ClassVar[tuple[str, ...]] = ("read",)

    operation: str = "read"
    at_most: int

    def __post_init__(self) -> None:
        """Refuse an answer without bytes, which would say that the file ends."""
        super().__post_init__()
        _at_least(1, at_most=self.at_most)


@dataclass(frozen=True, kw_only=True)
class ReadsInFlight(Fault):
    """Stall a client that sends more than `at_most` reads before the first is answered.

    Each read is held back for `watch` seconds to see whether others come: a client that keeps to it is slowed by that.
    """

    can: ClassVar[tuple[str, ...]] = ("read",)

    operation: str = "read"
    at_most: int
    watch: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a server that could not be read from."""
        super().__post_init__()
        _at_least(1, at_most=self.at_most)


@dataclass(frozen=True, kw_only=True)
class SlowList(Fault):
    """List folders with `entries` per answer, and wait `seconds` before each answer."""

    can: ClassVar[tuple[str, ...]] = ("readdir",)

    operation: str = "readdir"
    entries: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an answer without entries, which would say that the listing ends."""
        super().__post_init__()
        _at_least(1, entries=self.entries)


@dataclass(frozen=True, kw_only=True)
class Vanish(Fault):
    """Take a file that was written away when it is closed or gets its final name, as a partner that collects at once.

    It is deleted, or moved to the folder `into` (a client's path), with a number behind a name that is taken there.
    """

    can: ClassVar[tuple[str, ...]] = ("close", "rename")

    operation: str = "close,rename"
    into: str = ""


@dataclass(frozen=True, kw_only=True)
class OneShot(Fault):
    """Give each file away once: read to its end it is gone at the close, and a stat of the open file is refused."""

    can: ClassVar[tuple[str, ...]] = ("read",)

    operation: str = "read"


@dataclass(frozen=True, kw_only=True)
class OtherHostKey(Fault):
    """Show another host key to whoever connects, the same one each time, until this fault is taken away."""

    can: ClassVar[tuple[str, ...]] = ("kex",)

    operation: str = "kex"


@dataclass(frozen=True, kw_only=True)
class PosixRename(Fault):
    """Offer posix-rename@openssh.com, which replaces, to clients that open sFTP from now on."""

    can: ClassVar[tuple[str, ...]] = ("init",)

    operation: str = "init"


@dataclass(frozen=True, kw_only=True)
class Fsync(Fault):
    """Offer fsync@openssh.com to clients that open sFTP from now on."""

    can: ClassVar[tuple[str, ...]] = ("init",)

    operation: str = "init"


@dataclass(frozen=True, kw_only=True)
class Limits(Fault):
    """Cut the connection at a request of more than `max_packet` bytes, from the next opening of sFTP on.

    A read is answered with at most 1,024 bytes less. If `advertise` is true, limits@openssh.com tells clients so.
    """

    can: ClassVar[tuple[str, ...]] = ("init",)

    operation: str = "init"
    max_packet: int = 34_000
    advertise: bool = True

    def __post_init__(self) -> None:
        """Refuse packets without room for data."""
        super().__post_init__()
        _at_least(2048, max_packet=self.max_packet)


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{name} is {value}: write {least} or more")


F = TypeVar("F", bound=Fault)


class Faults:
    """The faults in force. The server asks it at each request; a test, or the control socket, changes it meanwhile."""

    def __init__(self, *faults: Fault) -> None:
        """Start with `faults`."""
        self._changed = Condition()
        self._fired: dict[Fault, int] = dict.fromkeys(faults, 0)

    def set(self, *faults: Fault) -> None:
        """Put `faults` in the place of all there were; what hung on one that is gone goes on. Counts start at 0."""
        with self._changed:
            self._fired = dict.fromkeys(faults, 0)
            self._changed.notify_all()

    def add(self, *faults: Fault) -> None:
        """Add `faults`; one that is there already is armed again."""
        with self._changed:
            self._fired |= dict.fromkeys(faults, 0)
            self._changed.notify_all()

    def remove(self, *faults: Fault) -> None:
        """Take these away and keep the others, with their counts; what hung on them goes on."""
        with self._changed:
            self._fired = {fault: fired for fault, fired in self._fired.items() if fault not in faults}
            self._changed.notify_all()

    def clear(self) -> None:
        """Take all faults away."""
        self.set()

    def fired(self) -> dict[Fault, int]:
        """Return every fault that is set and how often it has struck."""
        with self._changed:
            return dict(self._fired)

    def wait_until_fired(self, fault: Fault, count: int = 1, timeout: float = 5.0) -> bool:
        """Wait until `fault` has struck `count` times; False when `timeout` seconds pass before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._fired.get(fault, 0) >= count, timeout)

    def match(self, kind: type[F], user: str, operation: str, *paths: str) -> F | None:
        """Return the first fault of that kind that is set for a request, not counting it as fired."""
        with self._changed:
            for fault, fired in self._fired.items():
                if isinstance(fault, kind) and _left(fault, fired) and fault.concerns(user, operation, paths):
                    return fault
        return None

    def fire(self, fault: Fault) -> bool:
        """Count one strike of `fault`; False when it is gone or used up, and must not strike."""
        with self._changed:
            if not _left(fault, self._fired.get(fault, -1)):
                return False
            self._fired[fault] += 1
            self._changed.notify_all()
            return True

    def take(self, kind: type[F], user: str, operation: str, *paths: str) -> F | None:
        """Match and fire in one."""
        fault = self.match(kind, user, operation, *paths)
        return fault if fault and self.fire(fault) else None

    def hold(self, fault: Fault, seconds: float, alive: Callable[[], bool]) -> None:
        """Wait for `seconds`, but no longer than `fault` is set and the connection `alive`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while fault in self._fired and alive() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, _HEARTBEAT))


def _left(fault: Fault, fired: int) -> bool:
    return fired >= 0 and (fault.times is None or fired < fault.times)
