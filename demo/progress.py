"""The daemon's log, told as it happens: one line for what a person wants to see, nothing for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.markup import escape

from demo.gateway import Json


@dataclass(slots=True)
class Progress:
    """How far everything is, as the log says it."""

    started: bool = False
    address: str = ""  # where the gateway listens
    processed: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    sealed: dict[str, tuple[str, int]] = field(default_factory=dict)  # file → destination, events
    delivered: dict[str, int] = field(default_factory=dict)  # destination → events

    def note(self, record: Json) -> str:
        """Take a record in and return its line, "" when there is none."""
        tell = _LINES.get(record["event"])
        if tell:
            return tell(self, record)
        if record.get("level") in {"warning", "error"}:
            return f"[red]{record['event']}[/]  {escape(_details(record))}"
        return ""


def _started(progress: Progress, record: Json) -> str:
    progress.started = True
    return f"daemon     started: {record['channels']} channels, {record['destinations']} destinations"


def _listening(progress: Progress, record: Json) -> str:
    progress.address = record["address"]
    return f"daemon     listens on {record['address']}"


def _received(progress: Progress, record: Json) -> str:
    name, copy = record["file"], record["duplicate_of"]
    if copy is None:
        return f"[cyan]received[/]   {name}, {record['bytes']:,} bytes"
    progress.copies.add(name)
    return f"[cyan]received[/]   {name}: [yellow]the same bytes as document {copy}, dropped[/]"


def _processed(progress: Progress, record: Json) -> str:
    progress.processed.add(record["file"])
    notes = [f"{record['events_new']} new events"]
    notes += [f"[yellow]{record['events_duplicate']} told before[/]"] if record["events_duplicate"] else []
    notes += [f"[yellow]{record['events_unmapped']} with a code nobody mapped[/]"] if record["events_unmapped"] else []
    notes += [f"[red]{record['quarantined']} quarantined[/]"] if record["quarantined"] else []
    return f"[blue]processed[/]  {record['file']}: {', '.join(notes)}"


def _sealed(progress: Progress, record: Json) -> str:
    if "notifications" in record:
        return f"[magenta]sealed[/]     {record['notifications']} notifications for {record['destination']}"
    progress.sealed[record["file"]] = record["destination"], record["events"]
    return f"[magenta]sealed[/]     {record['file']} for {record['destination']}: {record['events']} events"


def _delivered(progress: Progress, record: Json) -> str:
    destination, events = progress.sealed.get(record["file"], (record["destination"], 1))  # 1: a notification
    progress.delivered[destination] = progress.delivered.get(destination, 0) + events
    return f"[green]delivered[/]  {record['file']}: {record['receipt']}"


def _details(record: Json) -> str:
    hidden = {"event", "level", "timestamp", "exception"}
    return ", ".join(f"{key} {value}" for key, value in record.items() if key not in hidden)


_LINES: Final[dict[str, Callable[[Progress, Json], str]]] = {
    "daemon.started": _started,
    "http.listening": _listening,
    "document.received": _received,
    "document.processed": _processed,
    "delivery.sealed": _sealed,
    "delivery.delivered": _delivered,
}
