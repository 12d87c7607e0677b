"""``trust`` and ``check --connect`` against real servers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests import command, configured
from tests.servers import ServerUnderTest, openssh_server, own_server

ROOT = Path(__file__).parents[2]


def call(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return command.run(["--config", config, *arguments])


def configuration(
    folder: Path, server: ServerUnderTest, *, port: int = 0, path: str = "out", jump: ServerUnderTest | None = None
) -> Path:
    """One carrier whose files lie on the server, behind a jump host or not, host keys in the folder's known_hosts."""
    login = f"username: {server.username}"
    key = server.private_key and server.private_key.read_text()
    for name, value in (("private_key", key), ("password", server.password)):
        if value:
            secret = folder.parent / name
            secret.write_text(value)
            login += f', {name}: "${{file:{secret}}}"'
    source = (
        f"{{type: sftp, host: {server.host}, port: {port or server.port}, {login}, after: delete,"
        f" known_hosts: {folder}/known_hosts, path: {server.remote_root}/{path}{_through(jump, folder)}}}"
    )
    channel = f"{{source: {source}, format: {{type: edifact}}, mapping: standard/iftsta}}"
    carrier = f"carrier: speedy\nchannels: {{files: {channel}}}\n"
    off = [text.replace("  edi:\n", "  edi:\n    enabled: false\n") for text in (configured.GLOBEX, configured.INITECH)]
    return configured.write(folder, carriers__speedy=carrier, customers__globex=off[0], customers__initech=off[1])


def _through(jump: ServerUnderTest | None, folder: Path) -> str:
    if jump is None:
        return ""
    login = f"username: {jump.username}, private_key: '${{file:{jump.private_key}}}'"
    return f", jump: {{host: {jump.host}, port: {jump.port}, {login}, known_hosts: {folder}/known_hosts}}"


def steps(done: subprocess.CompletedProcess[str]) -> list[tuple[str, bool]]:
    """Each step of a check and whether it held."""
    return [(line["step"], line["ok"]) for line in map(json.loads, done.stdout.splitlines())]


def test_a_server_is_trusted_then_proved(tmp_path: Path, sftp_server: ServerUnderTest) -> None:
    """Unknown host key first; pinned after a person said yes; then every step holds and nothing stays behind."""
    config = configuration(tmp_path / "config", sftp_server)
    (config / "known_hosts").touch()
    refused = call(config, "check", "--connect", "--json")
    assert (refused.returncode, steps(refused)[-1]) == (1, ("host key", False))
    assert "edi-gateway trust" in refused.stdout
    trusted = call(config, "trust", f"{sftp_server.host}:{sftp_server.port}", "--yes")
    assert trusted.returncode == 0, trusted.stderr
    assert "SHA256:" in trusted.stdout
    proved = call(config, "check", "--connect", "--json")
    assert proved.returncode == 0, proved.stdout
    assert [name for name, ok in steps(proved) if ok] == ["DNS", "TCP", "host key", "login", "list", "clear"]
    assert list((sftp_server.root / "out").glob("*.*")) == []


def test_nobody_is_trusted_without_a_yes(tmp_path: Path, sftp_server: ServerUnderTest) -> None:
    """No answer is no."""
    config = configuration(tmp_path / "config", sftp_server)
    done = call(config, "trust", f"{sftp_server.host}:{sftp_server.port}")
    assert done.returncode == 1
    assert not (config / "known_hosts").exists()


def test_what_fails_is_said_with_what_to_do(tmp_path: Path, sftp_server: ServerUnderTest) -> None:
    """A folder that is not there, and a port nobody listens on."""
    config = configuration(tmp_path / "config", sftp_server, path="nowhere")
    (config / "known_hosts").write_text(sftp_server.known_hosts_line + "\n")
    folder = call(config, "check", "--connect", "--json")
    assert (folder.returncode, steps(folder)[-1]) == (1, ("list", False))
    assert "nowhere" in folder.stdout
    closed = call(configuration(tmp_path / "config", sftp_server, port=1), "check", "--connect", "--json")
    assert (closed.returncode, steps(closed)[-1]) == (1, ("TCP", False))
    assert "127.0.0.1:1" in closed.stdout


def test_a_server_behind_a_jump_host_is_trusted_and_proved_through_it(tmp_path: Path) -> None:
    """Both keys are pinned, each by its own trust; nothing else is needed to look behind the jump host."""
    with own_server(tmp_path / "remote") as server, openssh_server(tmp_path / "bastion") as bastion:
        config = configuration(tmp_path / "config", server, jump=bastion)
        (config / "known_hosts").touch()
        refused = call(config, "trust", f"{server.host}:{server.port}", "--yes")
        assert refused.returncode == 1
        assert f"127.0.0.1:{bastion.port}: unknown host key" in " ".join(refused.stderr.split())
        for each in (bastion, server):
            trusted = call(config, "trust", f"{each.host}:{each.port}", "--yes")
            assert trusted.returncode == 0, trusted.stderr
        assert server.known_hosts_line in (config / "known_hosts").read_text()
        proved = call(config, "check", "--connect", "--json")
        assert proved.returncode == 0, proved.stdout
        assert [name for name, ok in steps(proved) if ok][:3] == ["DNS", "TCP", "jump"]
