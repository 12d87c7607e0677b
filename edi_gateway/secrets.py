"""Secrets by reference only: configuration names where a secret is kept and never holds it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, SecretStr, WrapValidator

_REFERENCE: Final = re.compile(r"\$\{(env|file|credential):([^{}]+)\}")
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"  # where systemd puts what LoadCredential= names


class KeptSecret(SecretStr):
    """A secret that knows where it is kept, for people who have to find it."""

    def __init__(self, secret: str, reference: str) -> None:
        super().__init__(secret)
        self.reference = reference


def reference(secret: SecretStr) -> str:
    """Where a secret is kept, as the configuration writes it."""
    return secret.reference if isinstance(secret, KeptSecret) else ""


def _cover(value: object) -> SecretStr:
    """Hide the value before anything can refuse it: an error shows the input of the step that failed."""
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def _resolve(reference: SecretStr, _handler: object) -> SecretStr:
    if isinstance(reference, KeptSecret):
        return reference
    found = _REFERENCE.fullmatch(reference.get_secret_value())
    if found is None:
        raise ValueError("write a reference such as ${env:NAME}, never the secret itself")
    kept, name = found.groups()
    kept_text = {"env": _variable, "file": _file, "credential": _credential}[kept](name)
    secret = re.sub(r"\r?\n\Z", "", kept_text)
    if not secret:
        raise ValueError(f"{found[0]} is empty, expected a secret")
    return KeptSecret(secret, found[0])


def _resolve_reference(text: SecretStr, handler: object) -> SecretStr:
    return _resolve(text, handler) if text.get_secret_value().startswith("${") else text


def _variable(name: str) -> str:
    if name not in os.environ:
        raise ValueError(f"environment variable {name} is not set: set it for the account that runs the gateway")
    return os.environ[name]


def _file(name: str) -> str:
    path = Path(name)
    if not path.is_absolute():
        raise ValueError(f"{name} is a relative path, expected one that begins with /")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds bytes that are no text, expected UTF-8") from None


def _credential(name: str) -> str:
    if "/" in name:
        raise ValueError(f"{name} is no name of a credential, expected one without a slash")
    if _CREDENTIALS not in os.environ:
        raise ValueError(f"{_CREDENTIALS} is not set: run under systemd with LoadCredential={name}:FILE")
    return _file(str(Path(os.environ[_CREDENTIALS], name)))


Secret = Annotated[SecretStr, WrapValidator(_resolve), BeforeValidator(_cover)]
"""``${env:NAME}``, ``${file:/path}`` or ``${credential:NAME}``, resolved; less one newline at its end.

The errors of this type never show what was written. A model with such a field sets ``hide_input_in_errors``, because
an error about another of its keys would show the whole of it.
"""

SecretOrText = Annotated[SecretStr, WrapValidator(_resolve_reference), BeforeValidator(_cover)]
"""A reference as `Secret` has it, or a plain text; covered in either case."""
