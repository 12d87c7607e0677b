"""Secrets come by reference, and nothing that goes wrong shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from edi_gateway.secrets import Secret

SECRET: TypeAdapter[SecretStr] = TypeAdapter(Secret)


def revealed(reference: str) -> str:
    return SECRET.validate_python(reference).get_secret_value()


def test_a_variable_of_the_environment_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """${env:NAME} is the value of that variable."""
    monkeypatch.setenv("SPEEDY", "hunter2")
    assert revealed("${env:SPEEDY}") == "hunter2"


@pytest.mark.parametrize(
    ("kept", "expected"),
    [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" ", " ")],
)
def test_a_file_is_resolved_less_one_newline(tmp_path: Path, kept: str, expected: str) -> None:
    """Editors end a file with a newline that is no part of the secret; all else is."""
    (tmp_path / "secret").write_bytes(kept.encode())
    assert revealed(f"${{file:{tmp_path}/secret}}") == expected


def test_a_credential_of_systemd_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """${credential:NAME} is the file of that name where systemd puts credentials."""
    (tmp_path / "speedy_key").write_text("hunter2\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert revealed("${credential:speedy_key}") == "hunter2"


@pytest.mark.parametrize(
    "literal",
    ["hunter2", "", "${env:}", "$hunter2", "env:hunter2", "x${env:HOME}", "${vault:hunter2}", 4711, ["hunter2"]],
)
def test_a_literal_is_refused_without_being_shown(literal: Any) -> None:
    """Whatever else stands there, the error tells how to write a reference and not what was written."""
    with pytest.raises(ValidationError) as caught:
        SECRET.validate_python(literal)
    said = f"{caught.value} {caught.value!r} {caught.value.errors()} {caught.value.json()}"
    assert "write a reference such as ${env:NAME}, never the secret itself" in said
    assert "hunter2" not in said
    assert "4711" not in said


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("${env:SPEEDY_NOT_SET}", "environment variable SPEEDY_NOT_SET is not set"),
        ("${env:EMPTY}", r"\$\{env:EMPTY\} is empty"),
        ("${file:/no/such/file}", "/no/such/file cannot be read: No such file or directory"),
        ("${file:secret}", "secret is a relative path"),
        ("${file:/}", "/ cannot be read: Is a directory"),
        ("${credential:speedy_key}", "CREDENTIALS_DIRECTORY is not set: .*LoadCredential=speedy_key:"),
        ("${credential:../speedy_key}", "without a slash"),
    ],
)
def test_a_reference_to_nothing_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, reference: str, said: str
) -> None:
    """The error names the variable, file or credential, and what to do."""
    monkeypatch.setenv("EMPTY", "\n")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ValidationError, match=said):
        SECRET.validate_python(reference)


def test_a_file_that_is_no_text_is_refused_without_being_shown(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are no secret we could send."""
    (tmp_path / "secret").write_bytes(b"hunter2\xff")
    with pytest.raises(ValidationError, match="no text") as caught:
        SECRET.validate_python(f"${{file:{tmp_path}/secret}}")
    assert "hunter2" not in str(caught.value)


def test_a_resolved_secret_hides_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model shows and dumps stars; only asking for the value gives it away."""

    class Account(BaseModel):
        password: Secret | None = None

    monkeypatch.setenv("SPEEDY", "hunter2")
    account = Account.model_validate({"password": "${env:SPEEDY}"})
    assert "hunter2" not in f"{account!r} {account.model_dump()} {account.model_dump_json()}"
    assert account.password is not None
    assert account.password.get_secret_value() == "hunter2"
    assert Account().password is None
