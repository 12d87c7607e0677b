"""A partner who hangs, floods or is dead is nobody else's trouble."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from sftp_test_server.faults import Faults, Stall
from tests.acceptance.dropping import FULL
from tests.acceptance.gateway import Gateway, wait_until
from tests.acceptance.partners import (
    FEEDER,
    FOLDERS,
    WORKING,
    Mailboxes,
    Role,
    Trouble,
    documents,
    drop,
    interchange,
    processed,
    write_partners,
)
from tests.servers import closed_port, own_server

PHASES: Final[Mapping[Role, Sequence[str]]] = {
    "source": ("accept", "banner", "kex", "login", "subsystem", "list", "open", "read", "close"),
    "sink": ("accept", "banner", "kex", "login", "subsystem", "open", "write", "close", "rename"),
}


@contextmanager
def hanging(folder: Path, role: Role, phase: str, patience: str = "10m") -> Iterator[tuple[Trouble, Faults, Stall]]:
    """A partner whose server hangs in that phase from now on."""
    stall = Stall(operation=phase)
    faults = Faults(stall)
    name = f"{role}-{phase}"
    with own_server(folder / name, faults=faults) as server:
        trouble = Trouble(name, role, server, patience)
        if role == "source":
            (server.root / "out" / trouble.file).write_bytes(interchange(name, [f"HUNG{phase.upper()}"]))
        yield trouble, faults, stall


def test_partners_work_while_others_hang_in_every_phase(tmp_path: Path) -> None:
    """With partners hanging in each phase and dead ones, everything of twenty others becomes events and arrives.

    Nobody lets go before the end: whoever waited for one of them would wait for ever.
    """
    with ExitStack() as stack:
        hung = [
            stack.enter_context(hanging(tmp_path, role, phase)) for role, phases in PHASES.items() for phase in phases
        ]
        good = stack.enter_context(own_server(tmp_path / "remote", FOLDERS))
        nobody = replace(good, port=closed_port())
        troubles = [trouble for trouble, *_ in hung]
        dead = [Trouble("dead-source", "source", nobody), Trouble("dead-sink", "sink", nobody)]
        gateway = stack.enter_context(
            Gateway(tmp_path, good, lambda folder, server: write_partners(folder, server, [*troubles, *dead]))
        )
        gateway.start()
        drop(good.root / FEEDER / "out", "first.edi", interchange(FEEDER, ["FIRST"]))
        for trouble, faults, stall in hung:
            assert faults.wait_until_fired(stall, timeout=30), f"{trouble.name} was never asked"
        names = [*_drop_for_all(good.root, 2), "first.edi"]
        _wait_for_all(good.root, {name.removesuffix(".edi").upper() for name in names}, 60)
        rows = documents(gateway)
        assert {name: (rows[name]["state"], rows[name]["events_new"]) for name in names} == dict.fromkeys(
            names, ("processed", 1)
        )
        assert rows.keys() == set(names)  # and what hangs has not come, nor been let go of
        assert [trouble.name for trouble in troubles if [*trouble.server.root.glob("in/*.edi")]] == []


@pytest.mark.parametrize(
    ("files", "parcels"), [(2000, 10), (1, 300_000 if FULL else 100_000)], ids=["2000 files", "a large file"]
)
def test_partners_work_while_another_floods(tmp_path: Path, files: int, parcels: int) -> None:
    """A carrier drops 2,000 files at once, or a very large one: what others drop once all that is in is done before it.

    The flood is over before the others only where they have to wait behind it: in the order in which things came in.
    """
    with own_server(tmp_path / "remote", FOLDERS) as good, own_server(tmp_path / "flood") as server:
        flood = Trouble("flood", "source", server)
        for index in range(files):
            numbers = [f"FLOOD{index:05}X{number:06}" for number in range(parcels)]
            (server.root / "out" / f"flood{index:05}.edi").write_bytes(interchange("flood", numbers))
        with Gateway(tmp_path, good, lambda folder, server: write_partners(folder, server, [flood])) as gateway:
            gateway.start()
            _received(gateway, files, 120)
            names = _drop_for_all(good.root, 2)
            _wait_for_all(good.root, {name.removesuffix(".edi").upper() for name in names}, 60)
            done = processed(gateway)
            assert set(names) <= set(done)
            before = done[: max(map(done.index, names))]
            assert sum(name.startswith("flood") for name in before) < files


def _received(gateway: Gateway, files: int, seconds: float) -> None:
    """Wait until so many files have come in since the last look."""
    seen = Counter[str]()

    def come() -> bool:
        seen.update(gateway.events())
        return seen["document.received"] >= files

    wait_until(come, seconds, "received")


def _drop_for_all(root: Path, each: int) -> list[str]:
    """Drop files of one parcel into every working carrier's folder; the parcel bears the file's name."""
    names = [f"{name}n{number:03}.edi" for number in range(each) for name in WORKING]
    for name in names:
        carrier = name[:3]
        drop(root / carrier / "out", name, interchange(carrier, [name.removesuffix(".edi").upper()]))
    return names


def _wait_for_all(root: Path, numbers: set[str], seconds: float) -> dict[str, float]:
    """Wait until customers have been told of all of them; fail with those that are missing."""
    mailboxes = Mailboxes(root)
    deadline = time.monotonic() + seconds
    while missing := numbers - mailboxes.arrived().keys():
        assert time.monotonic() < deadline, f"after {seconds:.0f} seconds still missing: {sorted(missing)}"
        time.sleep(0.05)
    return mailboxes.arrived()
