"""The summary a person reads at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.checks import Check
from demo.gateway import Json
from demo.outbound import Outbound
from demo.outcome import Outcome

_COUNTED: Final = {"events_new": "new", "events_duplicate": "repeated", "events_unmapped": "unmapped"}


def show(console: Console, outcome: Outcome, verdicts: Sequence[Check]) -> None:
    """Outbound files as they came, then the tables, then each claim with what speaks against it."""
    for customer, files in outcome.received.items():
        for file in files:
            _show_file(console, customer, file)
    console.rule()
    _show_files_in(console, outcome)
    _show_quarantine(console, outcome)
    _show_unmapped(console, outcome)
    _show_files_out(console, outcome)
    _show_notifications(console, outcome)
    _headline(console, "What the demo claims")
    for check in verdicts:
        console.print(f"  [red]✗ {check.claim}[/]" if check.deviations else f"  [green]✓[/] {check.claim}")
        for deviation in check.deviations:
            console.print(f"      {deviation}", markup=False)


def _show_file(console: Console, customer: str, file: Outbound) -> None:
    broken = "\n" in file.text
    console.rule(
        f"{customer}: {file.name}" + ("" if broken else " (shown with line breaks, it has none)"), align="left"
    )
    text = file.text if broken else file.text.replace("'", "'\n")
    console.print(text.replace("\r", "").strip(), markup=False, style="dim", soft_wrap=True)


def _show_files_in(console: Console, outcome: Outcome) -> None:
    _headline(console, f"Files in: {len(outcome.documents)}, events: {_counts(outcome.documents)}")
    table = _table("carrier", "file", "bytes", "became", "events")
    for row in outcome.documents:
        became = "copy, dropped" if row["duplicate_of"] else row["state"].replace("_", " ")
        table.add_row(row["channel"].partition("/")[0], row["name"], f"{row['size']:,}", became, _counts([row]))
    console.print(table)


def _counts(documents: Sequence[Json]) -> str:
    sums = {name: sum(row[key] for row in documents) for key, name in _COUNTED.items()}
    return ", ".join(f"{count} {name}" for name, count in sums.items() if count)


def _show_quarantine(console: Console, outcome: Outcome) -> None:
    _headline(console, f"Quarantine: {len(outcome.quarantine)}")
    names = {row["id"]: row["name"] for row in outcome.documents}
    for row in outcome.quarantine:
        console.print(f"  file      {names.get(row['document'], '')}", markup=False)
        console.print(f"  where     {row['at']}", markup=False)
        console.print(f"  found     {row['found']}", markup=False)
        console.print(f"  expected  {row['expected']}", markup=False)
        console.print(f"  do        {row['advice']}", markup=False)


def _show_unmapped(console: Console, outcome: Outcome) -> None:
    _headline(console, f"Codes nobody mapped: {len(outcome.unmapped)}")
    for row in outcome.unmapped:
        console.print(f"  {row['carrier']}: {row['code']}, {row['count']} events; kept as UNKNOWN", markup=False)


def _show_files_out(console: Console, outcome: Outcome) -> None:
    _headline(console, f"Files out: {sum(map(len, outcome.received.values()))}")
    table = _table("customer", "file", "to", "directory", "events")
    for customer, files in outcome.received.items():
        for file in files:
            table.add_row(customer, file.name, file.recipient, file.directory, str(len(file.told)))
    console.print(table)


def _show_notifications(console: Console, outcome: Outcome) -> None:
    _headline(console, f"Notifications: {len(outcome.notified)}")
    table = _table("customer", "shipment", "number", "from", "to", "at")
    for told in outcome.notified:
        shipment, event = told["shipment"], told["event"]
        name = f"{shipment['carrier']} {shipment['tracking_number']}"
        table.add_row(
            "umbra", name, str(told["sequence"]), told["previous_status"], told["status"], event["occurred_at"]
        )
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 0, 0, 2), pad_edge=True)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column == "bytes" else "left")
    return table


def _headline(console: Console, text: str) -> None:
    console.print(f"\n[bold]{escape(text)}[/]")
