"""A carrier's API is told where to send: registered, renewed before it ends, removed; one call at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from edi_gateway.config.load import load_config
from edi_gateway.errors import AttentionError, ConfigError, RefusedError, TransientError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.partners import Callback
from edi_gateway.pipeline.registering import call
from edi_gateway.store import registrations
from edi_gateway.store.alarms import alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.registrations import REGISTRATION
from edi_gateway.store.tables import RegistrationRow
from edi_gateway.wiring import wire
from tests.carrier_api import Asked, CarrierApi, Reply
from tests.webhooks import SECRET, TOKEN, write_webhook

PUBLIC = "https://hub.example"
CALLS = """\
allow_http: true
register:
  url: "{api}/hooks"
  headers: {X-Version: "2"}
  json: {target: "{callback_url}", security: {secret: "{secret}"}, events: [all, 7]}
  subscription_id: data.id
  expires_in: data.ttl
renew: {method: PATCH, url: "{api}/hooks/{subscription_id}", expires_at: until}
remove: {method: DELETE, url: "{api}/hooks/{subscription_id}", query: {reason: "end of {subscription_id}"}}
"""
OAUTH = (
    "{type: oauth2, token_url: '{api}/token', client_id: '${file:FOLDER/secret}',"
    " client_secret: '${file:FOLDER/secret}'}"
)
Ready = Callable[..., Callback]


@pytest.fixture
def api() -> Iterator[CarrierApi]:
    with CarrierApi().running() as running:
        running.answer = accept
        yield running


def accept(asked: Asked) -> Reply:
    """What a carrier says to each of the calls."""
    if asked.method == "POST":
        return Reply(201, json.dumps({"data": {"id": "s/1 ä", "ttl": 3000}}).encode())
    return Reply(body=json.dumps({"until": "2126-01-01T00:00:00Z"}).encode())


@pytest.fixture
async def ready(api: CarrierApi, tmp_path: Path) -> AsyncIterator[Ready]:
    """Makes the channel whose registration is described so, as the daemon has it."""

    def make(calls: str = CALLS, **options: str) -> Callback:
        lines = "".join(f"      {line}\n" for line in calls.replace("{api}", api.url).splitlines())
        options = {"http": f'public_url: "{PUBLIC}"', "more": f"    registration:\n{lines}", **options}
        found = wire(load_config(write_webhook(tmp_path, **options))).channels["ups/alerts"].callback
        assert found is not None
        return found

    yield make
    await asyncio.sleep(0)


def known(db: Database) -> RegistrationRow:
    found = registrations.find(db, "ups/alerts")
    assert found is not None
    return found


def let_be_due(db: Database, **values: Any) -> None:
    """As if its time had come."""
    with db.write() as connection:
        connection.execute(update(REGISTRATION).values(due_at=utc_now() - timedelta(seconds=1), **values))


async def test_the_carrier_is_told_where_to_send_and_how_to_prove_itself(
    db: Database, ready: Ready, api: CarrierApi
) -> None:
    """What is described is sent; what the answer says decides when it is renewed: before it ends."""
    callback = ready()
    await call(db, callback, "register")
    [asked] = api.asked
    url = f"{PUBLIC}/inbound/ups/alerts"
    assert {"target": url, "security": {"secret": TOKEN}, "events": ["all", 7]} == json.loads(asked.body)
    assert ("POST", "/hooks", "2", "application/json") == (
        asked.method,
        asked.path,
        asked.headers["x-version"],
        asked.headers["content-type"],
    )
    row = known(db)
    assert ("s/1 ä", url, None) == (row.subscription_id, row.url, row.claimed_until)
    assert row.due_at is not None
    assert row.expires_at is not None
    assert timedelta(seconds=900) < row.expires_at - row.due_at < timedelta(seconds=1100)
    with pytest.raises(RefusedError, match="is registered since"):
        await call(db, callback, "register")
    assert 1 == len(api.asked)
    await call(db, callback, "renew")
    assert ("PATCH", "/hooks/s%2F1%20%C3%A4", "s/1 ä") == (
        api.asked[1].method,
        api.asked[1].path,
        known(db).subscription_id,
    )
    renewed = known(db).expires_at
    assert renewed is not None
    assert 2126 == renewed.year
    await call(db, callback, "remove")
    assert ("DELETE", "end of s/1 ä") == (api.asked[2].method, api.asked[2].query["reason"])
    assert (None, None, "") == (known(db).registered_at, known(db).due_at, known(db).subscription_id)
    with pytest.raises(RefusedError, match="is not registered"):
        await call(db, callback, "remove")


async def test_many_nodes_renew_once(db: Database, ready: Ready, api: CarrierApi) -> None:
    """Whoever is first has it; the others find nothing due, and nobody asks again before its time."""
    callback = ready()
    await call(db, callback, "register")
    let_be_due(db)
    assert {"ups/alerts"} == registrations.due(db, {"ups/alerts", "dpd/alerts"})
    done = await asyncio.gather(*(call(db, callback, "renew", only_due=True) for _ in range(8)))
    assert [True] == [each for each in done if each]
    assert ["POST", "PATCH"] == [asked.method for asked in api.asked]
    assert set() == registrations.due(db, {"ups/alerts"})
    assert not await call(db, callback, "renew", only_due=True)
    assert 2 == len(api.asked)


async def test_a_renewal_that_fails_is_tried_again_and_becomes_an_alarm(
    db: Database, ready: Ready, api: CarrierApi
) -> None:
    """One failure is an everyday matter; three are not, and the next success clears the alarm."""
    callback = ready(CALLS.replace("expires_in: data.ttl", "") + "every: 20d\n")
    await call(db, callback, "register")
    api.answer = lambda _: Reply(500, b"busy")
    for failures in (1, 2, 3):
        let_be_due(db)
        with pytest.raises(TransientError, match="500: busy"):
            await call(db, callback, "renew", only_due=True)
        row = known(db)
        assert row.due_at is not None
        assert (failures, True) == (row.failures, row.due_at > utc_now() + timedelta(seconds=30))
        assert (failures == 3) == bool(alarms(db))
    [alarm] = alarms(db)
    assert ("registration_failing", "ups/alerts") == (alarm.kind, alarm.subject)
    api.answer = accept
    let_be_due(db)
    await call(db, callback, "renew", only_due=True)
    assert ([], 0, "") == (alarms(db), known(db).failures, known(db).error)


async def test_who_is_not_let_in_is_an_alarm_at_once(db: Database, ready: Ready, api: CarrierApi) -> None:
    """And no text shows the secret that the carrier repeats."""
    callback = ready(CALLS + "every: 20d\n")
    await call(db, callback, "register")
    api.answer = lambda asked: Reply(401, f"no: {TOKEN} {asked.body.decode()}".encode())
    let_be_due(db, expires_at=utc_now() + timedelta(days=9))
    with pytest.raises(AttentionError, match=r"401: no: \*\*\*"):
        await call(db, callback, "renew", only_due=True)
    [alarm] = alarms(db)
    assert TOKEN not in alarm.text + known(db).error


async def test_a_subscription_that_is_gone_is_made_anew(db: Database, ready: Ready, api: CarrierApi) -> None:
    """A carrier that forgot us is told again, and what it calls us then counts."""
    callback = ready()
    await call(db, callback, "register")
    api.answer = lambda asked: accept(asked) if asked.method == "POST" else Reply(404)
    let_be_due(db, subscription_id="old")
    assert await call(db, callback, "renew", only_due=True)
    assert ["POST", "PATCH", "POST"] == [asked.method for asked in api.asked]
    assert "s/1 ä" == known(db).subscription_id
    await call(db, callback, "remove")  # and what is not there any more is removed
    assert known(db).registered_at is None


async def test_without_a_call_of_its_own_a_renewal_registers_again(db: Database, ready: Ready, api: CarrierApi) -> None:
    """As most carriers have it; and what cannot be removed is said."""
    callback = ready('allow_http: true\nevery: 20d\nregister: {url: "{api}/hooks", form: {url: "{callback_url}"}}\n')
    await call(db, callback, "register")
    let_be_due(db)
    await call(db, callback, "renew", only_due=True)
    assert [b"url=https%3A%2F%2Fhub.example%2Finbound%2Fups%2Falerts"] * 2 == [asked.body for asked in api.asked]
    with pytest.raises(RefusedError, match="no call removes it"):
        await call(db, callback, "remove")
    assert known(db).registered_at is not None
    assert known(db).claimed_until is None


async def test_an_answer_without_what_is_looked_for_is_no_registration(
    db: Database, ready: Ready, api: CarrierApi
) -> None:
    """Nobody could renew or remove what has no name."""
    api.answer = lambda _: Reply(body=b'{"id": 5}')
    with pytest.raises(TransientError, match=r"nothing is at subscription_id \(data.id\)"):
        await call(db, ready(), "register")
    assert (None, 1) == (known(db).registered_at, known(db).failures)


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ("{type: api_key, key: '${file:FOLDER/secret}', header: X-Key}", ("x-key", SECRET)),
        ("{type: basic, username: hub, password: '${file:FOLDER/secret}'}", ("authorization", "Basic ")),
        (
            OAUTH,
            ("authorization", "Bearer t0"),
        ),
    ],
)
async def test_who_calls_is_proven_as_for_polling(
    db: Database, ready: Ready, api: CarrierApi, tmp_path: Path, auth: str, shown: tuple[str, str]
) -> None:
    """A key, a password, or a token that is asked for first."""
    token = Reply(body=b'{"access_token": "t0", "expires_in": 60}')
    api.answer = lambda asked: token if asked.path == "/token" else accept(asked)
    await call(db, ready(CALLS + f"auth: {auth}\n".replace("FOLDER", str(tmp_path))), "register")
    assert api.asked[-1].headers[shown[0]].startswith(shown[1])


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (("{callback_url}", "{callback}"), {}, "found {callback}, expected none but {callback_url}, {secret}"),
        (("allow_http: true", ""), {}, "a URL begins with http, expected https"),
        (("  subscription_id: data.id\n", ""), {}, "{subscription_id} is used, expected where the answer has it"),
        (("  expires_in", "  expires_at: x\n  expires_in"), {}, "expected expires_at or expires_in, not both"),
        (("/hooks", "/hooks/{subscription_id}"), {}, "{subscription_id} is known only afterwards"),
        (("", ""), {"http": ""}, "expected http: public_url in gateway.yaml"),
        (("", ""), {"auth": "{type: ip, networks: 127.0.0.1}"}, "expected a way below source: auth that has one"),
    ],
)
async def test_what_cannot_work_is_refused_at_its_line(
    ready: Ready, change: tuple[str, str], options: dict[str, str], said: str
) -> None:
    """Before anybody is called."""
    with pytest.raises(ConfigError) as refused:
        ready(CALLS.replace(*change), **options)
    assert said in str(refused.value)
    assert "carriers/ups.yaml:" in str(refused.value)
