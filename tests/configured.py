"""A configuration folder with one carrier and two customers, for tests that need everything but a network."""

from __future__ import annotations

from pathlib import Path

from edi_gateway.config.load import load_config
from edi_gateway.wiring import Wired, wire

MAPPINGS = Path(__file__).parents[1] / "mappings"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEQ2J4HbXcmGJvL0aBTQ0Rm0AZrvcqkW4Ydfl8FkE0sT"
_SERVER = f'type: sftp, host: sftp.example, username: hub, agent: true, host_key: "{_KEY}"'

GATEWAY = f'data: ../data\nmappings: {MAPPINGS}\nidentity: "HUB:ZZZ"\n'
CARRIER = f"""\
carrier: speedy
timezone: Europe/Berlin
channels:
  files:
    source: {{{_SERVER}, path: /out, after: delete}}
    format: {{type: edifact}}
    mapping: standard/iftsta
"""
GLOBEX = f"""\
customer: globex
receives: [{{carrier: speedy}}]
destinations:
  edi:
    sink: {{{_SERVER}, path: /in}}
    format: {{type: edifact, recipient: "GLOBEX:14"}}
    mapping: standard/tracking_events
    batch: {{every: 0s, at_most: 3}}
    file_name: "globex_{{control:06}}.edi"
"""
INITECH = f"""\
customer: initech
receives: [{{account: "77*"}}]
destinations:
  edi:
    sink: {{{_SERVER}, path: /in}}
    format: {{type: edifact, recipient: "INITECH:14", syntax: "UNOA:3"}}
    mapping: standard/tracking_events
    events: status_changes
    batch: {{every: 0s}}
    file_name: "initech_{{control}}.edi"
"""


def write(folder: Path, **files: str) -> Path:
    """The configuration folder, with files replaced or added by name (``carriers__speedy``)."""
    texts = {
        "gateway": GATEWAY,
        "carriers__speedy": CARRIER,
        "customers__globex": GLOBEX,
        "customers__initech": INITECH,
        **files,
    }
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def wired(folder: Path, **files: str) -> Wired:
    """Channels and destinations of that configuration."""
    return wire(load_config(write(folder, **files)))
