"""One interchange as large as a carrier's backlog: memory stays flat and everybody else is served meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.carrier_edi import Telling, nordlog_message
from tests.acceptance.dropping import FULL
from tests.acceptance.facts import PLACES, Fact, Shipment
from tests.acceptance.gateway import FOLDERS, Gateway, wait_until
from tests.servers import openssh_server

_MB: Final = 1_000_000
_SIZE: Final = 100 * _MB if FULL else 3 * _MB
_MEMORY: Final = 50 * _MB + 2 * _SIZE  # 250 MB for an interchange of 100 MB
_STALL: Final = 100 if FULL else 200  # milliseconds; beside other tests, threads at work count as well
_MACHINE: Final = 2_000  # milliseconds that a busy machine may take away from the gateway at a time
_PATIENCE: Final = 1_800 if FULL else 120  # seconds
_BEGIN: Final = datetime(2025, 3, 3, 5, tzinfo=UTC)
_JOURNEY: Final = ("GI", "LO", "DP", "D")
_A_MESSAGE: Final = 100  # events


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which Linux has")
def test_everybody_is_served_while_it_is_read(empty_url: str, tmp_path: Path) -> None:
    """It costs the memory of its bytes twice at most, and the loop comes round every tenth of a second."""
    with openssh_server(tmp_path / "remote", FOLDERS) as server, Gateway(tmp_path, server) as gateway:
        _keep_in(empty_url, gateway.config)
        events = _write(tmp_path / "backlog.edi", _SIZE)
        gateway.start()
        wait_until(lambda: "channel.polled" in gateway.events(), 30, "at work")
        idle = _peak(gateway.pid)
        (tmp_path / "backlog.edi").rename(server.root / "nordlog/out/backlog.edi")
        wait_until(lambda: "document.processed" in gateway.events(), _PATIENCE, "processed")
        peak = _peak(gateway.pid)
        assert gateway.stop() == 0
        [document] = gateway.ask("documents", "list")
    assert (document["state"], document["events_new"]) == ("processed", events)
    assert peak - idle <= _MEMORY
    assert list(_stalls(gateway.log)) == []


def _keep_in(url: str, config: Path) -> None:
    with (config / "gateway.yaml").open("a", encoding="utf-8") as file:
        file.write(f"database: {url}\n")


def _peak(pid: int) -> int:
    """The most memory the process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def _stalls(log: Path) -> Iterator[str]:
    """When the loop was held up: the gateway worked for longer than allowed, or waited for longer than others' work."""
    for line in log.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["event"] != "loop.stalled":
            continue
        if record["cpu_milliseconds"] > _STALL or record["milliseconds"] > _MACHINE:
            yield line


def _write(path: Path, size: int) -> int:
    """Write an interchange of that many bytes; returns how many events it tells."""
    messages = 0
    with path.open("w", encoding="latin-1") as file:
        written = file.write("UNB+UNOC:3+NORDLOG:ZZZ+HUB:ZZZ+250326:0815+1'\n")
        while written < size:
            messages += 1
            written += file.write(_message(messages))
        file.write(f"UNZ+{messages}+1'\n")
    return messages * _A_MESSAGE


def _message(number: int) -> str:
    tellings = [Telling(fact) for fact in _facts((number - 1) * _A_MESSAGE)]
    message = nordlog_message(str(number), f"NLB{number:06}", "202503260815", tellings)
    return "".join(f"{segment}'\n" for segment in message.segments)


def _facts(first: int) -> Iterator[Fact]:
    """The events of one message; every fiftieth container is one of Globex'."""
    for event in range(first, first + _A_MESSAGE):
        container, step = divmod(event, len(_JOURNEY))
        account = "90001" if container % 50 else "44021"
        shipment = Shipment("nordlog", f"NLGU{container:07}", account, f"NORDB{container}", f"PO-{container}")
        yield Fact(shipment, _JOURNEY[step], _BEGIN + timedelta(minutes=container + 300 * step), PLACES[event % 8])
