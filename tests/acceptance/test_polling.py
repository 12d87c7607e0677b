"""Carriers that are asked: one that hangs and one that allows little are nobody else's trouble."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from edi_gateway.store import inbox, tracked
from edi_gateway.store.engine import Database
from tests.acceptance.dropping import FULL
from tests.acceptance.gateway import wait_until
from tests.carrier_api import Asked, CarrierApi, Reply, events

log = logging.getLogger(__name__)
CARRIERS: Final = 20
CHECKS: Final = 1_000 if FULL else 15  # of each carrier
_LONG: Final = 600 if FULL else 90
_MAPPING: Final = """\
syntax: json
format: {type: json, records: "@"}
for_each: events
event: {tracking_number: number, code: code, occurred_at: {path: time}}
codes: {TRANSIT: IN_TRANSIT}
"""
_CARRIER: Final = """\
carrier: {name}
timezone: UTC
channels:
  api:
    every: 1s
    mapping: api/track
    source:
      type: api_poll
      allow_http: true
      request: {{url: "{url}/track/{{number}}"}}
      schedule: safety_net
      in_flight: 16
      rate: {{requests: {rate}, per: 1s}}
"""


class Carriers:
    """Twenty carriers on ports of their own, of which the first hangs and the second allows one request a second."""

    def __init__(self, stack: ExitStack, folder: Path, checks: int = CHECKS) -> None:
        self.folder = folder
        self.checks = checks  # of each carrier
        self.apis = {f"c{number:02}": stack.enter_context(CarrierApi().running()) for number in range(CARRIERS)}
        self.hanging, self.limited, *self.well = self.apis
        self.apis[self.hanging].answer = lambda _: Reply(hang=True)
        self.served: Counter[str] = Counter()  # of the second one: what it did not refuse
        self.apis[self.limited].answer = self._once_a_second()

    def configure(self, names: Sequence[str]) -> str:
        """A gateway for these carriers, all of whose numbers are due; returns its database."""
        mappings = self.folder / "mappings"
        (mappings / "api").mkdir(parents=True)
        (mappings / "api/track.yaml").write_text(_MAPPING)
        (self.folder / "config/carriers").mkdir(parents=True)
        gateway = f"data: {self.folder / 'data'}\nmappings: {mappings}\nlog: {{format: json}}\nstop_timeout: 2s\n"
        (self.folder / "config/gateway.yaml").write_text(gateway)
        (self.folder / "data").mkdir()
        url = f"sqlite:///{self.folder / 'data/edi-gateway.db'}"
        db = Database(url)
        db.migrate()
        for name in names:
            rate = 1 if name == self.limited else 100_000
            text = _CARRIER.format(name=name, url=self.apis[name].url, rate=rate)
            (self.folder / f"config/carriers/{name}.yaml").write_text(text)
            tracked.track(db, f"{name}/api", name, [f"{name}-{number}" for number in range(self.checks)])
        db.close()
        return url

    def _once_a_second(self) -> Callable[[Asked], Reply]:
        last = [0.0]

        def answer(asked: Asked) -> Reply:
            if asked.at - last[0] < 0.9:
                return Reply(429, headers={"Retry-After": "2"})
            last[0] = asked.at
            self.served[asked.number] += 1
            return events(asked.number)

        return answer

    def done(self) -> bool:
        """Whether each of the others was asked for everything."""
        return all(len(self.apis[name].asked) >= self.checks for name in self.well)


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The gateway of that folder, stopped at the end."""
    command = [sys.executable, "-m", "edi_gateway.cli.main", "--config", str(folder / "config"), "run"]
    with (folder / "log").open("wb") as said, subprocess.Popen(command, stderr=said) as running:
        try:
            yield running
        finally:
            running.terminate()
            assert running.wait(30) == 0


def test_carriers_are_asked_for_everything_once_while_others_hang_or_allow_little(tmp_path: Path) -> None:
    """The hanging one lets go of nothing before the end: whoever waited for it would wait as long."""
    with ExitStack() as stack:
        carriers = Carriers(stack, tmp_path)
        url = carriers.configure(list(carriers.apis))
        begun = time.monotonic()
        with daemon(tmp_path):
            wait_until(carriers.done, _LONG, "the others are asked")
            seconds = time.monotonic() - begun
            db = Database(url)
            wait_until(lambda: _kept(db, carriers) == CHECKS * len(carriers.well), _LONG, "their answers are kept")
        asked = {name: Counter(api.numbers) for name, api in carriers.apis.items()}
        states = {each.channel: each for each in tracked.counts(db)}
        db.close()
    for name in carriers.well:
        assert asked[name] == Counter(f"{name}-{number}" for number in range(CHECKS)), name
        assert (CHECKS, 0, 0) == (
            states[f"{name}/api"].waiting,
            states[f"{name}/api"].due,
            states[f"{name}/api"].failing,
        )
    assert set(asked[carriers.hanging].values()) == {1} == set(carriers.served.values())
    assert 0 < len(carriers.served) <= time.monotonic() - begun + 1
    assert states[f"{carriers.limited}/api"].due >= CHECKS - len(carriers.served) - 1  # one may be put off
    log.info("%d checks of %d carriers in %.1f s", CHECKS * len(carriers.well), len(carriers.well), seconds)


@pytest.mark.skipif(not FULL, reason="times of a few checks say nothing: EDI_ACCEPTANCE_FULL=1")
def test_they_finish_as_if_the_others_were_not_there(tmp_path: Path) -> None:
    """The same checks take as long beside a carrier that hangs and one that allows little as without them.

    In turns, and the best of each: the machine has other things to do, too.
    """
    took: dict[bool, list[float]] = {False: [], True: []}
    for run in range(6):
        sick = bool(run % 2)
        with ExitStack() as stack:
            carriers = Carriers(stack, tmp_path / str(run), 100)
            carriers.configure(list(carriers.apis) if sick else carriers.well)
            with daemon(carriers.folder):
                wait_until(carriers.done, _LONG, "all are asked")
            asked = [each.at for name in carriers.well for each in carriers.apis[name].asked]
            took[sick].append(max(asked) - min(asked))
    log.info("seconds without the two: %s, with them: %s", *took.values())
    assert min(took[True]) < min(took[False]) * 1.25 + 1


def _kept(db: Database, carriers: Carriers) -> int:
    well = {f"{name}/api" for name in carriers.well}
    found = inbox.documents(db, limit=CARRIERS * CHECKS)
    return sum(document.channel in well for document in found)
