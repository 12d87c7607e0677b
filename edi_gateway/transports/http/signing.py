"""Signing what we send, as Standard Webhooks has it: id, time and body, by each key that holds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from edi_gateway.secrets import Secret
from edi_gateway.transports.http.signatures import PREFIX, digest

_SHORTEST: Final = 24  # bytes


def key_of(secret: SecretStr) -> bytes:
    """The key: what whsec_ and base64 stand for, or the bytes of any other text. Raises ValueError for a short one."""
    text = secret.get_secret_value()
    if not text.startswith(PREFIX):
        key = text.encode()
    else:
        written = text.removeprefix(PREFIX)
        try:
            key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("the secret begins with whsec_, but what follows is no base64") from None
    if len(key) < _SHORTEST:
        raise ValueError(f"the secret has {len(key)} bytes, expected at least {_SHORTEST}")
    return key


def _has_key(secret: SecretStr) -> SecretStr:
    key_of(secret)
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_has_key)]
"""A reference to whsec_ and base64, or to any text of at least 24 bytes."""


def sign(message: str, seconds: int, body: bytes, secrets: Iterable[SecretStr]) -> dict[str, str]:
    """The headers that prove who sends this: one signature for each secret."""
    before = f"{message}.{seconds}.".encode()
    signed = (base64.b64encode(digest(key_of(secret), "sha256", before, body, b"")).decode() for secret in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signed),
    }
