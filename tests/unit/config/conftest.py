"""A configuration folder, and plugins of a stranger's distribution to configure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGINS = """
from datetime import timedelta
from edi_gateway.plugins import Plugin
from edi_gateway.secrets import Secret

class Mailbox(Plugin):
    host: str
    folder: str = "/"
    password: Secret | None = None
    async def poll(self, memory):
        yield []
    async def check(self):
        yield None
    async def close(self):
        pass

class Printer(Plugin):
    host: str
    async def send(self, document, *, again):
        return "printed"
    async def check(self):
        yield None
    async def close(self):
        pass

class Lines(Plugin):
    width: int = 80
    def is_complete(self, content):
        return True
    def decode(self, content):
        yield from ()

class Page(Plugin):
    sender: str
    recipient: str
    @property
    def partnership(self):
        return f"{self.sender}>{self.recipient}"
    @property
    def largest_control(self):
        return 99_999_999_999_999
    def encode(self, control_ref, prepared_at, messages):
        return b""
    def replace(self, text):
        return text
"""
ENTRY_POINTS = """
[edi_gateway.sources]
mailbox = {module}:Mailbox
[edi_gateway.sinks]
printer = {module}:Printer
[edi_gateway.formats]
lines = {module}:Lines
[edi_gateway.encoders]
page = {module}:Page
"""

CARRIER = """\
carrier: speedy
timezone: Europe/Berlin
channels:
  files:
    source: {type: mailbox, host: mail.speedy.example}
    format: {type: lines}
    mapping: speedy/status
"""
CUSTOMER = """\
customer: globex
receives:
  - {carrier: speedy, account: "47*"}
destinations:
  edi:
    sink: {type: printer, host: printer.globex.example}
    format: {type: page, recipient: "GLOBEX:14"}
    mapping: globex/events
    file_name: "events_{control:06}.edi"
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a distribution is installed that registers a source, a sink, a format and an encoder."""
    module = "partner_plugins"
    site = tmp_path / "site"
    metadata = site / "partner_plugins-1.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{module}.py").write_text(PLUGINS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: partner-plugins\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS.format(module=module))
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop(module, None)


@pytest.fixture
def folder(tmp_path: Path, plugins: Path) -> Path:
    """A valid configuration folder: one carrier, one customer, the mappings they name."""
    assert plugins.is_dir()
    folder = tmp_path / "config"
    for name, text in (
        ("gateway.yaml", 'identity: "HUB:ZZZ"\n'),
        ("carriers/speedy.yaml", CARRIER),
        ("customers/globex.yaml", CUSTOMER),
        ("../mappings/speedy/status.yaml", ""),
        ("../mappings/globex/events.yaml", ""),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a file of the configuration folder anew."""

    def write(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write
