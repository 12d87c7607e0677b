"""The summary a person reads at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.checks import Check
from demo.outbound import Outbound
from demo.outcome import Outcome
from demo.scene import UPLOADS


def show(console: Console, outcome: Outcome, verdicts: Sequence[Check]) -> None:
    """Outbound files as they came, then the tables, then each claim with what speaks against it."""
    for customer, files in outcome.received.items():
        for file in files:
            _show_file(console, customer, file)
    console.print(_files_in(outcome))
    console.print(_quarantine(outcome))
    console.print(_unmapped(outcome))
    console.print(_files_out(outcome))
    console.print()
    for check in verdicts:
        console.print(f"[red]✗ {check.claim}[/]" if check.deviations else f"[green]✓[/] {check.claim}")
        for deviation in check.deviations:
            console.print(f"    {deviation}", markup=False)


def _show_file(console: Console, customer: str, file: Outbound) -> None:
    broken = "\n" in file.text
    console.rule(
        f"{customer}: {file.name}" + ("" if broken else " (shown with line breaks, it has none)"), align="left"
    )
    text = file.text if broken else file.text.replace("'", "'\n")
    console.print(text.replace("\r", "").strip(), markup=False, style="dim", soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _files_in(outcome: Outcome) -> Table:
    table = _table("Files in", "carrier", "file", "bytes", "became", "new", "known", "unmapped", "what it is")
    about = {upload.name: upload.about for upload in UPLOADS}
    for row in outcome.documents:
        became = f"copy of {row['duplicate_of']}, dropped" if row["duplicate_of"] else row["state"]
        counts = (str(row[key] or "") for key in ("events_new", "events_duplicate", "events_unmapped"))
        carrier = row["channel"].partition("/")[0]
        table.add_row(carrier, row["name"], f"{row['size']:,}", became, *counts, about.get(row["name"], ""))
    sums = (
        str(sum(row[key] for row in outcome.documents)) for key in ("events_new", "events_duplicate", "events_unmapped")
    )
    table.add_section()
    table.add_row("", f"{len(outcome.documents)} files", "", "events", *sums, "", style="bold")
    return table


def _quarantine(outcome: Outcome) -> Table:
    names = {row["id"]: row["name"] for row in outcome.documents}
    rows = ((names.get(row["document"], ""), row["at"], row["found"], row["expected"]) for row in outcome.quarantine)
    return _filled(_table("Quarantine", "file", "where", "found", "expected"), rows)


def _unmapped(outcome: Outcome) -> Table:
    rows = ((row["carrier"], row["code"], str(row["count"])) for row in outcome.unmapped)
    return _filled(_table("Codes nobody mapped", "carrier", "code", "events"), rows)


def _files_out(outcome: Outcome) -> Table:
    table = _table("Files out", "customer", "file", "to", "directory", "events")
    for customer, files in outcome.received.items():
        for file in files:
            table.add_row(customer, file.name, file.recipient, file.directory, str(len(file.told)))
    return table


def _filled(table: Table, rows: Iterable[tuple[str, ...]]) -> Table:
    for row in rows:
        table.add_row(*map(escape, row))
    return table
