"""Who may bring documents: several ways, of which one has to hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final, Literal, Protocol

from pydantic import Field

from edi_gateway.errors import RequestRefusedError
from edi_gateway.plugins import Request
from edi_gateway.transports.http.credentials import ApiKey, Basic, Bearer, UrlToken
from edi_gateway.transports.http.options import Method
from edi_gateway.transports.http.origin import Ip, ProxyHeader
from edi_gateway.transports.http.signatures import Hmac, StandardWebhooks

_LARGE: Final = 100_000  # bytes whose hash would keep the event loop waiting


class Way(Protocol):
    """One way to authenticate."""

    def objection(self, request: Request, body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does; ``body`` is None as long as it is not read."""


class All(Method):
    """Several ways that must all hold, such as an address and a token."""

    type: Literal["all"]
    of: tuple[AnyMethod, ...] = Field(min_length=1, description="the ways, each with its type")

    def objection(self, request: Request, body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        found = [way.objection(request, body) for way in self.of]
        return next(filter(None, found), "")


AnyMethod = Annotated[
    Hmac | StandardWebhooks | Basic | Bearer | ApiKey | UrlToken | Ip | ProxyHeader | All, Field(discriminator="type")
]
All.model_rebuild()


def relies_on_proxy(way: Method) -> bool:
    """Whether a trusted proxy has to say something."""
    return isinstance(way, ProxyHeader) or (isinstance(way, All) and any(map(relies_on_proxy, way.of)))


async def authenticate(ways: Sequence[Way], request: Request, body: bytes | None) -> None:
    """Let it pass when one of the ways holds; none at all lets everybody pass.

    Without the body only what cannot hold in any case is refused: nobody's body is read for nothing.
    Raises RequestRefusedError.
    """
    if len(body or b"") > _LARGE:
        found = await asyncio.to_thread(_objections, ways, request, body)
    else:
        found = _objections(ways, request, body)
    if all(found) and found:
        raise RequestRefusedError(401, "; ".join(dict.fromkeys(found)))


def _objections(ways: Sequence[Way], request: Request, body: bytes | None) -> list[str]:
    return [way.objection(request, body) for way in ways]  # all of them, whichever holds
