"""Field types of all that make requests."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from edi_gateway.quantities import Duration

_NONE: Final = timedelta(0)


def placeless(url: str) -> str:
    """A URL as it may be configured: http or https, with a host, and without a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"found {url!r}, expected a URL such as https://api.carrier.example/track")
    if parts.username or parts.password:
        raise ValueError("the URL holds a user or password, expected those below auth")
    if "{" in parts.netloc:
        raise ValueError(f"found {url!r}, expected a host that is the same for every number")
    return url


def _authorities(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    try:
        ssl.create_default_context(cafile=folder / path)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{folder / path} holds no certificates (PEM): {error.strerror or error}") from None
    return folder / path


Authorities = Annotated[Path, AfterValidator(_authorities)]
"""A file with certificates, seen from the folder of the configuration."""

Url = Annotated[str, AfterValidator(placeless)]
Seconds = Annotated[Duration, Field(gt=_NONE)]


class Section(BaseModel):
    """Base of the parts: immutable, and a stranger among the keys is an error, which shows no value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
