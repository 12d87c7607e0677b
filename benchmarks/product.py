"""The gateway's own parts as a configuration wires them: one carrier's channel and one customer's destination."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.carrier_files import CARRIER, ZONE
from edi_gateway.config.load import load_config
from edi_gateway.wiring import Wired, wire

_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
stop_timeout: 15s
log: {{format: json}}
"""
_CARRIER: Final = """\
carrier: {carrier}
timezone: {zone}
channels:
  files:
    every: 250ms
    source: {{{server}, path: "{root}/out", after: delete, max_size: 1GB}}
    format: {{type: edifact}}
    mapping: standard/iftsta
"""
_CUSTOMER: Final = """\
customer: globex
receives: [{{carrier: {carrier}}}]
destinations:
  edi:
    sink: {{{server}, path: "{root}/in"}}
    format: {{type: edifact, recipient: "GLOBEX:14"}}
    mapping: standard/tracking_events
    batch: {{every: 500ms, at_most: 500}}
    file_name: "globex_{{control:06}}.edi"
"""
_NO_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEQ2J4HbXcmGJvL0aBTQ0Rm0AZrvcqkW4Ydfl8FkE0sT"
NOWHERE: Final = f'type: sftp, host: sftp.example, username: hub, agent: true, host_key: "{_NO_KEY}"'
CHANNEL: Final = f"{CARRIER}/files"


def write_configuration(folder: Path, server: str = NOWHERE, root: str = "") -> Path:
    """Write the configuration; ``server`` is what source and sink say of it. Returns the folder."""
    values = {
        "data": folder / "data",
        "mappings": _CHECKOUT / "mappings",
        "carrier": CARRIER,
        "zone": ZONE,
        "server": server,
        "root": root,
    }
    texts = {"gateway": _GATEWAY, f"carriers/{CARRIER}": _CARRIER, "customers/globex": _CUSTOMER}
    for name, text in texts.items():
        path = folder / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values), encoding="utf-8")
    return folder / "config"


def wired(folder: Path) -> Wired:
    """Channel and destination without a server to talk to."""
    return wire(load_config(write_configuration(folder)))
