"""``python -m benchmarks.http_load PORT PATH SECONDS CONNECTIONS [HEADER ...]``: many clients that post at once.

Each posts one body after another, all different, and prints how many were answered with 200 in a second.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from itertools import count
from pathlib import Path

_SCAN = Path(__file__).parents[1] / "mappings/ups/samples/track_alert/delivered.json"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def _post(port: int, head: bytes, scan: dict[str, object], client: int, until: float) -> list[float]:
    """Seconds each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    for number in count():
        begun = time.perf_counter()
        if begun > until:
            break
        body = json.dumps(scan | {"trackingNumber": f"1Z{client:06}{number:09}"}).encode()
        writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if not answer.startswith(b"HTTP/1.1 200 ") or length is None:
            raise ValueError(f"expected 200, found {answer[:80]!r}")
        await reader.readexactly(int(length[1]))
        took.append(time.perf_counter() - begun)
    writer.close()
    return took


async def load(port: int, path: str, seconds: float, connections: int, headers: list[str]) -> dict[str, float]:
    """Answers in a second, and the time within which 99 of 100 came, in milliseconds."""
    lines = [f"POST {path} HTTP/1.1", "host: gateway", "content-type: application/json", *headers]
    head, scan = "".join(f"{line}\r\n" for line in lines).encode(), json.loads(_SCAN.read_text(encoding="utf-8"))
    begun = time.perf_counter()
    all_took = await asyncio.gather(
        *(_post(port, head, scan, client, begun + seconds) for client in range(connections))
    )
    whole = time.perf_counter() - begun
    took = sorted(each for one in all_took for each in one)
    return {"per_second": len(took) / whole, "p99_ms": took[len(took) * 99 // 100] * 1000}


if __name__ == "__main__":
    port_, path_, seconds_, connections_, *headers_ = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port_), path_, float(seconds_), int(connections_), headers_))))
