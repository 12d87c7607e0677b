"""The database's URL: where it points, and the password in it that nobody gets to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BeforeValidator, SecretStr, TypeAdapter, ValidationError, WithJsonSchema

from edi_gateway.secrets import Secret

_REFERENCE: Final = re.compile(r"\$\{[^}]*\}")
_SECRET: Final[TypeAdapter[SecretStr]] = TypeAdapter(Secret)
_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = re.compile(r"(postgres|postgresql|postgresql\+psycopg)://(?=.)")
_LITERAL_PASSWORD: Final = re.compile(r"://[^/@:]*:[^@]+@|[?&]password=[^&]")

DEFAULT_DATABASE: Final = SecretStr(f"{_SQLITE}edi-gateway.db")


def _resolve(reference: str) -> str:
    try:
        return _SECRET.validate_python(reference).get_secret_value()
    except ValidationError as error:
        raise ValueError(error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")) from None


def _database(value: object) -> object:
    """Resolve the references of a URL; what stands for a part of it is quoted as a URL wants it."""
    if not isinstance(value, str):
        return value
    if _LITERAL_PASSWORD.search(_REFERENCE.sub("", value)):
        raise ValueError("a password in plain text, expected a reference such as ${env:NAME} in its place")
    if _REFERENCE.fullmatch(value):
        url = _resolve(value)
    else:
        url = _REFERENCE.sub(lambda found: quote(_resolve(found[0]), safe=""), value)
    if url.removeprefix(_SQLITE) in {url, ""} and not _POSTGRESQL.match(url):
        raise ValueError("expected sqlite:///FILE or postgresql://USER:${env:PASSWORD}@HOST/NAME")
    return _POSTGRESQL.sub("postgresql+psycopg://", url)


DatabaseUrl = Annotated[
    SecretStr, BeforeValidator(_database), WithJsonSchema({"type": "string", "examples": ["sqlite:///edi-gateway.db"]})
]
"""An SQLAlchemy URL; the references in it are resolved."""


def located_in(data: Path, url: SecretStr) -> SecretStr:
    """The URL with the file of an embedded database seen from the data folder."""
    text = url.get_secret_value()
    if not text.startswith(_SQLITE):
        return url
    return SecretStr(f"{_SQLITE}{data / text.removeprefix(_SQLITE)}")
