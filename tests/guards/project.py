"""The project as the guard tests see it: its folders, its files, its syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("edi_gateway", "sftp_test_server", "demo")
_TEXT: Final = {".py", ".md", ".yaml", ".toml", ".in", ".lock", ".service", ".edi", ".mako", ""}
_FOLDERS: Final = (*PACKAGES, "benchmarks", "tests", "docs", "mappings", "config", "packaging", "requirements", ".ci")


def relative(path: Path) -> str:
    """How a person names the file: from the project's root."""
    return path.relative_to(ROOT).as_posix()


def modules(*packages: str) -> list[Path]:
    """Every Python file of those packages."""
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Every file of the project that is text."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        found.extend(path for path in (ROOT / folder).rglob("*") if path.is_file())
    yield from (path for path in found if path.suffix in _TEXT and "__pycache__" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def pyproject() -> dict[str, Any]:
    """pyproject.toml as data."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
