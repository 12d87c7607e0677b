"""The partners that speak HTTP: a carrier that posts, one whose API is asked, and a customer that is posted to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from demo.gateway import Json
from demo.scene import ANSWERS, Post

_PATIENCE: Final = 10.0  # seconds


def post(address: str, what: Post, secret: str) -> int:
    """Post a carrier's request to the gateway's address, as the carrier would; return the status of the answer."""
    body = json.dumps(what.body).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    connection = HTTPConnection(address.removeprefix("http://"), timeout=_PATIENCE)
    try:
        headers = {"Content-Type": "application/json", "X-Velopost-Signature": signature}
        connection.request("POST", "/inbound/velopost/scans", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


class CarrierApi:
    """The tracking API of fjordpak: for its parcel it says more after a while, for any other 404."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.asked = 0

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        """Answer ``GET /v2/parcels/NUMBER``."""
        if not hmac.compare_digest(request.headers.get("X-API-Key", ""), self._key):
            return 401, b"{}"
        self.asked += 1
        number = request.path.removeprefix("/v2/parcels/")
        told = [answer for answer in ANSWERS if answer.number == number]
        if not told:
            return 404, b"{}"
        return 200, json.dumps(next(answer for answer in told if self.asked <= answer.asked).body).encode()


class Shop:
    """The web shop of umbra: takes notifications that are signed, and keeps them."""

    def __init__(self, secret: str) -> None:
        self._secret = base64.b64decode(secret.removeprefix("whsec_"))
        self.taken: list[Json] = []
        self.refused: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        """Answer ``POST /webhook/shipment``."""
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        name, made_at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        key = base64.b64encode(hmac.digest(self._secret, f"{name}.{made_at}.".encode() + body, "sha256")).decode()
        signatures = request.headers.get("webhook-signature", "").split(" ")
        if request.path != "/webhook/shipment" or f"v1,{key}" not in signatures:
            self.refused.append(f"{request.path} with signature {signatures}")
            return 401, b""
        self.taken.append(json.loads(body))
        return 204, b""


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], tuple[int, bytes]]) -> Iterator[str]:
    """Serve on a free port of the loopback address while the block lasts; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            status, body = answer(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = _answer  # noqa: N815 -- named by the standard library
        do_POST = _answer  # noqa: N815 -- as above

        def log_message(self, *_: object) -> None:
            """Say nothing: the gateway tells what happens."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
