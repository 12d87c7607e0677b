"""Field types that several configuration files share; each refuses with what was found and what is expected."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edi_gateway.formats.party import parse_party
from edi_gateway.located import did_you_mean


class Section(BaseModel):
    """Base of every configuration model: immutable, and a stranger among its keys is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def as_list(value: object) -> object:
    """One value where a list may stand is a list of one."""
    return value if value is None or isinstance(value, list | tuple) else [value]


def _zone(name: str) -> str:
    if not _is_zone(name):
        raise ValueError(f"found {name!r}, expected an IANA time zone{did_you_mean(name, available_timezones())}")
    return name


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no key at all, or the name of a folder
        return False
    return True


def _party(text: str) -> str:
    parse_party(text)
    return text


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What the files, the tables and the log call something: lower case letters, digits, ``-`` and ``_``."""

OneOrMore = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(as_list)]
"""One text or a list of them."""

Zone = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone, such as Europe/Berlin."""

PartyText = Annotated[str, AfterValidator(_party)]
"""A trading partner of an interchange as ``ID[:QUALIFIER[:ROUTING]]`` (UNB S002 and S003), as written."""
