"""Who may bring documents to a webhook, and what becomes of requests that may not."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook as Standard

from edi_gateway.errors import ConfigError, RequestRefusedError
from edi_gateway.located import load
from edi_gateway.plugging import make_plugin
from edi_gateway.plugins import Answer, Receiver, Request
from edi_gateway.restraint import Bucket
from edi_gateway.transports.http.webhook import Webhook
from tests.webhooks import basic, sign

BODY = b'{"trackingNumber": "1Z1"}'
NEW, OLD = "a secret that is new", "a secret that is old"
WHSEC = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Webhook]:
    """Make a webhook of its options; ``new``, ``old`` and ``whsec`` are secrets it may refer to."""
    for name, secret in (("NEW", NEW), ("OLD", OLD), ("WHSEC", WHSEC)):
        monkeypatch.setenv(name, secret)

    def make(*auth: Mapping[str, Any], **options: Any) -> Webhook:
        return Webhook.model_validate({"auth": list(auth), **options})

    return make


def request(body: bytes = BODY, /, **changes: Any) -> Request:
    """A POST of that body; ``changes`` are fields, and ``noted`` hears how much of the body is asked for."""
    noted: list[int] = changes.pop("noted", [])

    async def whole(most: int) -> bytes:
        noted.append(most)
        return body

    asked: dict[str, Any] = {
        "method": "POST",
        "path": "",
        "target": "/inbound/ups/alerts",
        "query": {},
        "headers": {},
        "client": ip_address("198.51.100.7"),
        "proxied": False,
        "read": whole,
    }
    return Request(**(asked | changes))


async def accept(_name: str, _content: bytes) -> int:
    return 7


async def status(hook: Webhook, asked: Request) -> int:
    try:
        return (await hook.answer(asked, accept)).status
    except RequestRefusedError as refused:
        return refused.status


def both(kind: str, key: str, **more: object) -> dict[str, object]:
    """A way to authenticate with two secrets at once."""
    return {"type": kind, key: ["${env:NEW}", "${env:OLD}"], **more}


SHOWN: list[tuple[dict[str, object], Callable[[str], dict[str, Any]]]] = [
    (both("bearer", "token"), lambda secret: {"headers": {"authorization": f"Bearer {secret}"}}),
    (both("basic", "password", username="ups"), lambda secret: {"headers": basic("ups", secret)}),
    (both("api_key", "key", header="X-API-Key"), lambda secret: {"headers": {"x-api-key": secret}}),
    (both("api_key", "key", query="key"), lambda secret: {"query": {"key": secret}}),
    (both("url_token", "token"), lambda secret: {"path": secret}),
    (both("hmac", "secret", header="X-Sig"), lambda secret: {"headers": {"x-sig": sign(BODY, secret).hex()}}),
]


@pytest.mark.parametrize(("way", "shown"), SHOWN, ids=lambda each: each["type"] if isinstance(each, dict) else "")
async def test_every_secret_of_a_list_lets_in_and_no_other_does(
    hook: Callable[..., Webhook], way: dict[str, object], shown: Callable[[str], dict[str, Any]]
) -> None:
    """While a carrier changes from one secret to another, both hold; a wrong one, or none, is 401."""
    made = hook(way)
    assert [await status(made, request(**shown(secret))) for secret in (NEW, OLD)] == [200, 200]
    assert [await status(made, request(**shown(wrong))) for wrong in (NEW[:-1], "", "grüße")] == [401] * 3
    assert await status(made, request()) == 401


async def test_a_user_of_another_name_is_refused(hook: Callable[..., Webhook]) -> None:
    """The password alone lets nobody in."""
    made = hook({"type": "basic", "username": "ups", "password": "${env:NEW}"})
    assert await status(made, request(headers=basic("dhl", NEW))) == 401


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_a_signature_is_read_as_the_carrier_writes_it(
    hook: Callable[..., Webhook], algorithm: str, encoding: str
) -> None:
    """Every algorithm, encoding and prefix; a body that was changed does not fit any more."""
    made = hook(
        {
            "type": "hmac",
            "header": "X-Hub-Signature",
            "secret": "${env:NEW}",
            "algorithm": algorithm,
            "encoding": encoding,
            "prefix": "v=",
        }
    )
    digest = sign(BODY, NEW, algorithm)
    written = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    signed = {"headers": {"x-hub-signature": f"v=00, v={written}"}}
    assert await status(made, request(**signed)) == 200
    assert await status(made, request(BODY + b" ", **signed)) == 401
    assert await status(made, request(headers={"x-hub-signature": written})) == 401
    assert await status(made, request(headers={"x-hub-signature": "v="})) == 401


STAMPED = {
    "type": "hmac",
    "header": "X-Signature",
    "secret": "${env:NEW}",
    "prefix": "v1=",
    "signed": "{timestamp}.{body}",
    "timestamp": {"header": "X-Signature", "prefix": "t=", "tolerance": "5m"},
}


@pytest.mark.parametrize(("age", "code"), [(0, 200), (290, 200), (-290, 200), (310, 401), (-310, 401)], ids=str)
async def test_a_request_is_refused_that_was_made_too_long_ago(
    hook: Callable[..., Webhook], age: int, code: int
) -> None:
    """What somebody recorded cannot be sent again later, nor made for later."""
    made = f"{time.time() - age:.0f}"
    signature = sign(f"{made}.".encode() + BODY, NEW).hex()
    asked = request(headers={"x-signature": f"t={made},v1={signature}"})
    assert await status(hook(STAMPED), asked) == code


async def test_the_time_of_a_request_cannot_be_exchanged(hook: Callable[..., Webhook]) -> None:
    """The time is signed: an old request with a new time is refused."""
    old, now = f"{time.time() - 900:.0f}", f"{time.time():.0f}"
    signature = sign(f"{old}.".encode() + BODY, NEW).hex()
    assert await status(hook(STAMPED), request(headers={"x-signature": f"t={now},v1={signature}"})) == 401


@pytest.mark.parametrize(
    "written",
    [
        lambda now: f"{now.timestamp() * 1000:.0f}",
        lambda now: now.isoformat(),
        lambda now: f"{now:%Y-%m-%dT%H:%M:%S}Z",
    ],
    ids=["milliseconds", "offset", "Z"],
)
async def test_times_are_read_in_every_usual_way(
    hook: Callable[..., Webhook], written: Callable[[datetime], str]
) -> None:
    """Milliseconds and ISO 8601 are times, too; anything else is refused."""
    for made, code in ((written(datetime.now(UTC)), 200), ("yesterday", 401)):
        signature = sign(f"{made}.".encode() + BODY, NEW).hex()
        assert await status(hook(STAMPED), request(headers={"x-signature": f"t={made},v1={signature}"})) == code


async def test_standard_webhooks_are_verified_as_their_library_signs_them(hook: Callable[..., Webhook]) -> None:
    """Signed by the reference library they are let in; with another body, id or time they are not."""
    made = hook({"type": "standard_webhooks", "secret": "${env:WHSEC}"})
    now = datetime.now(UTC)
    signature = Standard(WHSEC).sign("msg_1", now, BODY.decode())
    good = {
        "webhook-id": "msg_1",
        "webhook-timestamp": f"{now.timestamp():.0f}".split(".", maxsplit=1)[0],
        "webhook-signature": f"v1,Zm9v {signature}",
    }
    good["webhook-timestamp"] = str(int(now.timestamp()))
    assert await status(made, request(headers=good)) == 200
    assert await status(made, request(BODY + b" ", headers=good)) == 401
    for name, other in (("webhook-id", "msg_2"), ("webhook-timestamp", str(int(now.timestamp()) - 1))):
        assert await status(made, request(headers=good | {name: other})) == 401
    late = now.timestamp() - 400
    old = Standard(WHSEC).sign("msg_1", datetime.fromtimestamp(late, UTC), BODY.decode())
    asked = request(headers=good | {"webhook-timestamp": str(int(late)), "webhook-signature": old})
    assert await status(made, asked) == 401


async def test_addresses_and_secrets_can_both_be_asked_for(hook: Callable[..., Webhook]) -> None:
    """Of alternatives one has to hold, of all of them each one."""
    address = {"type": "ip", "networks": ["198.51.100.0/24", "2001:db8::/32"]}
    token = {"type": "bearer", "token": "${env:NEW}"}
    known, elsewhere = {"headers": {"authorization": f"Bearer {NEW}"}}, {"client": ip_address("203.0.113.9")}
    either, both = hook(address, token), hook({"type": "all", "of": [address, token]})
    asked = (request(), request(**known, **elsewhere), request(**known), request(**elsewhere))
    assert [await status(either, each) for each in asked] == [200, 200, 200, 401]
    assert [await status(both, each) for each in asked] == [401, 401, 200, 401]


async def test_a_certificate_counts_only_from_a_trusted_proxy(hook: Callable[..., Webhook]) -> None:
    """A client who sets the proxy's header itself is not believed."""
    made = hook({"type": "proxy_header", "header": "X-SSL-Client-S-DN", "values": "CN=ups"})
    said = {"headers": {"x-ssl-client-s-dn": "CN=ups"}}
    assert await status(made, request(**said, proxied=True)) == 200
    assert await status(made, request(**said)) == 401
    assert await status(made, request(headers={"x-ssl-client-s-dn": "CN=dhl"}, proxied=True)) == 401


@pytest.mark.parametrize("headers", [{}, {"x-sig": ""}], ids=["none", "empty"])
async def test_nobodys_body_is_read_for_nothing(hook: Callable[..., Webhook], headers: dict[str, str]) -> None:
    """Without a signature to compare, a request is refused before its body is asked for."""
    read: list[int] = []
    assert await status(hook(both("hmac", "secret", header="X-Sig")), request(noted=read, headers=headers)) == 401
    assert read == []


async def test_what_is_encoded_in_other_ways_than_gzip_is_refused(hook: Callable[..., Webhook]) -> None:
    """Gzip is kept as it came; what nobody could read later is not taken."""
    made = hook(auth="none")
    assert await status(made, request(gzip.compress(BODY), headers={"content-encoding": "gzip"})) == 200
    for coding in ("br", "gzip, gzip", "deflate"):
        assert await status(made, request(headers={"content-encoding": coding})) == 415


async def test_requests_beyond_the_rate_are_told_when_to_come_again(hook: Callable[..., Webhook]) -> None:
    """429 with the seconds to wait; a request without authentication takes nothing from those with it."""
    made = hook({"type": "bearer", "token": "${env:NEW}"}, rate={"per_second": 0.1, "burst": 2})
    for _ in range(5):
        assert await status(made, request()) == 401
    known = {"headers": {"authorization": f"Bearer {NEW}"}}
    assert [await status(made, request(**known)) for _ in range(2)] == [200, 200]
    with pytest.raises(RequestRefusedError) as refused:
        await made.answer(request(**known), accept)
    assert (refused.value.status, refused.value.retry_after) == (429, 10)


def test_a_bucket_fills_with_time() -> None:
    """After a pause as much is taken at once as the burst allows, and no more."""
    now = [0.0]
    bucket = Bucket(3, 2.0, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [1, 1, 1, 0]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [1, 0]
    assert bucket.wait() == 0.5
    now[0] = 100.0
    assert bucket.take(5) == 3


async def test_a_document_is_called_as_its_header_says(hook: Callable[..., Webhook]) -> None:
    """Without the header, a name is made up."""
    names: list[str] = []

    async def note(name: str, _content: bytes) -> int:
        names.append(name)
        return 1

    made = hook(auth="none", name_header="X-Message-Id")
    await made.answer(request(headers={"x-message-id": "4711.json"}), note)
    await made.answer(request(), note)
    assert names[0] == "4711.json"
    assert names[1].startswith("post-20")


async def test_a_carrier_that_asks_by_get_hears_its_challenge(hook: Callable[..., Webhook]) -> None:
    """The parameter comes back to whom knows the token; anybody else learns nothing, not even that it is there."""
    options = {"echo": "hub.challenge", "token_parameter": "hub.verify_token", "token": "${env:NEW}"}
    made = hook({"type": "bearer", "token": "${env:NEW}"}, handshake=options)
    right = {"hub.challenge": "1158201444", "hub.verify_token": NEW}
    answer = await made.answer(request(method="GET", query=right), accept)
    assert (answer.status, answer.content) == (200, b"1158201444")
    assert answer.content_type.startswith("text/plain")
    for wrong in ({}, right | {"hub.verify_token": OLD}, {"hub.verify_token": NEW}):
        assert await status(made, request(method="GET", query=wrong)) == 405
    assert await status(hook(auth="none"), request(method="GET")) == 405


async def test_an_empty_body_leaves_nothing_behind(hook: Callable[..., Webhook]) -> None:
    """Carriers try an address with an empty request: it is answered, and no document is made of it."""

    async def never(_name: str, _content: bytes) -> int:
        raise AssertionError

    answer = await hook(auth="none").answer(request(b""), never)
    assert (answer.status, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ("", "missing key 'auth'"),
        ("auth: []", "auth: found an empty list, expected"),
        ("auth: {type: bearer, token: open sesame}", "write a reference such as"),
        ('auth: {type: api_key, key: "${env:NEW}"}', "expected header or query, one of them"),
        ('auth: {type: hmac, header: X, secret: "${env:NEW}", signed: "{url}{body}"}', "none but {timestamp}"),
        ('auth: {type: hmac, header: X, secret: "${env:NEW}", signed: "{timestamp}{body}"}', "expected both"),
        ('auth: {type: standard_webhooks, secret: "${env:NEW}"}', "no key of Standard Webhooks"),
        ("auth: {type: ip, networks: [300.1.2.3]}", "networks"),
        ("auth: none\nhandshake: {echo: x, token_parameter: y}", "token_parameter and token, both or none"),
    ],
)
def test_a_mistake_in_the_options_is_told_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, said: str
) -> None:
    """Nobody gets in by a configuration that forgets to ask; no error shows a secret."""
    monkeypatch.setenv("NEW", NEW)
    path = tmp_path / "source.yaml"
    path.write_text(f"type: webhook\n{auth}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        make_plugin("sources", load(path), (), {}, tmp_path)
    assert said in str(found.value)
    assert "sesame" not in str(found.value)
    assert NEW not in str(found.value)


def test_a_webhook_never_shows_its_secrets(hook: Callable[..., Webhook]) -> None:
    """Whatever prints it."""
    made = hook(*(way for way, _ in SHOWN))
    assert isinstance(made, Receiver)
    assert NEW not in repr(made) + str(made) + made.model_dump_json()
    with pytest.raises(ValidationError) as found:
        Webhook.model_validate({"auth": [{"type": "bearer", "token": "open sesame"}], "max_size": "x"})
    assert "sesame" not in str(found.value)


async def test_large_bodies_are_hashed_beside_the_loop(hook: Callable[..., Webhook]) -> None:
    """While a body of megabytes is verified, others have their turn."""
    body, turns, seen = bytes(8_000_000), [0], list[int]()

    async def others() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def read(_most: int) -> bytes:
        seen.append(turns[0])
        return body

    async def taken(_name: str, _content: bytes) -> int:
        seen.append(turns[0])
        return 7

    made = hook(both("hmac", "secret", header="X-Sig"))
    asked = request(headers={"x-sig": sign(body, NEW).hex()}, read=read)
    ticking = asyncio.create_task(others())
    assert json.loads((await made.answer(asked, taken)).content) == {"document": 7}
    ticking.cancel()
    before, after = seen
    assert after > before
