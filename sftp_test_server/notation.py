"""How faults are written: their JSON and YAML form, and the help that is made from them."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields
from textwrap import wrap
from typing import Any, get_type_hints

from sftp_test_server.faults import (
    Delay,
    DiskFull,
    Drop,
    Fault,
    Fsync,
    Limits,
    OneShot,
    OtherHostKey,
    PosixRename,
    ReadsInFlight,
    Refuse,
    ShortRead,
    SlowList,
    Stall,
    Trickle,
    Vanish,
    WrongSize,
)

_IN = " " * 6
KINDS: Mapping[str, type[Fault]] = {
    "refuse": Refuse,
    "delay": Delay,
    "stall": Stall,
    "drop": Drop,
    "disk_full": DiskFull,
    "wrong_size": WrongSize,
    "trickle": Trickle,
    "short_read": ShortRead,
    "reads_in_flight": ReadsInFlight,
    "slow_list": SlowList,
    "vanish": Vanish,
    "one_shot": OneShot,
    "other_host_key": OtherHostKey,
    "posix_rename": PosixRename,
    "fsync": Fsync,
    "limits": Limits,
}


def parse_fault(document: object) -> Fault:
    """Read a fault from its JSON or YAML form, `{"fault": "refuse", "operation": "rename"}`.

    Raises ValueError with what is wrong and what was expected.
    """
    values: dict[str, Any] = dict(document) if isinstance(document, Mapping) else {}
    if "fault" not in values:
        raise ValueError(f'a fault is an object such as {{"fault": "refuse", "operation": "rename"}}, not {document!r}')
    name = values.pop("fault")
    kind = find_kind(name)
    _check_values(name, kind, values)
    return kind(**values)


def find_kind(name: object) -> type[Fault]:
    """Return the fault of that name. Raises ValueError with the names there are."""
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"unknown fault {name!r}: known are {', '.join(KINDS)}")
    return KINDS[name]


def describe_fault(fault: Fault) -> dict[str, object]:
    """Write a fault in its JSON form, the inverse of `parse_fault`."""
    name = next(name for name, kind in KINDS.items() if type(fault) is kind)
    return {"fault": name, **asdict(fault)}


def describe_kinds() -> str:
    """Say what every fault does and which options are its own, for a person at a terminal."""
    return "\n".join(map(_describe_kind, KINDS))


def _describe_kind(name: str) -> str:
    kind = KINDS[name]
    meaning = (kind.__doc__ or "").partition("\n")[0].replace("`", "")
    common = {field.name for field in fields(Fault)} - {"operation"}
    options = [_option(field) for field in fields(kind) if field.name not in common and field.default != "*"]
    return "\n".join([f"  {' '.join([name, *options])}", *wrap(meaning, 90, initial_indent=_IN, subsequent_indent=_IN)])


def _option(field: "Field[object]") -> str:
    return f"{field.name}={'...' if field.default is MISSING else str(field.default).lower()}"


def _check_values(name: str, kind: type[Fault], values: Mapping[str, object]) -> None:
    known = {field.name: field for field in fields(kind)}
    types = get_type_hints(kind)
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"fault {name} has no {key!r}: known are {', '.join(known)}")
        expected = int | float if types[key] is float else types[key]
        fits = isinstance(value, expected)
        if not fits:
            raise ValueError(f"fault {name}: {key} is {value!r}, expected {getattr(expected, '__name__', expected)}")
    missing = [field.name for field in known.values() if field.default is MISSING and field.name not in values]
    if missing:
        raise ValueError(f"fault {name} needs {', '.join(missing)}")
