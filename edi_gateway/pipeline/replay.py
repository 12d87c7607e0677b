"""Archived bytes through today's mappings: first to see what would change, then for good."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection
from structlog.contextvars import bound_contextvars

from edi_gateway.errors import TransientError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.behind import Transaction
from edi_gateway.pipeline.partners import Audience, Channel
from edi_gateway.pipeline.process import process, set_aside
from edi_gateway.pipeline.recording import Outcome
from edi_gateway.store import inbox, replays
from edi_gateway.store.engine import Database, part
from edi_gateway.store.replays import Chosen
from edi_gateway.store.tables import Action, DocumentState, InterchangeState

log = structlog.get_logger()
_HOLD: Final = 10.0  # seconds for which a preview may keep others from writing

Progress = Callable[[Chosen], None]


class _UndoneError(Exception):
    """Ends a transaction that was only to see what it would do."""


@dataclass(slots=True)
class Tally:
    """What reading documents again changes. Previews in several ``parts`` may count one event twice."""

    documents: int = 0
    counts: inbox.Counts = field(default_factory=inbox.Counts)
    states: Counter[DocumentState] = field(default_factory=Counter)
    interchanges: Counter[InterchangeState] = field(default_factory=Counter)
    owed: Counter[tuple[str, Action]] = field(default_factory=Counter)  # destination, action → events
    parts: int = 0

    def add(self, outcome: Outcome | None) -> None:
        """Take in what became of one document; None is one that made us fail."""
        self.documents += 1
        if outcome is None:
            self.states[DocumentState.QUARANTINED] += 1
            return
        self.states[outcome.state] += 1
        self.interchanges.update(outcome.interchanges)
        self.counts = inbox.Counts(*map(sum, zip(astuple(self.counts), astuple(outcome.counts), strict=True)))


@dataclass(frozen=True, slots=True)
class Replay:
    """The documents chosen, and the channels and destinations they concern."""

    db: Database
    channels: Mapping[str, Channel]
    audience: Audience

    def preview(self, chosen: Sequence[Chosen], progress: Progress = lambda _: None) -> Tally:
        """What would change: everything is recorded as it would be, and taken back.

        Nobody else can write meanwhile (on PostgreSQL: of these carriers); after ten seconds they get their turn, and
        what follows is counted apart. Raises TransientError.
        """
        tally, rest, stale = Tally(), list(reversed(chosen)), {each.id for each in chosen}
        while rest:
            tally.parts += 1
            until = time.monotonic() + _HOLD
            with _undone(self.db) as connection:
                begun, changed = utc_now(), list[int]()
                while True:
                    outcome = self._read(rest[-1], stale, partial(part, connection))
                    tally.add(outcome)
                    changed += outcome.changed if outcome else []
                    progress(rest.pop())
                    if not rest or time.monotonic() > until:
                        break
                tally.owed.update(replays.owed_since(connection, begun, changed))
        return tally

    def run(self, progress: Progress = lambda _: None) -> Tally:
        """Read everything again that was asked for, a document at a time; what is done is struck off with it.

        May be interrupted at any point and called again. Raises TransientError.
        """
        tally = Tally(parts=1)
        left = [each for each in replays.left(self.db) if each.channel in self.channels]
        stale = {each.id for each in left}
        for each in left:
            begun = utc_now()
            outcome = self._read(each, stale, self.db.write)
            tally.add(outcome)
            if outcome and outcome.changed:
                with self.db.read() as connection:
                    tally.owed.update(replays.owed_since(connection, begun, outcome.changed))
            progress(each)
        return tally

    def _read(self, chosen: Chosen, stale: set[int], begin: Transaction) -> Outcome | None:
        """One document in transactions of ``begin``; one that makes us fail is set aside, as when it first came."""
        document = inbox.document(self.db, chosen.id)
        stale.discard(document.id)
        strike = partial(replays.strike, document_id=document.id)
        channel = self.channels[document.channel]
        with bound_contextvars(document=document.id, channel=document.channel, file=document.name):
            try:
                return process(self.db, document, channel, self.audience, begin=begin, settling=strike, stale=stale)
            except TransientError:
                raise
            except Exception as error:
                log.exception("document.defect")
                with begin() as connection:
                    set_aside(connection, document, error)
                    replays.strike(connection, document.id)
                return None


@contextmanager
def _undone(db: Database) -> Iterator[Connection]:
    """A transaction of which nothing stays."""
    with suppress(_UndoneError), db.write() as connection:
        yield connection
        raise _UndoneError
