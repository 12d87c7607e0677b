"""``python -m benchmarks.track_load PORT SHIPMENTS SECONDS CLIENTS KEY``: customers that look numbers up at once.

Each asks for 200 numbers again and again, drawn from all that are stored; every answer must know them all.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from typing import Final

from benchmarks.shipments import EVENTS, number_of

_NUMBERS: Final = 200
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def _ask(port: int, key: str, shipments: int, client: int, until: float) -> list[float]:
    """Seconds each answer took."""
    chance = random.Random(f"{client} {time.time_ns()}")  # noqa: S311  no secret
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    head = f"POST /v1/track HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\ncontent-type: application/json"
    took: list[float] = []
    while (begun := time.perf_counter()) < until:
        items = [{"tracking_number": number_of(each)} for each in chance.sample(range(1, shipments + 1), _NUMBERS)]
        body = json.dumps({"items": items}).encode()
        begun = time.perf_counter()
        writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if not answer.startswith(b"HTTP/1.1 200 ") or length is None:
            raise ValueError(f"expected 200, found {answer[:80]!r}")
        said = await reader.readexactly(int(length[1]))
        took.append(time.perf_counter() - begun)
        if (found := said.count(b'"occurred_at"')) != _NUMBERS * EVENTS:
            raise ValueError(f"expected {_NUMBERS * EVENTS:,} events, found {found:,}")
    writer.close()
    return took


async def load(port: int, shipments: int, seconds: float, clients: int, key: str) -> dict[str, float]:
    """Milliseconds within which 50, 95 and 99 of 100 answers came, and how many came in a second."""
    until = time.perf_counter() + seconds
    each = await asyncio.gather(*(_ask(port, key, shipments, client, until) for client in range(clients)))
    took = sorted(one for all_of_it in each for one in all_of_it)
    shares = {f"p{share}": took[len(took) * share // 100] * 1000 for share in (50, 95, 99)}
    return {**shares, "per_second": len(took) / seconds, "count": len(took)}


if __name__ == "__main__":
    port_, shipments_, seconds_, clients_, key_ = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port_), int(shipments_), float(seconds_), int(clients_), key_))))
