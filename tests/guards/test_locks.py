"""What is installed is what was locked, wherever it is downloaded from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.guards.project import ROOT, pyproject

_FOLDER: Final = ROOT / "requirements"
_LOCKS: Final = ["bootstrap", "build", "dev", "runtime"]
_PIN: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+))?")
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def _text(lock: str) -> str:
    return (_FOLDER / f"{lock}.lock").read_text(encoding="utf-8")


def _requirements(lock: str) -> list[list[str]]:
    """One list per requirement: the pin, then its hashes."""
    lines = _text(lock).replace("\\\n", "\n    ").splitlines()
    joined = re.split(r"\n(?=\S)", "\n".join(line.rstrip() for line in lines if line.strip()))
    return [[part.strip() for part in requirement.splitlines()] for requirement in joined]


def _pins(lock: str) -> dict[str, str]:
    found = (_PIN.fullmatch(requirement[0]) for requirement in _requirements(lock))
    return {pin["name"]: pin["version"] for pin in found if pin}


def _asked_for(path: Path) -> list[Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


@pytest.mark.parametrize("lock", _LOCKS)
def test_lock_names_no_place(lock: str) -> None:
    """Where packages come from is the machine's business: a lock holds no address and no index option."""
    assert [word for word in ("://", "--index", "--extra-index", "--find", "file:", "@ ") if word in _text(lock)] == []


@pytest.mark.parametrize("lock", _LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    """One exact version, and the hash of every file that may be installed for it."""
    loose = [
        pin
        for pin, *hashes in _requirements(lock)
        if not _PIN.fullmatch(pin) or not hashes or not all(map(_HASH.fullmatch, hashes))
    ]
    assert loose == []


@pytest.mark.parametrize("lock", _LOCKS)
def test_markers_can_be_read(lock: str) -> None:
    """Every condition on a requirement is one that installers understand."""
    markers = [match["marker"] for pin, *_ in _requirements(lock) if (match := _PIN.fullmatch(pin)) and match["marker"]]
    assert [marker for marker in markers if not isinstance(Marker(marker).evaluate(), bool)] == []


@pytest.mark.parametrize("lock", ["runtime", "build"])
def test_locks_agree(lock: str) -> None:
    """The tests run against exactly the versions that production runs."""
    everything = _pins("dev")
    assert {name: version for name, version in _pins(lock).items() if everything.get(name) != version} == {}


@pytest.mark.parametrize("lock", ["build", "runtime"])
def test_lock_holds_what_was_asked_for(lock: str) -> None:
    """Whoever adds a requirement also makes the locks: make lock."""
    wanted = {canonicalize_name(requirement.name) for requirement in _asked_for(_FOLDER / f"{lock}.in")}
    assert wanted - _pins(lock).keys() == set()


def test_ranges_of_the_package_admit_the_lock() -> None:
    """pyproject.toml asks for what runtime.in asks for, in ranges that hold the locked versions."""
    declared = [Requirement(text) for text in pyproject()["project"]["dependencies"]]
    pins = _pins("runtime")
    assert {requirement.name for requirement in _asked_for(_FOLDER / "runtime.in")} == {each.name for each in declared}
    assert [str(each) for each in declared if not each.specifier.contains(pins[canonicalize_name(each.name)])] == []
