"""What is built is complete: another machine has the wheel and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

from edi_gateway import plugins
from tests.guards.project import PACKAGES, ROOT, pyproject

_METHODS = {"sources": ("poll", "answer"), "sinks": ("send",), "formats": ("decode",)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def _shipped(folder: str, as_folder: str = "") -> set[str]:
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {(Path(as_folder or folder) / path.relative_to(ROOT / folder)).as_posix() for path in files}


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_every_file_of_the_package(wheel: set[str], package: str) -> None:
    """Code, tables in YAML and migrations alike."""
    assert _shipped(package) - wheel == set()


def test_wheel_brings_the_mappings_along(wheel: set[str]) -> None:
    """Without a checkout, the standard mappings lie inside the package."""
    shipped = _shipped("mappings", "edi_gateway/shipped_mappings")
    assert "edi_gateway/shipped_mappings/standard/iftsta.yaml" in shipped
    assert shipped - wheel == set()


def test_wheel_holds_nothing_else(wheel: set[str]) -> None:
    """No tests, no databases, no configuration of this machine."""
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if top not in PACKAGES and not top.endswith(".dist-info")} == set()


def test_installed_project_is_this_one() -> None:
    """The environment was set up from this pyproject.toml: run make again when this fails."""
    declared = pyproject()["project"]
    installed = {(point.group, point.name, point.value) for point in distribution("edi-gateway").entry_points}
    points = {"console_scripts": declared["scripts"], **declared["entry-points"]}
    assert installed == {(group, name, value) for group, named in points.items() for name, value in named.items()}


@pytest.mark.parametrize(("kind", "methods"), _METHODS.items())
def test_built_in_plugins_load(kind: str, methods: tuple[str, ...]) -> None:
    """Each registered name leads to a plugin class that can do its work."""
    classes = plugins.plugin_classes(kind)
    assert classes
    for name in classes:
        assert issubclass(classes[name], plugins.Plugin)
        assert any(callable(getattr(classes[name], method, None)) for method in methods)


def test_command_is_callable() -> None:
    """The console script leads to a function."""
    (point,) = entry_points(group="console_scripts", name="edi-gateway")
    assert callable(point.load())
