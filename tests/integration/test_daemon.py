"""The daemon as a process: alone on its database, reloaded at a signal, waiting while there is no room."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.errors import ConfigError
from edi_gateway.mapping.load import Library
from edi_gateway.store.lock import only_daemon
from sftp_test_server.faults import Faults, Refuse, Stall
from tests.acceptance.gateway import FOLDERS, Gateway, wait_until
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest, own_server

SAMPLE = ROOT / "mappings/nordlog/samples/iftsta/rail_and_delivery.edi"
COMMAND = (sys.executable, "-m", "edi_gateway.cli.main", "--config")
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def server(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "mailboxes", FOLDERS, faults) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, server: ServerUnderTest) -> Iterator[Gateway]:
    with Gateway(tmp_path, server) as ready:
        yield ready


def started(gateway: Gateway) -> None:
    gateway.start()
    logged(gateway, "daemon.started")


def logged(gateway: Gateway, event: str) -> dict[str, Any]:
    """The first record of that event in the log, waited for."""

    def found() -> list[dict[str, Any]]:
        lines = gateway.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if f'"event": "{event}"' in line and line[0] + line[-1] == "{}"]

    wait_until(lambda: bool(found()), 60, event)
    return found()[0]


def drop(server: ServerUnderTest, name: str) -> None:
    shutil.copy(SAMPLE, server.root / "nordlog/out" / name)


def processed(gateway: Gateway) -> int:
    return sum(document["state"] != "received" for document in gateway.ask("documents", "list"))


def edit(gateway: Gateway, name: str, old: str, new: str) -> None:
    path = gateway.config / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def run_again(gateway: Gateway) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, gateway.config, "run"], capture_output=True, text=True, check=False, timeout=30)


def test_a_second_daemon_on_one_database_is_refused(gateway: Gateway) -> None:
    """Two daemons would poll and send everything twice: the second says who is there, until that one is gone."""
    started(gateway)
    second = run_again(gateway)
    assert second.returncode == 2
    assert f"another edi-gateway run (process {gateway.pid}) works on this database" in second.stderr
    gateway.kill()
    started(gateway)


def test_two_names_of_one_database_are_one(tmp_path: Path) -> None:
    """A link to the database does not get round the lock."""
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    with (
        only_daemon(f"sqlite:///{tmp_path}/a.db"),
        pytest.raises(ConfigError, match="works on this database"),
        only_daemon(f"sqlite:///{tmp_path}/b.db"),
    ):
        pass


def test_a_hang_up_brings_new_configuration_into_force(gateway: Gateway, server: ServerUnderTest) -> None:
    """A channel added while the daemon runs is polled after SIGHUP, without a restart."""
    (gateway.config / "carriers/nordlog.yaml").rename(gateway.config / "carriers/nordlog.off")
    edit(gateway, "customers/globex", '  - {carrier: nordlog, account: "4402*"}\n', "")
    started(gateway)
    drop(server, "a.edi")
    (gateway.config / "carriers/nordlog.off").rename(gateway.config / "carriers/nordlog.yaml")
    pid = gateway.pid
    gateway.hang_up()
    assert logged(gateway, "daemon.reloaded")["channels"] == 2
    logged(gateway, "document.processed")
    assert gateway.pid == pid
    assert [document["channel"] for document in gateway.ask("documents", "list")] == ["nordlog/status"]


def test_a_hang_up_brings_new_mappings_into_force(gateway: Gateway, server: ServerUnderTest, tmp_path: Path) -> None:
    """The next document is read with the mapping as it lies there now, and says so in its provenance."""
    own = tmp_path / "mappings"
    shutil.copytree(ROOT / "mappings", own)
    edit(gateway, "gateway", f"mappings: {ROOT / 'mappings'}", f"mappings: {own}")
    started(gateway)
    with (own / "nordlog/iftsta.yaml").open("a", encoding="utf-8") as mapping:
        mapping.write("# another version\n")
    gateway.hang_up()
    logged(gateway, "daemon.reloaded")
    drop(server, "a.edi")
    logged(gateway, "document.processed")
    number = json.loads(SAMPLE.with_suffix(".events.jsonl").read_text(encoding="utf-8").splitlines()[0])[
        "tracking_number"
    ]
    version = Library([own]).reader("nordlog/iftsta").version
    assert version != Library([ROOT / "mappings"]).reader("nordlog/iftsta").version
    assert version in gateway.command("events", number, "--json")


def test_configuration_with_a_mistake_changes_nothing(gateway: Gateway, server: ServerUnderTest) -> None:
    """What was in force goes on, the mistake is told with its line, and the alarm goes when it is mended."""
    started(gateway)
    edit(gateway, "carriers/nordlog", "mapping: nordlog/iftsta", "mapping: nordlog/nothing")
    gateway.hang_up()
    problem = logged(gateway, "daemon.reload_refused")["problems"][0]
    assert "nordlog.yaml:" in problem
    assert "nordlog/nothing" in problem
    drop(server, "a.edi")
    logged(gateway, "document.processed")
    edit(gateway, "carriers/nordlog", "mapping: nordlog/nothing", "mapping: nordlog/iftsta")
    gateway.hang_up()
    assert logged(gateway, "alarm.cleared")["kind"] == "configuration"


def test_a_reload_leaves_partners_alone_that_have_not_changed(
    gateway: Gateway, server: ServerUnderTest, faults: Faults
) -> None:
    """Their connections stay, so a login that would fail now is not even tried."""
    started(gateway)
    drop(server, "a.edi")
    logged(gateway, "document.processed")
    faults.add(Refuse(operation="login"))
    edit(gateway, "carriers/kurier", "timezone: Europe/Berlin", "timezone: Europe/Vienna")
    gateway.hang_up()
    logged(gateway, "daemon.reloaded")
    drop(server, "b.edi")
    wait_until(lambda: len(gateway.ask("documents", "list")) == 2, 20, "taken by the old connection")


def test_a_database_that_takes_nothing_pauses_work_and_it_resumes_by_itself(
    gateway: Gateway, server: ServerUnderTest
) -> None:
    """Nothing is half-written, nothing fetched is lost, the carrier's copy stays until its bytes are committed."""
    started(gateway)
    wait_until(lambda: processed(gateway) == 0, 20, "empty")
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    (server.root / "nordlog/out/a.edi").write_bytes(
        SAMPLE.read_bytes() + b"\n" * 300_000
    )  # more than there is room for
    assert "database" in logged(gateway, "intake.paused")["why"]
    assert (server.root / "nordlog/out/a.edi").exists()
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    logged(gateway, "intake.resumed")
    logged(gateway, "document.processed")
    wait_until(lambda: not (server.root / "nordlog/out/a.edi").exists(), 20, "cleared")
    assert [document["state"] for document in gateway.ask("documents", "list")] == ["processed"]


def test_a_log_that_cannot_be_written_stops_nothing(gateway: Gateway, server: ServerUnderTest) -> None:
    """Where the log fills its disk, the work goes on: the log is not what customers wait for."""
    drop(server, "a.edi")
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen([*COMMAND, gateway.config, "run"], stderr=full) as daemon,
    ):
        wait_until((server.root / "nordlog/out/done/a.edi").exists, 20, "taken")
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_work_waits_while_the_disk_has_less_room_than_asked_for(gateway: Gateway, server: ServerUnderTest) -> None:
    """Before anything fails: nothing is fetched, and the alarm can still be stored."""
    edit(gateway, "gateway", "stop_timeout: 15s", "stop_timeout: 15s\nleast_free: 1000000GB")
    drop(server, "a.edi")
    started(gateway)
    assert "make room" in logged(gateway, "intake.paused")["why"]
    assert logged(gateway, "alarm.raised")["kind"] == "intake_paused"
    assert gateway.ask("documents", "list") == []


def test_a_channel_that_fails_again_and_again_is_an_alarm(gateway: Gateway, faults: Faults) -> None:
    """One failure is an everyday matter, three in a row are not; the alarm goes with the next success."""
    faults.add(Refuse(operation="list"))
    started(gateway)
    assert logged(gateway, "alarm.raised")["kind"] == "channel_failing"
    faults.clear()
    assert logged(gateway, "alarm.cleared")["kind"] == "channel_failing"


def test_the_alarm_of_a_channel_goes_with_the_channel(gateway: Gateway, faults: Faults) -> None:
    """Taken out of the configuration it will never be polled with success; the alarms of those that stay, stay."""
    faults.add(Refuse(operation="list"))
    started(gateway)
    wait_until(lambda: len(gateway.ask("status")[0]["alarms"]) == 2, 60, "both channels fail")
    edit(gateway, "customers/globex", '  - {carrier: nordlog, account: "4402*"}\n', "")
    (gateway.config / "carriers/nordlog.yaml").unlink()
    gateway.hang_up()
    assert logged(gateway, "alarm.cleared")["subject"] == "nordlog/status"
    assert [alarm["subject"] for alarm in gateway.ask("status")[0]["alarms"]] == ["kurier/scans"]


def test_a_partner_that_hangs_does_not_hold_up_the_end(
    gateway: Gateway, server: ServerUnderTest, faults: Faults
) -> None:
    """SIGTERM is obeyed within the stop time-out; what was cut off is done at the next start."""
    stall = Stall(operation="read")
    faults.add(stall)
    edit(gateway, "gateway", "stop_timeout: 15s", "stop_timeout: 1s")
    started(gateway)
    drop(server, "a.edi")
    assert faults.wait_until_fired(stall, timeout=20)
    begun = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - begun < 10
    assert logged(gateway, "daemon.stopped")["abandoned"] == ["poll nordlog/status"]
    faults.clear()
    started(gateway)
    logged(gateway, "document.processed")


def test_who_asks_twice_does_not_wait(gateway: Gateway, server: ServerUnderTest, faults: Faults) -> None:
    """A second SIGTERM, or Ctrl-C, cuts off at once what the first would have waited for."""
    stall = Stall(operation="read")
    faults.add(stall)
    edit(gateway, "gateway", "stop_timeout: 15s", "stop_timeout: 10m")
    started(gateway)
    drop(server, "a.edi")
    assert faults.wait_until_fired(stall, timeout=20)
    os.kill(gateway.pid, signal.SIGTERM)
    logged(gateway, "daemon.stopping")
    assert gateway.stop() == 0
