"""A carrier's webhook: each request brings a document, which is kept as it came before anybody reads it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr

from edi_gateway.errors import RequestRefusedError
from edi_gateway.model import utc_now
from edi_gateway.plugins import Accept, Answer, Plugin, Request, Step
from edi_gateway.quantities import Size
from edi_gateway.restraint import Bucket
from edi_gateway.transports.http.authentication import AnyMethod, authenticate, relies_on_proxy
from edi_gateway.transports.http.handshake import Handshake
from edi_gateway.transports.http.options import HeaderName, Rate

_CODINGS: Final = ("", "identity", "gzip")  # gzip is kept as it came, and unpacked like any packed file
_LONGEST_NAME: Final = 200


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, dict) else value


class Webhook(Plugin):
    """Documents a carrier sends by POST to /inbound/CARRIER/CHANNEL."""

    # An error about any key would show the whole of the input otherwise, secrets included.
    model_config = ConfigDict(hide_input_in_errors=True)

    auth: Annotated[
        Literal["none"] | Annotated[tuple[AnyMethod, ...], Field(min_length=1)], BeforeValidator(_as_list)
    ] = Field(description="how the carrier proves who it is: a type and its options, or a list of which one must hold")
    max_size: Size = Field(10_000_000, ge=1, description="a larger body is refused (413)")
    rate: Rate = Field(Rate(per_second=500, burst=2000), description="more requests than this are refused (429)")
    name_header: HeaderName | None = Field(
        None, description="header with the document's name, such as X-Message-Id; default: a name is made up"
    )
    handshake: Handshake | None = Field(None, description="what to answer by GET, before the carrier sends anything")

    _bucket: Bucket = PrivateAttr()

    def model_post_init(self, _context: Any, /) -> None:
        """The bucket is full."""
        self._bucket = Bucket(self.rate.burst, self.rate.per_second)

    @property
    def relies_on_proxy(self) -> bool:
        """Whether a header counts that only a trusted proxy may set."""
        return self.auth != "none" and any(relies_on_proxy(way) for way in self.auth)

    async def answer(self, request: Request, accept: Accept) -> Answer:
        """The id of the document, once it is committed; nothing for a body without a byte."""
        if request.method != "POST":
            if self.handshake is None:
                raise RequestRefusedError(405, "GET, and no handshake is configured")
            return self.handshake.answer(request)
        ways = () if self.auth == "none" else self.auth
        await authenticate(ways, request, None)
        coding = request.headers.get("content-encoding", "").strip().lower()
        if coding not in _CODINGS:
            raise RequestRefusedError(415, f"Content-Encoding: {coding[:40]!r}, expected none or gzip")
        body = await request.read(self.max_size)
        await authenticate(ways, request, body)
        if not self._bucket.take():
            pause = max(1, math.ceil(self._bucket.wait()))
            rate = f"{self.rate.per_second:g} a second, {self.rate.burst} at once"
            raise RequestRefusedError(429, f"more requests than rate allows ({rate})", pause)
        if not body:
            return Answer(204, b"")  # a carrier that tries the address
        return Answer(200, json.dumps({"document": await accept(self._name(request, body), body)}).encode())

    async def check(self) -> AsyncIterator[Step]:
        """What is expected of a request."""
        ways = "everybody: nothing is asked" if self.auth == "none" else ", or ".join(way.type for way in self.auth)
        yield Step("webhook", True, f"bodies up to {self.max_size:,} bytes from {ways}")

    async def close(self) -> None:
        """Nothing is kept open."""

    def _name(self, request: Request, body: bytes) -> str:
        given = request.headers.get(self.name_header, "").strip() if self.name_header else ""
        if given:
            return given.encode("utf-8", "replace").decode()[:_LONGEST_NAME]
        moment = f"{utc_now():%Y%m%dT%H%M%S.%f}"[:-3]
        return f"post-{moment}Z-{hashlib.sha256(body).hexdigest()[:8]}"
