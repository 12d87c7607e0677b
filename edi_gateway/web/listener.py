"""The HTTP server within the daemon: its sockets, its certificate, its beginning and its end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn
from starlette.types import ASGIApp

from edi_gateway.config.http import Http
from edi_gateway.errors import ConfigError
from edi_gateway.web.bounded import LARGEST_HEADERS, Bounds, bounded
from edi_gateway.web.certificate import load_certificate, tls_context

_BACKLOG: Final = 2048  # connections the system holds until they are looked at


class Place(NamedTuple):
    """Where and how to listen; files are seen from the folder."""

    options: Http
    folder: Path


class Listener:
    """Listens from the moment it is made. Raises ConfigError where that cannot be."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        options, folder = self._place = place
        self._context = tls_context(options.tls, folder) if options.tls else None
        self._socket = _listening(options, folder)
        seconds = options.header_timeout.total_seconds()
        config = uvicorn.Config(
            app,
            http=bounded(Bounds(options.max_connections, options.max_per_address, seconds, options.trusted_proxies)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=max(1, round(seconds)),
            h11_max_incomplete_event_size=LARGEST_HEADERS,
        )
        config.load()
        config.ssl = self._context
        self._server = _Server(config)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"{'https' if self._context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    async def serve(self) -> None:
        """Answer requests until told to stop, and then those that have begun."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Take no more requests; `serve` returns when those there are have been answered."""
        self._server.should_exit = True

    def renew(self) -> None:
        """Read the certificate anew, for connections from now on. Raises ConfigError."""
        options, folder = self._place
        if self._context and options.tls:
            load_certificate(self._context, options.tls, folder)


class _Server(uvicorn.Server):
    """Leaves the signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(options: Http, folder: Path) -> socket.socket:
    host, port = options.host_and_port
    try:
        family, kind, _, _, at = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # The protocol is named, because asyncio sends small answers at once only where it is.
        listening = socket.socket(family, kind, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.bind(at)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        found = (
            f"{folder / 'gateway.yaml'}: http.address: cannot listen on {options.address}: {error.strerror or error}"
        )
        raise ConfigError(f"{found}; is it another program's, or not this machine's?") from error
    return listening
