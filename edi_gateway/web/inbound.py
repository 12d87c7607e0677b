"""``/inbound/CARRIER/CHANNEL``: requests of carriers, given to the channel's receiver, answered after the commit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edi_gateway.config.http import Http
from edi_gateway.errors import RequestRefusedError, StorageError
from edi_gateway.pipeline.partners import Channel
from edi_gateway.pipeline.receiving import Receiving
from edi_gateway.plugins import Answer, Receiver, Request
from edi_gateway.web.body import Body, Room
from edi_gateway.web.origin import neighbourhood, origin
from edi_gateway.web.refusals import Refusals

log = structlog.get_logger()
_COME_AGAIN: Final = 10  # seconds
_SOON: Final = 1


class Inbound:
    """The ASGI application behind the route. ``find`` knows the channels as they are configured now."""

    def __init__(
        self, find: Callable[[str], Channel | None], receiving: Receiving, refusals: Refusals, options: Http
    ) -> None:
        self._find = find
        self._receiving = receiving
        self._refusals = refusals
        self._trusted = options.trusted_proxies
        self._body_seconds = options.body_timeout.total_seconds()
        self._room = Room(options.max_waiting)
        self._most = options.max_per_address
        self._under_way: Counter[object] = Counter()  # requests that came through a proxy, by who asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _headers(scope["headers"])
        body = Body(receive, headers.get("content-length"), self._room, self._body_seconds)
        try:
            response = await self._answer(scope, headers, body)
        except ClientDisconnect:
            return
        finally:
            body.release()
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, headers: Mapping[str, str], body: Body) -> Response:
        parameters = scope["path_params"]
        name = f"{parameters['carrier']}/{parameters['channel']}"
        request = self._request(scope, headers, body)
        channel = self._find(name)
        try:
            with self._counted(request):
                answer = await self._asked(channel, request)
        except RequestRefusedError as error:
            self._refusals.refused(name if channel else "", error, str(request.client))
            return await _refusal(error.status, error.retry_after, headers, body)
        except StorageError as error:
            log.warning("request.not_taken", channel=name, why=str(error))
            return await _refusal(503, _COME_AGAIN, headers, body)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("request.defect", channel=name)
            return await _refusal(500, None, headers, body)
        if request.method == "POST":
            self._refusals.accepted(name)
        return Response(answer.content, answer.status, media_type=answer.content_type if answer.content else None)

    async def _asked(self, channel: Channel | None, request: Request) -> Answer:
        if channel is None or not isinstance(channel.source, Receiver):
            # As a channel answers that somebody asks who may not: nobody learns which ones there are.
            raise RequestRefusedError(401 if request.method == "POST" else 405, "there is no such channel")
        return await channel.source.answer(request, partial(self._receiving.accept, channel))

    @contextmanager
    def _counted(self, request: Request) -> Iterator[None]:
        """Raises RequestRefusedError for one too many at a time; whoever connects directly is counted there."""
        if not request.proxied:
            yield
            return
        client = neighbourhood(request.client)
        if self._under_way[client] >= self._most:
            found = f"more than {self._most} requests at a time from one address (http: max_per_address)"
            raise RequestRefusedError(429, found, _SOON)
        self._under_way[client] += 1
        try:
            yield
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]

    def _request(self, scope: Scope, headers: Mapping[str, str], body: Body) -> Request:
        peer = scope["client"][0] if scope["client"] else ""
        client, proxied = origin(peer, headers.get("x-forwarded-for", ""), self._trusted)
        query = scope["query_string"].decode("latin-1")
        return Request(
            method="GET" if scope["method"] == "HEAD" else scope["method"],
            path=scope["path_params"].get("rest", ""),
            target=scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            client=client,
            proxied=proxied,
            read=body.read,
        )


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in raw:
        key, said = name.decode("latin-1"), value.decode("utf-8", "surrogateescape")
        found[key] = f"{found[key]}, {said}" if key in found else said
    return found


async def _refusal(status: int, retry_after: int | None, headers: Mapping[str, str], body: Body) -> Response:
    """The answer, once the client is likely to listen to it; it says no more than the status does."""
    said = json.dumps({"error": HTTPStatus(status).phrase.lower()})
    more: dict[str, str] = {}
    if retry_after is not None:
        more["retry-after"] = str(retry_after)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        more["allow"] = "POST"
    if status == HTTPStatus.UNAUTHORIZED:  # whatever the channel asks for: some clients send a password only then
        more["www-authenticate"] = 'Basic realm="inbound"'
    if "expect" in headers or not await body.drain():
        more["connection"] = "close"  # the rest of its body would be taken for the next request
    return Response(said, status, more, "application/json")
