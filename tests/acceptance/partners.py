"""Twenty partners who work, and some who hang, flood or are dead: configuration, files, and what became of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.acceptance.gateway import Gateway
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest

WORKING: Final = tuple(f"p{number:02}" for number in range(1, 21))
FEEDER: Final = WORKING[0]
"""The carrier whose events hanging customers are owed as well."""
_TOLD: Final = re.compile(r"CNI\+\d+\+(\w+)'")
FOLDERS: Final = tuple(f"{name}/{folder}" for name in WORKING for folder in ("out", "in"))
Role = Literal["source", "sink"]

_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
retry: [0s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]
log: {{format: json, level: info}}
"""
_CARRIER: Final = """\
carrier: {name}
timezone: Europe/Berlin
channels:
  scans:
    every: 1s
    source: {{{server}, path: "{folder}", after: {after}}}
    format: {{type: edifact}}
    mapping: kurier/iftsta
"""
_CUSTOMER: Final = """\
customer: {name}
receives: [{{carrier: {carrier}}}]
destinations:
  edi:
    sink: {{{server}, path: "{folder}"}}
    format: {{type: edifact, version: "D:01B", syntax: "UNOC:3", recipient: "{recipient}:14"}}
    mapping: globex/tracking_events
    batch: {{every: 0s, at_most: 60}}
    file_name: "{name}_{{control:06}}.edi"
"""
_PARCEL: Final = (
    "UNH+{reference}+IFTSTA:D:07B:UN'BGM+23:KUR::QVD+K4'NAD+DEQ+8150'RFF+CW:{number}'CNI+1'LOC+14+:::KOELN+:::DE'"
    "STS+1:A1:31'DTM+78:20250326{hour:02}{minute:02}00:204'FTX+AVA+02++ARRIVED'UNT+10+{reference}'"
)


@dataclass(frozen=True)
class Trouble:
    """A partner who is no good, as a carrier or as a customer, at a server that may or may not be there."""

    name: str
    role: Role
    server: ServerUnderTest
    patience: str = "10m"  # how long the gateway waits for an answer

    @property
    def file(self) -> str:
        """The one file that it has as a carrier."""
        return f"{self.name}.edi"


def write_partners(folder: Path, server: ServerUnderTest, troubles: Iterable[Trouble]) -> Path:
    """Write the configuration of the working partners at one server, and of the others each at its own."""
    files = {"gateway": _GATEWAY.format(data=folder / "data", mappings=ROOT / "mappings")}
    for name in WORKING:
        files[f"carriers/{name}"] = _carrier(name, server, f"{server.remote_root}/{name}/out", after="delete")
        files[f"customers/c{name}"] = _customer(f"c{name}", name, server, f"{server.remote_root}/{name}/in")
    for trouble in troubles:
        times = {"connect_timeout": trouble.patience, "request_timeout": trouble.patience, "keepalive": "0s"}
        root = trouble.server.remote_root
        if trouble.role == "source":
            files[f"carriers/{trouble.name}"] = _carrier(trouble.name, trouble.server, f"{root}/out", "leave", times)
        else:
            files[f"customers/{trouble.name}"] = _customer(trouble.name, FEEDER, trouble.server, f"{root}/in", times)
    for name, text in files.items():
        path = folder / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "config"


def interchange(carrier: str, numbers: Sequence[str]) -> bytes:
    """A carrier's file that tells of one scan for each of the parcels."""
    reference = numbers[0]
    parcels = "".join(
        _PARCEL.format(reference=index, number=number, hour=index // 60 % 24, minute=index % 60)
        for index, number in enumerate(numbers, 1)
    )
    parties = f"{carrier.upper()}:KU+HUB:ZZZ+250326:1805"
    head = f"UNB+UNOC:3+{parties}+{reference}++IFTSTA'UNG+IFTSTA+{parties}+{reference}+UN+D:07B'"
    return f"{head}{parcels}UNE+{len(numbers)}+{reference}'UNZ+1+{reference}'".encode("latin-1")


def drop(folder: Path, name: str, content: bytes) -> float:
    """Lay a file into a carrier's folder, whole from its first moment under its name; returns when (seconds)."""
    hidden = folder / f".{name}.part"
    hidden.write_bytes(content)
    hidden.replace(folder / name)
    return (folder / name).stat().st_ctime


class Mailboxes:
    """The working customers' folders; each file that comes is read once."""

    def __init__(self, root: Path) -> None:
        self._folders = [root / name / "in" for name in WORKING]
        self._read: set[str] = set()
        self._arrived: dict[str, float] = {}

    def arrived(self) -> dict[str, float]:
        """Parcel number → when the file that tells of it got its name in its customer's folder (seconds)."""
        for folder in self._folders:
            for path in map(str, folder.glob("*.edi")):
                if path not in self._read:
                    self._read.add(path)
                    content, at = Path(path).read_text("latin-1"), Path(path).stat().st_ctime
                    self._arrived |= dict.fromkeys(_TOLD.findall(content), at)
        return self._arrived


def documents(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """File → its document, of everything that was received."""
    return {row["name"]: row for row in gateway.ask("documents", "list", "--limit", "1000000")}


def processed(gateway: Gateway) -> list[str]:
    """Files in the order in which their documents were processed, as the log has it."""
    records = (json.loads(line) for line in gateway.log.read_text(encoding="utf-8").splitlines() if line[:1] == "{")
    return [record["file"] for record in records if record["event"] == "document.processed"]


def _carrier(name: str, server: ServerUnderTest, folder: str, after: str, times: dict[str, str] | None = None) -> str:
    return _CARRIER.format(name=name, server=_server(server, times), folder=folder, after=after)


def _customer(
    name: str, carrier: str, server: ServerUnderTest, folder: str, times: dict[str, str] | None = None
) -> str:
    return _CUSTOMER.format(
        name=name, carrier=carrier, server=_server(server, times), folder=folder, recipient=name.upper()
    )


def _server(server: ServerUnderTest, times: dict[str, str] | None = None) -> str:
    key = server.known_hosts_line.partition(" ")[2]
    options = {
        "type": "sftp",
        "host": server.host,
        "port": str(server.port),
        "username": server.username,
        "host_key": f'"{key}"',
        "private_key": f'"${{file:{server.private_key}}}"',
        **(times or {}),
    }
    return ", ".join(f"{name}: {value}" for name, value in options.items())
