"""Faults as they are written, and set while the server runs: JSON, YAML, the control socket and its command line."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from dataclasses import fields
from pathlib import Path

import asyncssh
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sftp_test_server.control import main as control
from sftp_test_server.control import send_command
from sftp_test_server.faults import ANSWERS, Fault
from sftp_test_server.notation import KINDS, describe_fault, parse_fault
from tests.guards.project import ROOT
from tests.sftp_clients import connect

NUMBERS = st.integers(min_value=2048)
SECONDS = st.floats(min_value=0, allow_infinity=False)
VALUES: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("after_bytes", "size", "bytes_per_second", "at_most", "entries", "max_packet"), NUMBERS),
    **dict.fromkeys(("seconds", "watch"), SECONDS),
    "answer": st.sampled_from(ANSWERS),
    "into": st.text(),
    "advertise": st.booleans(),
}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault that could strike."""
    kind = draw(st.sampled_from([*KINDS.values()]))
    operations = draw(st.just(["*"]) | st.lists(st.sampled_from(kind.can), min_size=1))
    anybody = set(operations) & {"accept", "banner", "kex", "login", "subsystem", "init"}
    values = {
        "operation": ",".join(operations),
        "user": "*" if anybody else draw(st.text()),
        "path": "*" if anybody else draw(st.text()),
        "times": draw(st.none() | st.integers(min_value=1)),
        **{field.name: draw(VALUES[field.name]) for field in fields(kind) if field.name in VALUES},
    }
    return parse_fault({"fault": next(name for name in KINDS if KINDS[name] is kind), **values})


@given(fault=faults())
def test_a_fault_reads_back_from_its_json_form(fault: Fault) -> None:
    """Writing a fault as JSON and reading it again gives the same fault."""
    assert parse_fault(json.loads(json.dumps(describe_fault(fault)))) == fault


def test_the_faults_in_the_documentation_exist() -> None:
    """Every fault shown as YAML can be read, and every kind has its command line."""
    text = (ROOT / "docs/sftp_test_server.md").read_text(encoding="utf-8")
    assert len([parse_fault(yaml.safe_load(shown)) for shown in re.findall(r"\{fault: [^`\n]*\}", text)]) > 10
    assert set(re.findall(r"`\$CONTROL add (\w+)", text)) == set(KINDS)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("refuse", "a fault is an object such as"),
        ({"fault": "explode"}, "unknown fault 'explode': known are refuse, delay"),
        ({"fault": "refuse", "operation": "renam"}, "unknown operation renam: known are accept, banner"),
        ({"fault": "refuse", "pth": "/out"}, "fault refuse has no 'pth': known are operation, user, path, times"),
        ({"fault": "drop", "after_bytes": "many"}, "fault drop: after_bytes is 'many', expected int"),
        ({"fault": "delay"}, "fault delay needs seconds"),
        ({"fault": "stall", "times": 0}, "times is 0: write 1 or more"),
        ({"fault": "disk_full", "operation": "read"}, "unknown operation read: known are write"),
        ({"fault": "refuse", "answer": "no"}, "unknown answer 'no': known are permission_denied, failure"),
        ({"fault": "stall", "operation": "kex", "user": "acme"}, "nobody has said their name at kex"),
        ({"fault": "stall", "operation": "login,open", "path": "/out/*"}, "there is no path at login"),
        ({"fault": "trickle", "bytes_per_second": 0}, "bytes_per_second is 0: write 1 or more"),
        ({"fault": "short_read", "at_most": 0}, "at_most is 0: write 1 or more"),
        ({"fault": "reads_in_flight", "at_most": 0}, "at_most is 0: write 1 or more"),
        ({"fault": "slow_list", "entries": 0}, "entries is 0: write 1 or more"),
        ({"fault": "limits", "max_packet": 100}, "max_packet is 100: write 2048 or more"),
    ],
)
def test_a_misspelt_fault_is_refused(document: object, complaint: str) -> None:
    """What cannot be a fault is refused with what was found and what would do."""
    with pytest.raises(ValueError, match=complaint):
        parse_fault(document)


async def test_the_command_line_serves_and_its_faults_are_set_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Started as a program it says where it listens, obeys its control socket, and ends cleanly when told to."""
    config, socket = tmp_path / "users.yaml", tmp_path / "control"
    config.write_text(
        "users: {acme: {password: secret, folders: [out]}}\nfaults: [{fault: refuse, operation: remove}]\n"
    )
    command = [sys.executable, "-m", "sftp_test_server", "--root", str(tmp_path), "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, "--json", "--control", str(socket), stdout=PIPE)
    try:
        assert process.stdout is not None
        where = json.loads(await process.stdout.readline())
        (tmp_path / "acme/out/a.edi").touch()
        async with connect(where["known_hosts"], "acme", password="secret") as connection:
            sftp = await connection.start_sftp_client()
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.remove("/out/a.edi")
            assert control([str(socket), "set", "refuse", "operation=rename", "path=*", "times=1"]) == 0
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.rename("/out/a.edi", "/out/z.edi")
            assert [fault["fired"] for fault in send_command(socket, {"list": True})] == [1]
            assert control([str(socket), "add", "disk_full", "after_bytes=5"]) == 0
            assert len(capsys.readouterr().out.splitlines()) == 3
            assert control([str(socket), "clear", "disk_full"]) == 0
            assert [fault["fault"] for fault in send_command(socket, {"list": True})] == ["refuse"]
            assert control([str(socket), "clear"]) == 0
            await sftp.remove("/out/a.edi")
        assert control([str(socket), "set", "refuse", "operation=fly"]) == 1
        assert "unknown operation fly" in capsys.readouterr().err
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert not socket.exists()


def test_the_commands_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that cannot be meant is refused with what would do; one that nobody hears says how to start one."""
    socket = tmp_path / "control"
    assert control([str(socket), "list"]) == 1
    assert f"no server listens there: start one with --control {socket}" in capsys.readouterr().err
    assert control([str(socket), "add", "refuse", "rename"]) == 1
    assert "'rename' is no option: expected NAME=VALUE" in capsys.readouterr().err
    for arguments, complaint in (
        (["set"], "set takes a fault: refuse, delay"),
        (["list", "drop"], "list takes no fault"),
        (["clear", "drop", "times=1"], "clear takes a fault without options"),
    ):
        with pytest.raises(SystemExit):
            control([str(socket), *arguments])
        assert complaint in capsys.readouterr().err


def test_the_help_tells_of_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """The command line's help names each fault, what it does and its own options."""
    with pytest.raises(SystemExit):
        control(["--help"])
    shown = capsys.readouterr().out
    assert [name for name in KINDS if f"\n  {name}" not in shown] == []
    assert "drop operation=read,write after_bytes=0" in shown
    assert "trickle operation=read,write bytes_per_second=..." in shown


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("users: [acme]", "expected `users`, a mapping"),
        ("users: {acme: {pasword: secret}}", "expected a mapping with some of password, public_keys, home, folders"),
        ("users: {acme: {password: x, folders: out}}", "user 'acme': folders is 'out'; expected a list"),
        ("{", "users.yaml"),
        ("users: {}", "nobody could log in: give --user"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_reason(tmp_path: Path, config: str, complaint: str) -> None:
    """The program does not start from a configuration it does not understand, and says what it expected."""
    file = tmp_path / "users.yaml"
    file.write_text(config)
    command = [sys.executable, "-m", "sftp_test_server", "--root", str(tmp_path), "--config", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert complaint in ended.stderr
