"""One question to a carrier's API and its answer, both bounded: in time, in size, and to the host that was meant."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx

from edi_gateway.errors import TransientError
from edi_gateway.transports.http_client.pausing import retry_after

_REDIRECTS: Final = 3


class UnansweredError(TransientError):
    """The carrier did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    content: bytes
    next_page: str = ""  # as the header Link names it

    @property
    def good(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    def retry_after(self) -> datetime | None:
        """When the carrier wants to be asked again, if it says; at most a day ahead."""
        return retry_after(self.headers.get("retry-after", ""))


async def exchange(client: httpx.AsyncClient, request: httpx.Request, whole: timedelta, most: int) -> Answer:
    """Send a request and take in its answer, within that time and of at most so many bytes.

    A redirect is followed within the same origin alone: what proves who we are is for nobody else.
    Raises UnansweredError, whose text holds neither query nor headers.
    """
    where = f"{request.method} {request.url.scheme}://{request.url.netloc.decode()}"
    try:
        async with asyncio.timeout(whole.total_seconds()):
            return await _exchange(client, request, where, most)
    except TimeoutError:
        raise UnansweredError(f"{where}: no whole answer within {whole.total_seconds():g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnansweredError(f"{where}: {_said(error)}") from error


async def _exchange(client: httpx.AsyncClient, request: httpx.Request, where: str, most: int) -> Answer:
    for _ in range(_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            following = response.next_request
            if following is None:
                return await _taken(response, where, most)
        finally:
            await response.aclose()
        if origin(following.url) != origin(request.url):
            raise UnansweredError(
                f"{where}: redirected to {following.url.host}, which is not followed: if that is right, write it as url"
            )
        request = following
    raise UnansweredError(f"{where}: redirected more than {_REDIRECTS} times")


async def _taken(response: httpx.Response, where: str, most: int) -> Answer:
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > most:
            raise UnansweredError(f"{where}: the answer is larger than {most:,} bytes (max_size)")
    headers = {name.lower(): value for name, value in response.headers.items()}
    link = response.links.get("next", {}).get("url", "")
    return Answer(response.status_code, headers, bytes(content), link)


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port


def _said(error: Exception) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}" if str(error) else kind
