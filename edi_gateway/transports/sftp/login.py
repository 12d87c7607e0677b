"""Which server, which account, and how each is to know the other: YAML keys that destinations and jump hosts share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

import asyncssh
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from edi_gateway.plugins import Plugin
from edi_gateway.secrets import Secret
from edi_gateway.transports.sftp.algorithms import require_legacy
from edi_gateway.transports.sftp.hostkeys import SSH_PORT, Trusted, trusted_keys


def one_or_more(value: object) -> object:
    """One text where a list may stand is a list of one."""
    return (value,) if isinstance(value, str) else value


def _host_key(line: str) -> str:
    try:
        asyncssh.import_public_key(line)
    except asyncssh.KeyImportError:
        found = "a PRIVATE key" if "PRIVATE KEY" in line else repr(line[:40])
        raise ValueError(f"found {found}, expected a public key such as ssh-ed25519 AAAA...") from None
    return line


def _seen_from_folder(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    if not (folder / path).is_file():
        hint = "; edi-gateway trust HOST:PORT makes it" if info.field_name == "known_hosts" else ""
        raise ValueError(f"there is no file {folder / path}{hint}")
    return folder / path


_File = Annotated[Path, AfterValidator(_seen_from_folder)]


class Login(Plugin):
    """A server, an account and what proves either. Nothing is taken from ``~/.ssh``."""

    # An error about any key would show the whole of the input otherwise, secrets included.
    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field(min_length=1, description="name or address of the server")
    port: int = Field(SSH_PORT, ge=1, le=65535, description="TCP port of the server")
    username: str = Field(min_length=1, description="account at the server")
    password: Secret | None = Field(None, description="reference to the account's password")
    private_key: Secret | None = Field(None, description="reference to a private key, in any of the usual formats")
    passphrase: Secret | None = Field(None, description="reference to the passphrase of the private key")
    certificate: _File | None = Field(
        None, description="file with the private key's certificate (…-cert.pub); read anew at every login"
    )
    agent: bool = Field(False, description="whether the keys of a running ssh-agent may be used")
    host_key: Annotated[tuple[Annotated[str, AfterValidator(_host_key)], ...], BeforeValidator(one_or_more)] = Field(
        (), description="the server's public key, ssh-ed25519 AAAA..., or a list of several"
    )
    known_hosts: _File | None = Field(
        None, description="file in OpenSSH's known_hosts format, seen from the configuration folder"
    )
    legacy_algorithms: tuple[Annotated[str, AfterValidator(require_legacy)], ...] = Field(
        (), description="outdated algorithms this one server needs, such as ssh-rsa"
    )

    _key: asyncssh.SSHKey | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if not (self.host_key or self.known_hosts):
            raise ValueError(
                "neither host_key nor known_hosts is given, so the server cannot be told from an impostor: "
                f"run edi-gateway trust {self.host}:{self.port} and pin the key it shows"
            )
        if not (self.password or self.private_key or self.agent):
            raise ValueError("expected a password, a private_key or agent: true to log in with")
        if self.certificate and not self.private_key:
            raise ValueError("certificate certifies a private_key, and none is given")
        self._key = _import_key(self.private_key, self.passphrase)
        return self

    @property
    def name(self) -> str:
        """``user@host:port``, for errors and logs."""
        return f"{self.username}@{self.host}:{self.port}"

    def keys(self) -> list[Any]:
        """The private key as asyncssh takes it, with its certificate. Raises OSError, asyncssh.KeyImportError."""
        if self._key is None:
            return []
        if self.certificate is None:
            return [self._key]
        return [(self._key, asyncssh.read_certificate(self.certificate))]

    def trusted(self) -> Trusted:
        """The host keys that are trusted at this moment; raises HostKeyError when known_hosts cannot be read."""
        return trusted_keys(self.host, self.port, self.host_key, self.known_hosts)

    def credentials(self) -> int:
        """A number that differs when what we log in with does."""
        secrets = (self.password, self.private_key, self.passphrase)
        return hash(tuple(secret and secret.get_secret_value() for secret in secrets))


def _import_key(private_key: SecretStr | None, passphrase: SecretStr | None) -> asyncssh.SSHKey | None:
    if private_key is None:
        return None
    try:
        return asyncssh.import_private_key(
            private_key.get_secret_value(), passphrase.get_secret_value() if passphrase else None
        )
    except asyncssh.KeyEncryptionError:
        raise ValueError("private_key cannot be decrypted: the passphrase does not fit") from None
    except asyncssh.KeyImportError as error:
        what = "is encrypted: give its passphrase" if "assphrase" in str(error) else "does not hold a private key"
        raise ValueError(f"private_key {what}") from None
