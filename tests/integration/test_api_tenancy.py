"""Tenancy: every route of the API, walked by those who may not, with what belongs to another customer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from edi_gateway.store import api_keys
from tests.acceptance.gateway import wait_until
from tests.api_daemon import Daemon, daemon, share
from tests.databases import made

_VICTIM: Final = "initech"  # whose things nobody else may see
_OTHER: Final = "hooli"
_SECRET: Final = ("1ZSECRETNUMBER1", "1ZSECRETNUMBER2")
_MINE: Final = "1ZMYOWNNUMBER1"
_NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
_UNKNOWN: Final = "1ZNOBODYSNUMBER"
_NEUTRAL: Final = "1ZNEUTRALNUMBER"
_CLOSED: Final = "http://127.0.0.1:9/hook"  # where nobody listens
_OURS: Final = {"x-request-id", "date", "ratelimit-remaining", "ratelimit-reset", "content-length"}


@dataclass(frozen=True, slots=True)
class Step:
    """One request. ``foreign`` are the victim's own things put in the places of those of nobody (``nobodys``).

    One that ``makes`` something, or ends it, is not asked twice and compared.
    """

    method: str
    path: str
    scope: str
    foreign: tuple[Mapping[str, str], ...] = ({},)
    nobodys: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    makes: bool = False
    ends: bool = False

    def ask(self, client: httpx.Client, values: Mapping[str, str] = {}) -> httpx.Response:
        """Ask with these values in the places."""
        filled = {name: _filled(each, values) for name, each in self.query.items()}
        body = _filled(self.body, values) if self.body is not None else None
        sent: dict[str, Any] = {"content": body} if isinstance(body, str) else {"json": body}
        return client.request(self.method, _filled(self.path, values), params=filled, headers=self.headers, **sent)


def _filled(said: Any, values: Mapping[str, str]) -> Any:
    if isinstance(said, dict):
        return {name: _filled(each, values) for name, each in said.items()}
    if isinstance(said, list):
        return [_filled(each, values) for each in said]
    if isinstance(said, str):
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), said)
    return said


@dataclass(frozen=True, slots=True)
class World:
    """A daemon, and what is the victim's."""

    at: Daemon
    ids: tuple[str, ...]
    events: tuple[str, ...]
    cursors: Mapping[str, str]
    endpoint: str
    message: str  # a delivery to it

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody else may ever be shown."""
        return (*self.ids, *self.events, *_SECRET, _VICTIM, self.endpoint, self.message)


def _steps(world: World) -> list[Step]:
    """How each route is walked; who adds a route adds how."""
    ids = tuple({"id": each} for each in world.ids)
    numbers = tuple({"number": each} for each in _SECRET)
    shipments, events = ({"after": world.cursors[name]} for name in ("shipments", "events"))
    return [
        Step(
            "POST",
            "/v1/track",
            "read",
            numbers,
            {"number": _UNKNOWN},
            body={"items": [{"tracking_number": "{number}"}, {"tracking_number": "{number}", "carrier": "UPS"}]},
        ),
        Step("GET", "/v1/shipments", "read", (shipments,), {"after": ""}, query={"after": "{after}"}),
        Step("GET", "/v1/shipments", "read", numbers, {"number": _UNKNOWN}, query={"tracking_number": "{number}"}),
        Step("GET", "/v1/shipments/{id}", "read", ids, {"id": _NOWHERE}),
        Step("GET", "/v1/events", "read", (events,), {"after": ""}, query={"after": "{after}"}),
        *_trackers(ids, shipments),
        *_endpoints({"id": world.endpoint, "message_id": world.message}),
    ]


def _endpoints(theirs: Mapping[str, str]) -> list[Step]:
    at, one = "/v1/webhook-endpoints", "/v1/webhook-endpoints/{id}"
    by_id: dict[str, Any] = {"foreign": (theirs,), "nobodys": {"id": _NOWHERE, "message_id": f"msg_{'0' * 32}"}}
    day = {"from": "2026-01-01T00:00:00Z", "to": "2036-01-01T00:00:00Z", "destination": "{id}"}
    scope, change = "webhooks", {"description": "mine"}
    return [
        Step("POST", at, scope, body={"url": _CLOSED}, makes=True),
        Step("GET", at, scope),
        Step("GET", one, scope, **by_id),
        Step("PATCH", one, scope, **by_id, body=change),
        *(Step("POST", f"{one}/{what}", scope, **by_id) for what in ("rotate", "enable", "test")),
        Step("GET", f"{one}/deliveries", scope, **by_id),
        Step("GET", f"{one}/deliveries/{{message_id}}", scope, **by_id),
        Step("POST", f"{one}/deliveries/{{message_id}}/redeliver", scope, **by_id, ends=True),
        Step("POST", f"{one}/replay", scope, **by_id, body={"dry_run": True}),
        Step("DELETE", one, scope, **by_id, ends=True),
        Step("GET", "/v1/catch-up", "read", **by_id, query=day),
        Step("POST", "/v1/catch-up", scope, **by_id, body=day),
    ]


def _trackers(ids: tuple[Mapping[str, str], ...], places: Mapping[str, str]) -> list[Step]:
    """Who names a number tracks it, so that nobody's secret is named here."""
    at, new = "/v1/trackers", {"tracking_number": _NEUTRAL}
    by_id: dict[str, Any] = {"foreign": ids, "nobodys": {"id": _NOWHERE}}
    table, query = f"tracking_number,carrier\n{_NEUTRAL},\n", '{ tracker(id: "{id}") { id trackingCode } }'
    return [
        Step("POST", at, "trackers", body=new, makes=True),
        Step("POST", f"{at}/batch", "trackers", body={"trackers": [new]}, makes=True),
        Step("POST", f"{at}/upload", "trackers", body=table, headers={"Content-Type": "text/csv"}, makes=True),
        Step("GET", at, "trackers", (places,), {"after": ""}, query={"after": "{after}"}),
        Step("GET", f"{at}/{{id}}", "trackers", **by_id),
        *(Step("POST", f"{at}/{{id}}/{what}", "trackers", **by_id) for what in ("pause", "resume", "reactivate")),
        Step("DELETE", f"{at}/{{id}}", "trackers", **by_id, ends=True),
        Step("POST", "/graphql", "read", **by_id, body={"query": query}),
    ]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tenancy")
    if request.param == "sqlite":
        with daemon(folder) as at:
            yield _settled(at)
        return
    with made(request.getfixturevalue("postgres_url")) as url, daemon(folder, url) as at:
        yield _settled(at)


def _settled(at: Daemon) -> World:
    """The other's shipment lies between the victim's, so that places in lists could give something away."""
    share(at, _VICTIM, _SECRET[0])
    share(at, _OTHER, _MINE)
    share(at, _VICTIM, _SECRET[1])
    with at.client(_VICTIM) as client:
        listed = client.get("/v1/shipments").json()["shipments"]
        fed = client.get("/v1/events").json()
        first = client.get("/v1/shipments", params={"limit": 1}).json()["next"]
        endpoint = client.post("/v1/webhook-endpoints", json={"url": _CLOSED}).json()["id"]
        tested = f"/v1/webhook-endpoints/{endpoint}/test"
        wait_until(lambda: client.post(tested).status_code == 202, 20, "the endpoint is known")
        message = client.post(tested).json()["id"]
    assert sorted(_SECRET) == sorted(each["tracking_number"] for each in listed)
    return World(
        at,
        tuple(each["id"] for each in listed),
        tuple(each["event"]["id"] for each in fed["events"]),
        {"shipments": first, "events": fed["next"]},
        endpoint,
        message,
    )


def _said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.headers} {answer.text}"


def _alike(answer: httpx.Response, values: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """An answer without what differs from request to request, and without what was asked for."""
    text = re.sub(r"req_[0-9a-f]{16}", "req", answer.text)
    for name, value in values.items():
        text = text.replace(value, f"{{{name}}}") if value else text
    headers = {name: value for name, value in answer.headers.items() if name not in _OURS}
    return answer.status_code, headers, text


def test_every_route_is_walked(world: World) -> None:
    """A route that the walk does not know fails it, under either of its paths."""
    walked = {(step.method.lower(), step.path) for step in _steps(world)}
    described = httpx.get(f"{world.at.url}/v1/openapi.json").json()["paths"]
    routes = {(method, path) for path, each in described.items() for method in each}
    assert set() == routes - walked, "say in _steps how they are walked"
    assert set() == walked - routes


def _bad_keys(world: World, scope: str) -> Iterator[tuple[str, str, int]]:
    db, wrong = world.at.db, world.at.keys[_OTHER]
    yield "no key", "", 401
    yield "a key with another secret", f"{wrong[:-4]}AAAA", 401
    yield "a key that never was", "egw_live_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 401
    revoked = api_keys.create(db, _VICTIM, "")
    api_keys.revoke(db, revoked.split("_")[2])
    yield "one that is revoked", revoked, 401
    yield "one that is out of date", api_keys.create(db, _VICTIM, "", expires_at=datetime.now(UTC) - timedelta(1)), 401
    yield "one of a customer who is none any more", api_keys.create(db, "nobody", ""), 401
    others = [each for each in api_keys.SCOPES if each != scope]
    yield "one of another scope", api_keys.create(db, _VICTIM, "", others), 403


def _shown(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def test_who_has_no_key_for_it_learns_nothing(world: World) -> None:
    """Whatever the key lacks, the refusal is the same for every route, and none shows anything of anybody."""
    for step in _steps(world):
        for what, key, status in _bad_keys(world, step.scope):
            for values in step.foreign:
                with httpx.Client(base_url=world.at.url, headers=_shown(key)) as client:
                    answer = step.ask(client, values)
                assert status == answer.status_code, (step, what, _said(answer))
                assert [] == [each for each in world.secrets if each in _said(answer)], (step, what)


def test_refusals_of_keys_are_alike(world: World) -> None:
    """Whether a key never was, is revoked, or out of date cannot be told apart."""
    for step in _steps(world):
        refused = []
        for _, key, status in _bad_keys(world, step.scope):
            if status == 401:
                with httpx.Client(base_url=world.at.url, headers=_shown(key)) as client:
                    refused.append(_alike(step.ask(client, step.nobodys), {}))
        assert all(each == refused[0] for each in refused), step


def test_what_is_anothers_is_as_if_it_were_not(world: World) -> None:
    """Ids, numbers and cursors of another customer are answered to the byte as those of nobody, and show nothing."""
    for step in _steps(world):
        with world.at.client(_OTHER) as client:
            nobodys = _alike(step.ask(client, step.nobodys), step.nobodys)
            for values in step.foreign:
                answer = step.ask(client, values)
                shown = _said(answer)
                for value in values.values():
                    shown = shown.replace(value, "")  # as it was asked for
                assert [] == [each for each in world.secrets if each in shown], (step, values)
                if "after" not in values and not step.makes:
                    assert nobodys == _alike(answer, values), step


def test_a_foreign_cursor_is_a_place_in_ones_own_list(world: World) -> None:
    """From wherever one reads on, one reads one's own."""
    with world.at.client(_OTHER) as client:
        for path, name in (("/v1/shipments", "shipments"), ("/v1/events", "events")):
            whole = client.get(path).json()[name]
            part = client.get(path, params={"after": world.cursors[name]}).json()[name]
            assert {_MINE} == {each["tracking_number"] for each in whole} - {_NEUTRAL}
            assert all(each in whole for each in part)


def test_the_victim_is_answered(world: World) -> None:
    """The walk asks for what there is: with the right key everything but nobody's things is there."""
    with world.at.client(_VICTIM) as client:
        kept = [step for step in _steps(world) if not step.ends]
        for step in kept:
            for values in step.foreign:
                answer = step.ask(client, values)
                assert answer.is_success, _said(answer)
        seen = "".join(_said(step.ask(client, values)) for step in kept for values in step.foreign)
    assert [] == [each for each in (*world.ids, *_SECRET) if each not in seen]


def test_paths_without_a_version_are_the_present_one(world: World) -> None:
    """Answered alike, and refused alike."""
    known = [step for step in _steps(world) if step.path.startswith("/v1/") and not step.makes]
    for step, key in itertools.product(known, (_OTHER, "nobody")):
        plain = Step(**{**{name: getattr(step, name) for name in step.__slots__}, "path": step.path[3:]})
        with world.at.client(key) as client:
            assert _alike(step.ask(client, step.nobodys), {}) == _alike(plain.ask(client, step.nobodys), {})
