"""A carrier's tracking API on a loopback port: it answers as told, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def number(self) -> str:
        """The last part of the path."""
        return unquote(self.path.rsplit("/", 1)[1])


@dataclass(frozen=True)
class Reply:
    """One answer; ``hang`` says nothing at all until the server ends, ``drip`` a byte at a time."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drip: float = 0.0


def events(*numbers: str, code: str = "TRANSIT", at: str = "2026-03-01T08:00:00Z") -> Reply:
    """An answer with one event for each number."""
    told = [{"number": number, "code": code, "time": at} for number in numbers]
    return Reply(body=json.dumps({"events": told}).encode(), headers={"Content-Type": "application/json"})


class CarrierApi:
    """The server; ``answer`` is what it does, and may be changed while it runs."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answer: Callable[[Asked], Reply] = lambda asked: events(asked.number)
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def numbers(self) -> list[str]:
        """The numbers asked for, one a request, in order."""
        return [asked.number for asked in self.asked]

    @contextmanager
    def running(self) -> Iterator[CarrierApi]:
        """While the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A client that went away is part of the tests."""


def _handler(api: CarrierApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query))
            asked = Asked(self.command, parts.path, query, headers, body, time.monotonic())
            api.asked.append(asked)
            self._say(api.answer(asked))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815  as http.server calls them

        def _say(self, reply: Reply) -> None:
            if reply.hang:
                api.ended.wait(60)
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if not reply.drip:
                self.wfile.write(reply.body)
                return
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                if api.ended.wait(reply.drip):
                    return

        def log_message(self, *_: Any) -> None:
            """Tests look at what was asked instead."""

    return Handler
