"""The API and those who mean it ill, or merely many."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from edi_gateway.store import api_keys
from tests.acceptance.gateway import wait_until
from tests.api_daemon import Daemon, daemon, share

_NUMBER = "1ZHOSTILE1"
_JSON = {"Content-Type": "application/json"}
_SLOW = "customer: {name}\napi: {{per_second: 0.01, burst: 40}}\n"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("hostile")) as running:
        share(running, "hooli", _NUMBER)
        yield running


@pytest.mark.parametrize(
    "body",
    [
        b'{"\\ud800": 1}',
        b'{"items": [{"tracking_number": "\\ud800"}]}',
        b'{"items": [{"tracking_number": "a\\u0000b"}]}',
        b'{"items": [{"tracking_number": "1", "\\u0000": 1}]}',
        b"[" * 100_000,
        b'{"items": ' + b"9" * 10_000 + b"}",
        b'{"items": [{"tracking_number": "\xff\xfe"}]}',
        b"\x00",
        b"",
    ],
)
def test_a_body_that_nobody_means_well_is_a_problem(at: Daemon, body: bytes) -> None:
    """Half characters, NUL, depth, huge numbers and what is no UTF-8: the client's mistake each time, told as one."""
    with at.client() as client:
        refused = client.post("/v1/track", content=body, headers=_JSON)
    assert refused.status_code in {400, 422}, refused.text
    assert "application/problem+json" == refused.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    ["/v1/shipments?tracking_number=%00", "/v1/shipments?carrier=%ff", "/v1/shipments/%00", "/v1/events?limit=%f0"],
)
def test_a_path_that_nobody_means_well_is_a_problem(at: Daemon, path: str) -> None:
    """NUL and what is no UTF-8 in queries and paths never reach the database."""
    with at.client() as client:
        refused = client.get(path)
    assert refused.status_code == 422, refused.text


def test_a_problem_is_short_however_much_is_wrong(at: Daemon) -> None:
    """What a client sent is not sent back to it without end."""
    body = json.dumps({f"{number:05}{'x' * 1_000}": 1 for number in range(800)})
    with at.client() as client:
        refused = client.post("/v1/track", content=body, headers=_JSON)
    assert 422 == refused.status_code
    assert len(refused.content) < 10_000


def test_every_answer_is_for_its_caller_alone(at: Daemon) -> None:
    """No cache keeps it, nobody guesses its type, and no other site's page may read it."""
    with at.client() as client:
        answers = [
            client.get("/v1/shipments", headers={"Origin": "https://evil.example"}),
            client.options(
                "/v1/track", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            ),
            client.get("/v1/nothing"),
        ]
    assert [200, 405, 404] == [answer.status_code for answer in answers]
    for answer in answers:
        assert "private, no-store" == answer.headers["cache-control"]
        assert "nosniff" == answer.headers["x-content-type-options"]
        assert [] == [name for name in answer.headers if name.startswith("access-control")]
    assert "POST" == answers[1].headers["allow"]


def test_head_is_get_without_a_body(at: Daemon) -> None:
    """The same status and headers."""
    with at.client() as client:
        got, asked = client.get("/v1/shipments"), client.head("/v1/shipments")
    assert (200, b"") == (asked.status_code, asked.content)
    assert got.headers["content-length"] == asked.headers["content-length"]


@pytest.mark.parametrize(
    ("known", "status"), [("{}", 304), ("W/{}", 304), ('"a", {}', 304), ("*", 304), ('"a"', 200), ("x{}"[:1], 200)]
)
def test_if_none_match_is_a_list_of_tags(at: Daemon, known: str, status: int) -> None:
    """Weak or strong, one among others, or any."""
    with at.client() as client:
        [found] = client.get("/v1/shipments").json()["shipments"]
        path = f"/v1/shipments/{found['id']}"
        tag = client.get(path).headers["etag"]
        answer = client.get(path, headers={"If-None-Match": known.format(tag)})
    assert (status, tag) == (answer.status_code, answer.headers["etag"])
    assert "ratelimit-limit" in answer.headers


def test_a_body_that_does_not_end_holds_nobody_up(at: Daemon) -> None:
    """While it is awaited, others are answered; one that announces too much is refused as it comes."""
    host, port = at.url.removeprefix("http://").split(":")
    key = f"Authorization: Bearer {at.keys['hooli']}"
    head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{key}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        with at.client() as client:
            assert 200 == client.get("/v1/shipments").status_code
    with socket.create_connection((host, int(port)), timeout=10) as long:
        long.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(20):
            long.sendall(piece)
        assert b"413" in long.recv(100)


def test_the_log_names_the_request_and_never_the_key(at: Daemon) -> None:
    """One line for each request, with its id, who asked by which key, and the path without what is the customer's."""
    with at.client() as client:
        answer = client.get("/v1/shipments", params={"tracking_number": _NUMBER})
    name, key = answer.headers["x-request-id"], at.keys["hooli"]
    wait_until(lambda: name in at.gateway.log.read_text(encoding="utf-8"), 10, "logged")
    log = at.gateway.log.read_text(encoding="utf-8")
    [line] = [json.loads(line) for line in log.splitlines() if name in line]
    assert ("api.request", "GET", "/v1/shipments", 200) == (line["event"], line["method"], line["path"], line["status"])
    assert ("hooli", key.split("_")[2]) == (line["customer"], line["key"])
    assert key.split("_", 3)[3] not in log


def test_use_of_a_key_is_noted(at: Daemon) -> None:
    """An operator sees when a key was used last."""
    key = api_keys.create(at.db, "hooli", "noted")
    with at.client(key) as client:
        client.get("/v1/shipments")
    [made] = [each for each in api_keys.keys(at.db) if each.name == "noted"]
    wait_until(lambda: any(each.used_at for each in api_keys.keys(at.db) if each.id == made.id), 10, "noted")


def test_many_who_wait_share_one_look_and_hear_at_once(at: Daemon) -> None:
    """More than may wait are answered at once; the others hear of the next event, and of nobody else's."""
    with at.client() as client:
        after = client.get("/v1/events").json()["next"]

    def wait(_: int) -> tuple[float, int]:
        begun = time.monotonic()
        with at.client() as client:
            found = client.get("/v1/events", params={"after": after, "wait": 20}).json()["events"]
        return time.monotonic() - begun, len(found)

    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(wait, number) for number in range(60)]
        wait_until(lambda: sum(each.done() for each in waiting) >= 10, 15, "ten turned away")
        share(at, "initech", "1ZNOTTHEIRS")
        assert 10 == sum(each.done() for each in waiting)
        share(at, "hooli", "1ZNEWS")
        took = [each.result() for each in waiting]
    assert 50 == sum(count for _, count in took)
    assert max(seconds for seconds, _ in took) < 19


def test_the_gateway_stops_although_somebody_waits(tmp_path: Path) -> None:
    """Who waits for events is answered when the gateway is told to stop, and is not waited for."""
    with daemon(tmp_path) as at, at.client() as client:
        host, port = at.url.removeprefix("http://").split(":")
        head = f"GET /v1/events?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {at.keys['hooli']}\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=20) as waiting:
            waiting.sendall(head.encode())
            for _ in range(5):  # asked later and answered: the first waits by now
                client.get("/v1/events")
            begun = time.monotonic()
            assert 0 == at.gateway.stop()
            assert time.monotonic() - begun < 10
            assert waiting.recv(15) == b"HTTP/1.1 200 OK"


def test_a_key_has_its_requests_once_however_many_come_together(tmp_path: Path) -> None:
    """Of a hundred at once as many are answered as the burst says; the answers count down."""
    with daemon(tmp_path, customer=_SLOW) as at, ThreadPoolExecutor(16) as pool, at.client() as client:
        answers = list(pool.map(lambda _: client.get("/v1/shipments"), range(100)))
        others = httpx.get(f"{at.url}/v1/shipments", headers={"Authorization": f"Bearer {at.keys['initech']}"})
    let_in = [answer for answer in answers if answer.status_code == 200]
    assert 40 == len(let_in)
    assert list(range(40)) == sorted(int(answer.headers["ratelimit-remaining"]) for answer in let_in)
    assert {429} == {answer.status_code for answer in answers if answer not in let_in}
    assert 200 == others.status_code
