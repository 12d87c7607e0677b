"""A delaying TCP proxy: every byte comes out as late as told, in both directions, and none is held up by another.

`python -m sftp_test_server.proxy --listen 127.0.0.1:0 --to HOST:PORT --delay 25ms` makes any server one that is 50 ms
away. It is a delay line, not a stop-and-wait: as much as is sent arrives, only later.
"""

import argparse
import asyncio
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager

_IN_FLIGHT = 64 * 1024 * 1024  # bytes per direction; beyond that the sender has to wait, as for a full window
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@contextmanager
def delaying_proxy(host: str, port: int, delay: float) -> Generator[int]:
    """Yield the port on 127.0.0.1 of a proxy to `host` and `port` that delays by so many seconds each way.

    It is a process of its own, so that it takes no time from whatever is measured. Raises OSError when it cannot start.
    """
    command = [sys.executable, "-m", "sftp_test_server.proxy", "--listen", "127.0.0.1:0"]
    command += ["--to", f"{host}:{port}", "--delay", f"{delay * 1e6:.0f}us"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            announced = re.search(r" port (\d+) ", process.stdout.readline())
            if announced is None:
                raise OSError(f"the proxy to {host}:{port} did not start")
            yield int(announced[1])
        finally:
            process.terminate()


class _End(asyncio.Protocol):
    """One end of a proxied connection: what it receives goes down its line to the other end."""

    transport: asyncio.Transport
    other: "_End"

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._line: deque[tuple[float, bytes]] = deque()  # when due, and the bytes; b"" for their end
        self._in_flight = 0
        self._jammed = False
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()  # until there is another end

    def join(self, other: "_End") -> None:
        """Begin to pass bytes to the other end."""
        self.other = other
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        due = self._loop.time() + self._delay
        self._line.append((due, data))
        self._in_flight += len(data)
        if len(self._line) == 1:
            self._loop.call_at(due, self._deliver)
        self._hold_or_resume()

    def eof_received(self) -> bool:
        self.data_received(b"")
        return True  # the other direction stays open

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:  # a reset, which overtakes nothing
            self._loop.call_later(self._delay, self.other.transport.abort)

    def pause_writing(self) -> None:
        self.other.set_jammed(jammed=True)

    def resume_writing(self) -> None:
        self.other.set_jammed(jammed=False)

    def set_jammed(self, *, jammed: bool) -> None:
        """Note whether the other end takes no more for now."""
        self._jammed = jammed
        self._hold_or_resume()

    def _deliver(self) -> None:
        while self._line and self._line[0][0] <= self._loop.time():
            _, data = self._line.popleft()
            self._in_flight -= len(data)
            if data:
                self.other.transport.write(data)
            else:
                self._end()
        if self._line:
            self._loop.call_at(self._line[0][0], self._deliver)
        self._hold_or_resume()

    def _end(self) -> None:
        """Pass the end of one direction on, and let go of the connection when both have ended."""
        self._ended = True
        if not self.other._ended:  # noqa: SLF001 - another of its own kind
            self.other.transport.write_eof()
            return
        for end in (self, self.other):
            end.transport.close()

    def _hold_or_resume(self) -> None:
        if self.transport.is_closing():
            return
        if self._jammed or self._in_flight > _IN_FLIGHT:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()


async def serve(listen: tuple[str, int], to: tuple[str, int], delay: float) -> asyncio.Server:
    """Listen, and pass each connection on. Raises OSError when the address cannot be listened on."""
    loop = asyncio.get_running_loop()
    calls: set[asyncio.Task[None]] = set()  # the loop itself would forget them

    async def call(near: _End) -> None:
        try:
            _, far = await loop.create_connection(lambda: _End(delay), *to)
        except OSError as error:
            print(f"{to[0]} port {to[1]}: {error}", file=sys.stderr, flush=True)
            near.transport.abort()
            return
        near.join(far)
        far.join(near)

    class Near(_End):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = asyncio.ensure_future(call(self))
            calls.add(task)
            task.add_done_callback(calls.discard)

    return await loop.create_server(lambda: Near(delay), *listen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy until SIGINT or SIGTERM; 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sftp_test_server.proxy", description="A delaying TCP proxy.")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT", help="port 0: any")
    parser.add_argument("--to", type=_address, required=True, metavar="HOST:PORT", help="where connections go")
    parser.add_argument("--delay", type=_seconds, required=True, help="each way: 25ms, 0.5s, 100us")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except OSError as error:
        print(f"the proxy cannot start: {error}", file=sys.stderr)
        return 2
    return 0


async def _run(options: argparse.Namespace) -> None:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    server = await serve(options.listen, options.to, options.delay)
    host, port = server.sockets[0].getsockname()[:2]
    to_host, to_port = options.to
    print(f"proxy on {host} port {port} to {to_host} port {to_port}, {options.delay:g} s later each way", flush=True)
    await asked.wait()
    server.close()


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT, such as 127.0.0.1:2222")
    return host.strip("[]"), int(port)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number and a unit, such as 25ms, 0.5s or 100us")
    return float(match[1]) * _UNITS[match[2]]


if __name__ == "__main__":
    sys.exit(main())
