"""``python -m benchmarks [NAME ...]``: all benchmarks, or those whose name begins with or fits one given."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import structlog

from benchmarks import delimited, edifact, end_to_end, inbound, ingest, pull, push, results, track, x12
from benchmarks.contest import Contest, MissingError, run

_CONTESTS: Final = (
    *edifact.CONTESTS,
    *x12.CONTESTS,
    *delimited.CONTESTS,
    *ingest.CONTESTS,
    *pull.CONTESTS,
    *push.CONTESTS,
    *inbound.CONTESTS,
    *track.CONTESTS,
    *end_to_end.CONTESTS,
)


def main(wanted: Sequence[str]) -> int:
    """Run what is wanted, print each result as it comes, and write it down."""
    chosen = [contest for contest in _CONTESTS if not wanted or _fits(contest.name, wanted)]
    if not chosen:
        print("no benchmark is called", " or ".join(wanted), "- there are:", *(each.name for each in _CONTESTS))
        return 2
    _log_to_nowhere()
    print(results.heading())
    for contest in chosen:
        _run(contest)
    return 0


def _fits(name: str, wanted: Sequence[str]) -> bool:
    names = {contest.name for contest in _CONTESTS}
    return any(name == each if each in names else fnmatchcase(name, f"{each}*") for each in wanted)


def _log_to_nowhere() -> None:
    """The gateway writes its log as a daemon does, so that it pays for it."""
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  until the end
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=nowhere),
    )


def _run(contest: Contest) -> None:
    try:
        result = run(contest)
    except MissingError as error:
        print(f"{contest.name:<48} skipped: {error}", flush=True)
        return
    results.save({contest.name: result})
    print(results.line(contest.name, result), flush=True)


sys.exit(main(sys.argv[1:]))
