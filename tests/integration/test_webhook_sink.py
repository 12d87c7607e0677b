"""Sending by webhook to a receiver that does everything a receiver may do."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from edi_gateway.errors import BusyError, GoneError, TransientError
from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.transports.http import sink as sending
from edi_gateway.transports.http.sink import WebhookSink
from edi_gateway.transports.http_client.guard import Address, BarredError
from tests.receiver import Answer, Received, Receiver, certify, fine, says, sends

NEW: Final = "whsec_" + base64.b64encode(b"new key of thirty-two bytes long").decode()
OLD: Final = "an older secret that is plain text"
DOCUMENT: Final = OutboundDocument(
    "msg_0123456789abcdef0123456789abcdef", '{"topic": "TRACKER_UPDATED", "ü": 1}'.encode()
)
OK: Final = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NEW": NEW, "OLD": OLD, "PASSWORD": "pä:ss", "SHOP": "shop-key"}.items():
        monkeypatch.setenv(name, value)


def made(url: str, **options: Any) -> WebhookSink:
    """A sink that may go to this machine."""
    return WebhookSink(**{"url": url, "secret": "${env:NEW}", "allow": ["http", "private"], **options})


@asynccontextmanager
async def sink(receiver: Receiver, **options: Any) -> AsyncIterator[WebhookSink]:
    made_one = made(receiver.url, **options)
    try:
        yield made_one
    finally:
        await made_one.close()


async def outcome(answer: Answer, **options: Any) -> str:
    """What becomes of one attempt at a receiver that does that."""
    async with Receiver(answer).running() as receiver, sink(receiver, **options) as customer:
        try:
            receipt = await customer.send(DOCUMENT, again=False)
        except TransientError as error:
            return f"{type(error).__name__}: {error}"
        return f"arrived: {receipt.verified}"


async def test_a_request_is_what_the_customer_expects() -> None:
    """The sealed bytes by POST, to the default path, with our headers and the customer's own."""
    headers = {"X-Shop": "${env:SHOP}", "X-Kind": "plain"}
    async with Receiver().running() as receiver, sink(receiver, headers=headers) as customer:
        receipt = await customer.send(DOCUMENT, again=False)
        await customer.send(DOCUMENT, again=True)
    [first, second] = receiver.received
    assert ("POST /webhook/shipment HTTP/1.1", DOCUMENT.content) == (first.line, first.body)
    shown = {name: first.headers[name] for name in ("content-type", "x-shop", "x-kind", "webhook-id")}
    assert shown == {
        "content-type": "application/json", "x-shop": "shop-key", "x-kind": "plain", "webhook-id": DOCUMENT.name,
    }  # fmt: skip
    assert first.headers["user-agent"].startswith("edi-gateway/")
    assert receipt.exchange is not None
    assert (200, "thx!") == (receipt.exchange.status, receipt.exchange.answer)
    assert (first.id, 1) == (second.id, receiver.connections)


def verified(request: Received, key: str | bytes) -> bool:
    """Whether a customer with that key takes the request, by the library that customers use."""
    try:
        Webhook(key).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


async def test_customers_verify_the_signature_during_a_rotation_and_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For 24 hours after the change both secrets sign; then the old one is worth nothing any more."""
    now = utc_now()
    rotated = (now - timedelta(hours=23, minutes=59)).isoformat()
    async with Receiver().running() as receiver:
        async with sink(receiver) as customer:
            await customer.send(DOCUMENT, again=False)
        async with sink(receiver, previous_secret="${env:OLD}", rotated_at=rotated) as customer:
            await customer.send(DOCUMENT, again=False)
            monkeypatch.setattr(sending, "utc_now", lambda: now + timedelta(minutes=2))
            await customer.send(DOCUMENT, again=False)
    said = [(verified(request, NEW), verified(request, OLD.encode())) for request in receiver.received]
    assert said == [(True, False), (True, True), (True, False)]
    [_, during, _] = receiver.received
    assert 2 == len(during.headers["webhook-signature"].split(" "))
    assert not verified(Received("", during.headers, during.body + b" ", 0), NEW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (fine, "arrived: HTTP 200 in"),
        (says(204), "arrived: HTTP 204 in"),
        (sends(OK, b"content-length: 10000\r\n\r\nabc"), "arrived: HTTP 200 in"),
        (sends(OK + b"content-length: 10000\r\n\r\n", *[b"a"] * 9, drip=0.2), "arrived: HTTP 200 in"),
        (sends(OK + b"content-length: 99\r\n\r\n", close=False), "arrived: HTTP 200 in"),
        (sends(OK + b"transfer-encoding: chunked\r\n\r\nno chunk"), "arrived: HTTP 200 in"),
        (says(500, b"oh\n no"), "TransientError: POST http://localhost:"),
        (says(400), "answers 400"),
        (says(301, location="http://localhost/"), "answers 301, a redirect, which is not followed"),
        (sends(), "RemoteProtocolError: Server disconnected"),
        (sends(b"HTTP/1.1 2"), "RemoteProtocolError"),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "RemoteProtocolError"),
        (sends(OK + b"x: " + b"y" * 200_000), "RemoteProtocolError"),
        (sends(OK, *[b"x: y\r\n"] * 100, drip=0.1), "no answer within 1 s"),
        (sends(close=False), "no answer within 1 s"),
        (sends(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, drip=0.1), "no answer within 1 s"),
        (says(410, b"gone"), "GoneError"),
        (says(429, retry_after="120"), "BusyError"),
        (says(503, retry_after="120"), "BusyError"),
        (says(500, retry_after="120"), "TransientError"),
        (says(429), "TransientError"),
        (says(429, retry_after="soon"), "TransientError"),
    ],
)  # fmt: skip
async def test_a_status_of_2xx_and_nothing_else_is_an_arrival(answer: Answer, expected: str) -> None:
    """Whatever becomes of the rest of its answer; until then everything is a failure, and in time."""
    began = time.monotonic()
    assert expected in await outcome(answer, timeout="1s")
    assert time.monotonic() - began < 5


async def test_a_late_200_is_no_arrival() -> None:
    """The attempt is over when its time is; the customer knows the message by its id when it comes again."""

    async def late(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(OK + b"content-length: 0\r\n\r\n")

    assert "no answer within 0.3 s" in await outcome(late, timeout="300ms")


async def test_the_beginning_of_an_answer_is_kept_and_no_more_is_read() -> None:
    """2 KB of it, with its status and how long it took, of failures too; an answer without an end ends there."""
    written = 0

    async def endless(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 500 No\r\n\r\n\xff")
        while not writer.is_closing():
            writer.write(b"e" * 60_000)
            await writer.drain()
            written += 60_000

    async with Receiver(endless).running() as receiver, sink(receiver) as customer:
        with pytest.raises(TransientError) as failed:
            await customer.send(DOCUMENT, again=False)
    exchange = failed.value.exchange
    assert exchange is not None
    assert (500, "\N{REPLACEMENT CHARACTER}" + "e" * 2047) == (exchange.status, exchange.answer)
    assert written < 20_000_000


async def test_a_header_that_cannot_be_sent_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with a line break is said to be wrong, and not what it is."""
    monkeypatch.setenv("SHOP", "secret\r\nx: y")
    with pytest.raises(ValidationError) as refused:
        made("https://shop.customer.com", auth={"type": "bearer", "token": "${env:SHOP}"})
    assert "more than one line" in str(refused.value)
    assert "secret" not in str(refused.value)
    token = b'{"access_token": "secret\\r\\nx: y"}'
    async with Receiver(says(200, token)).running() as issuer, Receiver().running() as receiver:
        auth = {"type": "oauth2", "token_url": issuer.url, "client_id": "${env:NEW}", "client_secret": "${env:NEW}"}
        async with sink(receiver, auth=auth) as customer:
            with pytest.raises(TransientError) as failed:
                await customer.send(DOCUMENT, again=False)
    assert "secret" not in str(failed.value).replace("no token", "")
    assert [] == receiver.received


@pytest.mark.parametrize(
    ("said", "ahead"),
    [
        ("120", timedelta(minutes=2)),
        ("99999999999999999999", timedelta(days=1)),
        ("in an hour", timedelta(hours=1)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", timedelta(0)),
    ],
)
async def test_who_asks_to_wait_says_until_when(said: str, ahead: timedelta) -> None:
    """Seconds or a date, a day at most."""
    said = f"{utc_now() + ahead:%a, %d %b %Y %H:%M:%S GMT}" if said == "in an hour" else said
    async with Receiver(says(429, retry_after=said)).running() as receiver, sink(receiver) as customer:
        with pytest.raises(BusyError) as failed:
            await customer.send(DOCUMENT, again=False)
    assert abs(failed.value.until - utc_now() - ahead) < timedelta(minutes=1)


async def test_410_is_told_from_other_failures() -> None:
    """Nobody is there any more."""
    async with Receiver(says(410)).running() as receiver, sink(receiver) as customer:
        with pytest.raises(GoneError):
            await customer.send(DOCUMENT, again=False)


async def test_a_redirect_to_this_machine_is_not_followed() -> None:
    """Nor is any other."""
    async with Receiver().running() as inner:
        answer = says(307, location=f"{inner.url}/admin")
        assert "which is not followed" in await outcome(answer)
    assert 0 == inner.connections


async def test_no_cookie_is_kept() -> None:
    """What one answer sets, the next request does not bring."""
    async with Receiver(says(200, set_cookie="a=b")).running() as receiver, sink(receiver) as customer:
        await customer.send(DOCUMENT, again=False)
        await customer.send(DOCUMENT, again=False)
    assert [request for request in receiver.received if "cookie" in request.headers] == []


class Names:
    """A name service whose answers change from one question to the next; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked = 0
        self._answers = answers

    async def __call__(self, _host: str, _port: int) -> list[Address]:
        self.asked += 1
        if not self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ip_address(text) for text in self._answers[min(self.asked, len(self._answers)) - 1]]


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["169.254.169.254"], ["10.1.2.3"], ["::ffff:127.0.0.1"]],
)
async def test_nothing_is_sent_to_a_name_that_leads_near_us(answers: Sequence[str]) -> None:
    """One such address among others is enough, and no connection is made, not even to the others."""
    async with Receiver().running() as receiver:
        customer = made(f"http://shop.customer.com:{receiver.port}", allow=["http"])
        customer._resolve = Names(answers)
        with pytest.raises(BarredError, match=r"shop\.customer\.com leads to .* nothing was sent"):
            await customer.send(DOCUMENT, again=False)
        await customer.close()
    assert 0 == receiver.connections


async def test_a_name_that_changes_between_attempts_is_judged_at_each_connection() -> None:
    """What was checked once says nothing of the next connection, and what is connected to is what was checked."""
    async with Receiver().running() as receiver:
        customer = made(f"http://shop.customer.com:{receiver.port}", timeout="1s")
        names = customer._resolve = Names(["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"])
        await customer.send(DOCUMENT, again=False)
        await customer.close()
        with pytest.raises(BarredError, match="cloud machines"):
            await customer.send(DOCUMENT, again=False)
        await customer.send(DOCUMENT, again=True)
        await customer.close()
    assert (3, 2) == (names.asked, receiver.connections)


async def test_a_name_without_an_address_is_tried_again() -> None:
    """A failure of the name service is one like any other."""
    customer = made("https://shop.customer.com")
    customer._resolve = Names()
    with pytest.raises(TransientError, match=r"shop\.customer\.com: no address is known"):
        await customer.send(DOCUMENT, again=False)


async def test_the_next_address_is_tried_where_the_first_refuses(unused_tcp_port: int) -> None:
    """All of them are the customer's."""
    receiver = Receiver(port=unused_tcp_port)
    async with receiver.running():
        customer = made(f"http://shop.customer.com:{receiver.port}")
        customer._resolve = Names(["127.0.0.2", "127.0.0.1"])
        await customer.send(DOCUMENT, again=False)
        await customer.close()
    assert 1 == receiver.connections


async def test_a_server_that_refuses_is_a_failure(unused_tcp_port: int) -> None:
    """Nobody listens."""
    customer = made(f"http://localhost:{unused_tcp_port}")
    with pytest.raises(TransientError, match="ConnectError"):
        await customer.send(DOCUMENT, again=False)
    await customer.close()


async def test_a_certificate_has_to_be_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address, and the certificate is still that of the name; a check sends nothing."""
    server = certify(tmp_path, "shop.customer.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with Receiver().running(server) as receiver:
        for host, holds in (("shop.customer.com", True), ("other.customer.com", False)):
            customer = made(f"https://{host}:{receiver.port}")
            customer._resolve = Names(["127.0.0.1"])
            [step] = [step async for step in customer.check()]
            assert (step.name, step.ok) == ("TLS", holds), step
            assert holds == ("127.0.0.1" in step.detail)
            if holds:
                assert [] == receiver.received
                await customer.send(DOCUMENT, again=False)
            else:
                with pytest.raises(TransientError, match="certificate"):
                    await customer.send(DOCUMENT, again=False)
            await customer.close()
    assert [DOCUMENT.name] == receiver.ids


async def test_a_check_says_what_the_guard_has_against_an_address() -> None:
    """Before the first event is lost time, not after."""
    customer = made("https://shop.customer.com", allow=[])
    customer._resolve = Names(["192.168.1.1"])
    [step] = [step async for step in customer.check()]
    assert not step.ok
    assert "192.168.1.1 is a private address" in step.detail


async def test_tokens_are_asked_for_once_renewed_early_and_after_a_401() -> None:
    """One token serves many messages; one that is refused is replaced, within the same attempt."""
    valid = {"token-1"}

    async def issue(_receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        assert b"grant_type=client_credentials" in request.body
        said = {"access_token": f"token-{len(issuer.received)}", "expires_in": 3600}
        await says(200, json.dumps(said).encode())(issuer, request, writer)

    async def take(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        good = request.headers["authorization"].removeprefix("Bearer ") in valid
        await says(200 if good else 401)(receiver, request, writer)

    async with Receiver(issue).running() as issuer, Receiver(take).running() as receiver:
        auth = {
            "type": "oauth2", "token_url": f"{issuer.url}/token", "client_id": "${env:SHOP}",
            "client_secret": "${env:PASSWORD}",
        }  # fmt: skip
        async with sink(receiver, auth=auth) as customer:
            await asyncio.gather(*(customer.send(DOCUMENT, again=False) for _ in range(5)))
            assert 1 == len(issuer.received)
            valid.add("token-2")
            valid.remove("token-1")
            await customer.send(DOCUMENT, again=False)
            assert 2 == len(issuer.received)
            customer._tokens._ends = time.monotonic() - 1
            valid.clear()
            with pytest.raises(TransientError, match="answers 401"):
                await customer.send(DOCUMENT, again=False)
            assert 4 == len(issuer.received)
    assert "Bearer token-2" == receiver.received[6].headers["authorization"]


async def test_the_token_url_is_guarded_like_any_other() -> None:
    """A customer's file must not make us ask our own network for tokens, nor follow where it redirects."""
    auth = {"type": "oauth2", "client_id": "${env:SHOP}", "client_secret": "${env:PASSWORD}"}
    async with Receiver().running() as inner:
        customer = made(
            "http://shop.customer.com",
            allow=["http"],
            auth=auth | {"token_url": f"http://id.customer.com:{inner.port}"},
        )
        customer._resolve = Names(["127.0.0.1"])
        with pytest.raises(BarredError, match=r"id\.customer\.com leads to"):
            await customer.send(DOCUMENT, again=False)
        await customer.close()
        async with Receiver(says(302, location=inner.url)).running() as issuer:
            customer = made(inner.url, auth=auth | {"token_url": issuer.url})
            with pytest.raises(TransientError, match="answers 302 without one"):
                await customer.send(DOCUMENT, again=False)
            await customer.close()
    assert 0 == inner.connections


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"type": "basic", "username": "hub", "password": "${env:PASSWORD}"},
         "Basic " + base64.b64encode("hub:pä:ss".encode()).decode()),
        ({"type": "bearer", "token": "${env:SHOP}"}, "Bearer shop-key"),
    ],
)  # fmt: skip
async def test_it_says_who_it_is(auth: dict[str, str], header: str) -> None:
    """By the means the customer asks for."""
    async with Receiver().running() as receiver, sink(receiver, auth=auth) as customer:
        await customer.send(DOCUMENT, again=False)
    assert header == receiver.received[0].headers["authorization"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"url": "http://shop.customer.com", "allow": []}, "begins with http, expected https"),
        ({"url": "https://example.com/hook"}, "reserved for examples"),
        ({"url": "https://10.0.0.1", "allow": []}, "is a private address"),
        ({"allow": ["everything"]}, "Input should be"),
        ({"headers": {"Webhook-Id": "1"}}, "webhook-id is set by the gateway"),
        ({"headers": {"Content-Type": "text/plain"}}, "content-type is set by the gateway"),
        ({"headers": {"X-A": "a\r\nwebhook-id: 1"}}, "more than one line"),
        ({"headers": {"X A": "a"}}, "should match pattern"),
        ({"headers": {"Authorization": "a"}, "auth": {"type": "bearer", "token": "${env:SHOP}"}}, "both set"),
        ({"previous_secret": "${env:OLD}"}, "both previous_secret and rotated_at"),
        ({"previous_secret": "${env:OLD}", "rotated_at": datetime(2026, 1, 1)}, "timezone"),  # noqa: DTZ001
        ({"secret": "${env:SHOP}"}, "has 8 bytes, expected at least 24"),
        ({"secret": NEW}, "never the secret itself"),
        ({"auth": {"type": "oauth2", "token_url": "http://10.0.0.1/", "client_id": "${env:SHOP}",
                   "client_secret": "${env:SHOP}"}, "allow": []}, "token_url: the URL begins with http"),
        ({"timeout": "0s"}, "greater than"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_said_when_it_is_read(options: dict[str, Any], complaint: str) -> None:
    """And no secret is shown with it."""
    with pytest.raises(ValidationError) as refused:
        made(**{"url": "https://shop.customer.com"} | options)
    assert complaint in str(refused.value)
    assert "shop-key" not in str(refused.value)
    assert NEW not in str(refused.value)
