"""Fault knobs: what shall go wrong, for whom, where and how often; changed at any time, from any thread."""

import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from fnmatch import fnmatchcase
from threading import Condition
from typing import Any, TypeVar, get_type_hints

OPERATIONS = (
    *("login", "open", "overwrite", "read", "write", "close"),
    *("list", "stat", "lstat", "fstat", "setstat", "realpath"),
    *("remove", "rename", "mkdir", "rmdir"),
)
_HEARTBEAT = 0.05  # seconds between two looks at whether a held-up client is still there


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What all faults share: `user` and `path` are shell globs (`*` also crosses `/`), `times` None means always.

    `operation` is one of OPERATIONS, several of them joined by commas, or `*` for all.
    Raises ValueError for an operation that does not exist and for `times` below 1.
    """

    operation: str = "*"
    user: str = "*"
    path: str = "*"
    times: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could never fire, so that a slip of the pen does not pass as a server without faults."""
        unknown = self.operations.difference(OPERATIONS, "*")
        if unknown:
            raise ValueError(f"unknown operation {', '.join(sorted(unknown))}: known are {', '.join(OPERATIONS)}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times is {self.times}: write 1 or more, or leave it out for always")

    @property
    def operations(self) -> frozenset[str]:
        """The operations named, as a set."""
        return frozenset(self.operation.split(","))

    def concerns(self, user: str, operation: str, paths: tuple[str, ...]) -> bool:
        """Tell whether a request is meant; one with two paths (a rename) by either of them."""
        return (
            bool(self.operations & {"*", operation})
            and fnmatchcase(user, self.user)
            and any(fnmatchcase(path, self.path) for path in paths or ("",))
        )


@dataclass(frozen=True, kw_only=True)
class Refuse(Fault):
    """Answer "permission denied", or for the operation `login`, turn the credentials down."""


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

    operation: str = "write"
    after_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class WrongSize(Fault):
    """Report `size` for a file (None: report none), in listings and stats alike unless `operation` says where."""

    operation: str = "list,stat,lstat,fstat"
    size: int | None = 0


KINDS: Mapping[str, type[Fault]] = {
    "refuse": Refuse,
    "delay": Delay,
    "stall": Stall,
    "drop": Drop,
    "disk_full": DiskFull,
    "wrong_size": WrongSize,
}
F = TypeVar("F", bound=Fault)


def parse_fault(document: object) -> Fault:
    """Read a fault from its JSON or YAML form, `{"fault": "refuse", "operation": "rename"}`.

    Raises ValueError with what is wrong and what was expected.
    """
    values: dict[str, Any] = dict(document) if isinstance(document, Mapping) else {}
    if "fault" not in values:
        raise ValueError(f'a fault is an object such as {{"fault": "refuse", "operation": "rename"}}, not {document!r}')
    name = values.pop("fault")
    if name not in KINDS:
        raise ValueError(f"unknown fault {name!r}: known are {', '.join(KINDS)}")
    kind = KINDS[name]
    _check_values(name, kind, values)
    return kind(**values)


def describe_fault(fault: Fault) -> dict[str, object]:
    """Write a fault in its JSON form, the inverse of `parse_fault`."""
    name = next(name for name, kind in KINDS.items() if type(fault) is kind)
    return {"fault": name, **asdict(fault)}


def _check_values(name: str, kind: type[Fault], values: Mapping[str, object]) -> None:
    types = get_type_hints(kind)
    for key, value in values.items():
        if key not in types:
            raise ValueError(f"fault {name} has no {key!r}: known are {', '.join(types)}")
        expected = int | float if types[key] is float else types[key]
        fits = isinstance(value, expected)
        if not fits:
            raise ValueError(f"fault {name}: {key} is {value!r}, expected {getattr(expected, '__name__', expected)}")
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in values]
    if missing:
        raise ValueError(f"fault {name} needs {', '.join(missing)}")


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
