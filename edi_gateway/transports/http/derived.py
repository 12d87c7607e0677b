"""Signing secrets that are kept nowhere: each is worked out from one secret, and none tells anything of another."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from pydantic import SecretStr

from edi_gateway.secrets import KeptSecret
from edi_gateway.transports.http.signatures import PREFIX

_PURPOSE: Final = "edi-gateway webhook endpoint"


def derived_secret(master: SecretStr, endpoint: str, rotation: int) -> KeptSecret:
    """The secret of an endpoint after so many rotations, as Standard Webhooks writes one."""
    said = "\0".join((_PURPOSE, endpoint, str(rotation))).encode()
    key = hmac.new(master.get_secret_value().encode(), said, hashlib.sha256).digest()
    return KeptSecret(PREFIX + base64.b64encode(key).decode(), "derived")
