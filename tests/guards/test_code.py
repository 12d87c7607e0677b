"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest
from importlinter.cli import lint_imports

from tests.guards.project import PACKAGES, ROOT, modules, relative, text_files, tree

_LINES_OF_A_FUNCTION: Final = 60
_LINES_OF_A_FILE: Final = 400
_PLACEHOLDERS: Final = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|Not" + r"ImplementedError)\b")


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_stay_small() -> None:
    """A function longer than 60 lines does more than one thing."""
    long = [
        f"{relative(path)}:{node.lineno} {node.name}: {_length(node)} lines"
        for path in modules(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > _LINES_OF_A_FUNCTION
    ]
    assert long == []


def test_files_stay_small() -> None:
    """A file longer than 400 lines wants to be two."""
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*PACKAGES)}
    assert {name: lines for name, lines in lengths.items() if lines > _LINES_OF_A_FILE} == {}


def test_package_files_are_empty() -> None:
    """An empty __init__.py keeps imports cheap and every name in one place."""
    assert [relative(path) for path in modules(*PACKAGES) if path.name == "__init__.py" and path.stat().st_size] == []


def test_every_module_says_what_it_is() -> None:
    """A module begins with a docstring; an empty __init__.py has nothing to say."""
    silent = [
        relative(path) for path in modules(*PACKAGES, "tests") if tree(path).body and not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_every_test_says_what_it_proves() -> None:
    """Each test has a docstring of behaviour."""
    silent = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in modules("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_only_the_command_line_prints() -> None:
    """The daemon speaks through its log."""
    printing = [
        f"{relative(path)}:{node.lineno}"
        for path in modules("edi_gateway")
        if path.relative_to(ROOT / "edi_gateway").parts[0] not in {"cli", "cli.py"}
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_nothing_is_left_for_later() -> None:
    """No placeholder is committed."""
    left = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if _PLACEHOLDERS.search(line)
    ]
    assert left == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """Nothing names a home folder or the place of a checkout."""
    places = {f"{Path.home()}/", f"{Path('/root')}/", *([f"{ROOT}/"] if len(ROOT.parts) > 2 else [])} - {"//"}
    knowing = [
        f"{relative(path)}: {place}"
        for path in text_files()
        for place in places
        if place in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert knowing == []


def test_imports_keep_to_their_floor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The contracts in pyproject.toml hold: layers, and who may not know whom."""
    monkeypatch.chdir(ROOT)
    code = lint_imports(no_cache=True, config_filename="pyproject.toml")
    assert code == 0, capsys.readouterr().out
