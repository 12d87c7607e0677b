"""``edi-gateway replay``: archived documents through today's mappings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.progress import progress
from edi_gateway.cli.run import configure_log
from edi_gateway.cli.settings import Settings
from edi_gateway.errors import TransientError
from edi_gateway.pipeline.replay import Replay, Tally
from edi_gateway.store import hooks, replays
from edi_gateway.store.engine import Database
from edi_gateway.store.replays import Chosen
from edi_gateway.store.tables import Action
from edi_gateway.wiring import Wired, wire, with_endpoints

_INTERRUPTED = 130


def replay(
    context: typer.Context,
    numbers: list[int] = typer.Argument(None, help="documents, by number"),
    channel: str = typer.Option("", help="only of this channel, as carrier/channel"),
    since: str = typer.Option("", help="only received from then on: 2026-10-12 or 2026-10-12T08:00+02:00 (else UTC)"),
    until: str = typer.Option("", help="only received before then"),
    resume: bool = typer.Option(False, "--resume", help="go on with a replay that was interrupted"),
    abandon: bool = typer.Option(False, "--abandon", help="forget what an interrupted replay has left"),
    dry_run: bool = typer.Option(False, "--dry-run", help="only say what would change"),
    yes: bool = typer.Option(False, "--yes", help="do it without a preview and without asking"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Read stored documents again with today's mappings: say what would change, ask, then do it.

    What they said before is replaced by what they say now. What a customer was told already is not told again; what
    is told no longer is cancelled. Runs beside the daemon, one document at a time, and can be interrupted.
    """
    settings: Settings = context.obj
    config = settings.config()
    configure_log(config.installation.gateway.log.format, "error")
    wired = wire(config)
    with settings.database() as db:
        wired = with_endpoints(wired, hooks.endpoints(db))
        if abandon:
            console.print(f"{replays.abandon(db)} documents are not to be read again any more")
            return
        chosen = _chosen(db, wired, numbers or [], channel, since, until, resume=resume)
        work = Replay(db, wired.channels, wired.audience)
        if not chosen:
            console.print("There is nothing to read again.")
            return
        if dry_run or not yes:
            _say(_preview(work, chosen), wired, as_json=as_json, would="would ")
        if not dry_run and (yes or _agreed(len(chosen))):
            replays.ask(db, chosen)
            _say(_run(work, len(chosen)), wired, as_json=as_json)


def _chosen(
    db: Database, wired: Wired, numbers: Sequence[int], channel: str, since: str, until: str, *, resume: bool
) -> list[Chosen]:
    """What is to be read again, as far as its channel is configured."""
    left, conditions = replays.left(db), any((numbers, channel, since, until))
    if resume == conditions:
        raise typer.BadParameter("name documents, --channel, --since or --until; or --resume alone")
    if left and not resume:
        raise typer.BadParameter(
            f"a replay was interrupted with {len(left)} documents left: go on with --resume, or forget them (--abandon)"
        )
    chosen = left if resume else replays.choose(db, numbers, channel=channel, since=_when(since), until=_when(until))
    passed_over = sorted(set(numbers) - {document.id for document in chosen})
    if passed_over:
        listed = ", ".join(map(str, passed_over))
        console.print(f"not there, copies of others, or waiting to be processed anyway: {listed}")
    away = sorted({document.channel for document in chosen} - set(wired.channels))
    if away:
        console.print(f"passed over, as their channels are not configured: {text(', '.join(away))}")
    return [document for document in chosen if document.channel in wired.channels]


def _when(said: str) -> datetime | None:
    if not said:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as error:
        raise typer.BadParameter(f"found {said!r}, expected a date or time such as 2026-10-12T08:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        print("Nothing was changed: there is nobody to ask. Add --yes to do it.", file=sys.stderr)
        raise typer.Exit(1)
    return typer.confirm(f"Read {count} documents again?")


def _preview(work: Replay, chosen: Sequence[Chosen]) -> Tally:
    with progress("preview", len(chosen)) as step:
        return work.preview(chosen, lambda _: step())


def _run(work: Replay, count: int) -> Tally:
    try:
        with progress("replay", count) as step:
            return work.run(lambda _: step())
    except (KeyboardInterrupt, TransientError) as error:
        why = "stopped" if isinstance(error, KeyboardInterrupt) else str(error)
        left = len(replays.left(work.db))
        print(f"{why}; {left} documents are left: edi-gateway replay --resume", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1) from error


def _say(tally: Tally, wired: Wired, *, as_json: bool, would: str = "") -> None:
    at_most = {destination.name: destination.batch.at_most for destination in wired.destinations}
    told = {name: (tally.owed[name, Action.REPORT], tally.owed[name, Action.CANCEL]) for name in at_most}
    files = {name: -(-sum(counts) // at_most[name]) for name, counts in told.items()}
    if as_json:
        print_json(_row(tally, told, files) | {"preview": bool(would)})
        return
    counts = tally.counts
    states = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()))
    console.print(f"[bold]documents[/]     {tally.documents}: {states}")
    envelopes = ", ".join(f"{count} {state}" for state, count in sorted(tally.interchanges.items()) if count)
    console.print(f"[bold]interchanges[/]  {sum(tally.interchanges.values())}: {envelopes or 'none'}")
    console.print(
        f"[bold]events[/]        {counts.events_new} {would and 'would be '}new, {counts.events_duplicate} repeated,"
        f" {counts.events_retracted} {would and 'would be '}retracted; {counts.events_unmapped} of unmapped codes"
    )
    for name, (report, cancel) in told.items():
        if report or cancel:
            console.print(
                f"[bold]customers[/]     {text(name)} {would}hear of {report} events and {cancel} cancellations,"
                f" in {files[name]} files or fewer"
            )
    if not any(files.values()):
        console.print(f"[bold]customers[/]     {would or 'did '}hear nothing new")
    if tally.parts > 1:
        console.print(f"Counted in {tally.parts} parts: what several of them tell counts in each.")


def _row(tally: Tally, told: dict[str, tuple[int, int]], files: dict[str, int]) -> dict[str, object]:
    counts = tally.counts
    return {
        "documents": tally.documents,
        "states": {str(state): count for state, count in tally.states.items()},
        "interchanges": {str(state): count for state, count in tally.interchanges.items()},
        "messages": counts.messages,
        "events_new": counts.events_new,
        "events_duplicate": counts.events_duplicate,
        "events_retracted": counts.events_retracted,
        "events_unmapped": counts.events_unmapped,
        "findings": counts.findings,
        "destinations": [
            {"destination": name, "report": report, "cancel": cancel, "files": files[name]}
            for name, (report, cancel) in told.items()
            if report or cancel
        ],
        "parts": tally.parts,
    }
