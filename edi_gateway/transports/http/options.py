"""Field types that authentication methods share."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from edi_gateway.secrets import Secret


class Method(BaseModel):
    """Base of every way to authenticate. No error shows what its secrets are."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Rate(BaseModel):
    """How many requests a channel takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_second: float = Field(gt=0, description="requests a second in the long run")
    burst: int = Field(ge=1, description="requests that may come at once after a pause")


def one_or_more(value: object) -> object:
    """One value where a list may stand is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), AfterValidator(str.lower)]
"""A header's name (RFC 9110, section 5.1); upper and lower case are one."""

Secrets = Annotated[tuple[Secret, ...], Field(min_length=1), BeforeValidator(one_or_more)]
"""A reference to a secret, or a list of them: while one is replaced by another, both hold."""


def is_one_of(given: str, secrets: Iterable[SecretStr]) -> bool:
    """Whether it is one of them; takes as long whichever it is, and for whatever does not fit."""
    said = given.encode("utf-8", "surrogateescape")
    return any([hmac.compare_digest(said, secret.get_secret_value().encode()) for secret in secrets])  # noqa: C419  all
