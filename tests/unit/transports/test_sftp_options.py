"""The YAML keys of sFTP sources and sinks: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from edi_gateway.restraint import Circuit
from edi_gateway.transports.sftp.algorithms import LEGACY, host_key_algorithms, offered
from edi_gateway.transports.sftp.login import Login
from edi_gateway.transports.sftp.sink import SftpSink
from edi_gateway.transports.sftp.source import Move, SftpSource

HOST_KEY = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
GOOD = {"host": "sftp.speedy.example", "username": "hub", "password": "${env:SPEEDY}", "host_key": HOST_KEY}


@pytest.fixture(autouse=True)
def speedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDY", "hunter2")
    monkeypatch.setenv("NO_KEY", "hunter2")


def test_few_keys_are_needed() -> None:
    """Host, user, one way to log in and one way to know the server are enough; a single value may stand for a list."""
    source = SftpSource.model_validate({**GOOD, "pattern": "*.edi", "after": {"move": "done"}})
    assert source.name == "hub@sftp.speedy.example:22"
    assert source.host_key == (HOST_KEY,)
    assert source.pattern == ("*.edi",)
    assert source.after == Move(move="done")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host_key": ()}, "neither host_key nor known_hosts is given.*run edi-gateway trust sftp.speedy.example"),
        ({"host_key": "SHA256:abc"}, "expected a public key such as ssh-ed25519 AAAA"),
        ({"password": None}, "expected a password, a private_key or agent: true"),
        ({"private_key": "${env:NO_KEY}"}, "private_key does not hold a private key"),
        ({"password": "hunter2"}, "never the secret itself"),
        ({"legacy_algorithms": ["ssh-rsaa"]}, "did you mean 'ssh-rsa'"),
        ({"connect_timeout": "0s"}, "greater than"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"hots": "x"}, "Extra inputs are not permitted"),
        ({"certificate": "/no/such-cert.pub"}, "there is no file /no/such-cert.pub"),
        ({"certificate": __file__}, "certificate certifies a private_key"),
        ({"circuit": {"pause": "20m"}}, r"longest \(0:10:00\) is less than pause \(0:20:00\)"),
        ({"jump": {"host": "jump", "username": "hub", "password": "${env:SPEEDY}"}}, "edi-gateway trust jump:22"),
        ({"jump": {**GOOD, "host_key": HOST_KEY, "path": "/"}}, "Extra inputs are not permitted"),
        ({"host": None}, "valid string"),
    ],
)
@pytest.mark.parametrize("plugin", [SftpSource, SftpSink])
def test_what_cannot_work_is_refused_without_showing_a_secret(
    plugin: type[SftpSource | SftpSink], change: dict[str, Any], said: str
) -> None:
    """Every mistake has its words, and none of them holds the password."""
    with pytest.raises(ValidationError, match=said) as caught:
        plugin.model_validate({**GOOD, **change})
    assert "hunter2" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"after": "archive"}, "'delete' or 'leave'"),
        ({"after": {"move": ""}}, "at least 1 character"),
        ({"done_file": "done"}, r"such as \{name\}\.done"),
        ({"done_file": "{name}"}, r"such as \{name\}\.done"),
        ({"done_file": "../{name}.done"}, r"such as \{name\}\.done"),
        ({"in_flight": 0}, "greater than or equal to 1"),
        ({"max_size": "lots"}, "such as 10MB"),
        ({"pattern": []}, "at least 1 item"),
        ({"path": "/out", "after": {"move": "/out"}}, r"leads to path itself"),
        ({"path": "/out/", "after": {"move": "../out"}}, r"leads to path itself"),
        ({"after": {"move": "./"}}, r"leads to path itself"),
    ],
)
def test_what_a_source_cannot_do_is_refused(change: dict[str, Any], said: str) -> None:
    """A source says what it expects in the place of a wrong value."""
    with pytest.raises(ValidationError, match=said):
        SftpSource.model_validate({**GOOD, **change})


@pytest.mark.parametrize("temporary", ["{name}", "upload.tmp"])
def test_a_temporary_name_differs_from_the_final_one_and_from_all_others(temporary: str) -> None:
    """Two documents must not be written to one temporary file."""
    with pytest.raises(ValidationError, match=r"such as \{name\}\.tmp"):
        SftpSink.model_validate({**GOOD, "temporary": temporary})


def test_secrets_of_a_jump_host_are_hidden_as_well() -> None:
    """Neither the text of a source nor its dump shows how it logs in on the way."""
    source = SftpSource.model_validate({**GOOD, "jump": {**GOOD, "host": "jump"}})
    assert "hunter2" not in f"{source!r} {source} {source.model_dump()} {source.model_dump_json()}"


def test_the_fastest_cipher_is_asked_for_first() -> None:
    """AES in GCM has the hardware's help; nothing is offered twice."""
    ciphers = offered(())["encryption_algs"]
    assert ciphers[:2] == ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
    assert len(ciphers) == len(set(ciphers))


def test_an_outdated_algorithm_is_offered_last_and_only_when_named() -> None:
    """Naming one of them brings that one and no other."""
    assert not {name for names in offered(()).values() for name in names} & set(LEGACY)
    assert offered(["ssh-rsa", "aes128-cbc"]) == {
        "kex_algs": offered(())["kex_algs"],
        "encryption_algs": [*offered(())["encryption_algs"], "aes128-cbc"],
        "mac_algs": offered(())["mac_algs"],
        "signature_algs": [*offered(())["signature_algs"], "ssh-rsa"],
    }


def test_the_pinned_kind_of_host_key_is_asked_for_first() -> None:
    """A server with several keys shows the one that is pinned; RSA is signed with SHA-1 only where that is allowed."""
    rsa = asyncssh.generate_private_key("ssh-rsa")
    usual = host_key_algorithms([rsa], certified=False, legacy=())
    assert usual[:2] == ["rsa-sha2-256", "rsa-sha2-512"]
    assert "ssh-ed25519" in usual
    assert "ssh-rsa" not in usual
    assert "ssh-rsa" in host_key_algorithms([rsa], certified=False, legacy=["ssh-rsa"])
    assert not [name for name in usual if "-cert-" in name]
    assert "-cert-" in host_key_algorithms([rsa], certified=True, legacy=())[0]


@pytest.mark.parametrize("plugin", [SftpSource, SftpSink])
def test_every_option_says_what_it_is_for(plugin: type[SftpSource | SftpSink]) -> None:
    """The descriptions are what configuration errors and the editors' schema show."""
    models = (plugin, Login, Circuit, Move)
    assert [name for model in models for name, field in model.model_fields.items() if not field.description] == []
