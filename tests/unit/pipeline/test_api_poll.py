"""A carrier that is asked: real requests to a real server, into the inbox, and from there to events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from edi_gateway.config.load import load_config
from edi_gateway.errors import AttentionError, ConfigError, NotTriedError, TransientError
from edi_gateway.model import Status, utc_now
from edi_gateway.pipeline.intake import ChannelMemory, poll
from edi_gateway.pipeline.partners import Channel
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import inbox, shipments, tracked
from edi_gateway.store.checks import CHECK
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DocumentState
from edi_gateway.wiring import wire
from tests.carrier_api import Asked, CarrierApi, Reply, events

MAPPING = """\
syntax: json
format: {type: json, records: "@"}
for_each: events
event:
  tracking_number: number
  code: code
  occurred_at: {path: time}
codes:
  TRANSIT: IN_TRANSIT
  DONE: DELIVERED
"""
CARRIER = """\
carrier: speedy
timezone: UTC
channels:
  api:
    mapping: api/track
    source:
      type: api_poll
      allow_http: {plain}
      request: {{{request}}}
{options}
"""
Ready = Callable[..., "Gateway"]


class Gateway:
    """One polled channel of carrier speedy, and the database behind it."""

    def __init__(self, db: Database, channel: Channel) -> None:
        self.db = db
        self.channel = channel
        self.stopped = False
        self.memory = ChannelMemory(db, channel.name, stopping=lambda: self.stopped)

    def track(self, *numbers: str) -> Gateway:
        tracked.track(self.db, self.channel.name, "speedy", numbers)
        return self

    def due(self) -> None:
        with self.db.write() as connection:
            past = {"due_at": utc_now().replace(year=2020)}
            connection.execute(update(CHECK).where(CHECK.c.due_at.is_not(None)).values(past))

    async def poll(self) -> int:
        """Once; returns how many documents are new."""
        return await poll(self.db, self.channel, self.memory)

    def process(self) -> int:
        return process_pending(self.db, {self.channel.name: self.channel}, [])

    def documents(self) -> list[bytes]:
        return [inbox.load(self.db, each.digest) for each in reversed(inbox.documents(self.db))]

    def rows(self) -> dict[str, Any]:
        with self.db.read() as connection:
            return {row.tracking_number: row for row in connection.execute(select(CHECK))}


@pytest.fixture
def api() -> Iterator[CarrierApi]:
    with CarrierApi().running() as running:
        yield running


@pytest.fixture
async def gateway(db: Database, api: CarrierApi, tmp_path: Path) -> AsyncIterator[Ready]:
    """Makes a gateway whose channel's source has those options, in YAML, besides a URL."""

    def make(options: str = "", request: str = "url: '{api}/track/{number}'", *, plain: bool = True) -> Gateway:
        options = "\n".join(f"      {line}" for line in options.splitlines())
        request = request.replace("{api}", api.url)
        carrier = CARRIER.format(plain=str(plain).lower(), request=request, options=options)
        mappings = tmp_path / "mappings"
        (mappings / "api").mkdir(parents=True, exist_ok=True)
        (mappings / "api" / "track.yaml").write_text(MAPPING)
        folder = tmp_path / "config"
        (folder / "carriers").mkdir(parents=True, exist_ok=True)
        (folder / "gateway.yaml").write_text(f"mappings: {mappings}\n")
        (folder / "carriers" / "speedy.yaml").write_text(carrier)
        made.append(Gateway(db, wire(load_config(folder)).channels["speedy/api"]))
        return made[-1]

    made: list[Gateway] = []
    yield make
    for each in made:
        await each.channel.source.close()


async def test_what_the_carrier_answers_becomes_events(gateway: Ready, api: CarrierApi) -> None:
    """Each due number is asked for once; its answer is kept as it came, and read by the channel's mapping."""
    polled = gateway().track("P1", "P 2/3")
    assert 2 == await polled.poll()
    assert 2 == polled.process()
    assert ["P 2/3", "P1"] == sorted(api.numbers)
    assert sorted([events("P1").body, events("P 2/3").body]) == sorted(polled.documents())
    assert Status.IN_TRANSIT is shipments.history(polled.db, "P1")[0].status
    assert 0 == await polled.poll()
    assert 2 == len(api.asked)


async def test_an_answer_that_says_the_same_is_not_kept_again(gateway: Ready, api: CarrierApi) -> None:
    """One document however often it is told; another answer is another document."""
    polled = gateway().track("P1")
    for code in ("TRANSIT", "TRANSIT", "TRANSIT", "DONE"):
        polled.due()
        api.answer = lambda asked, code=code: events(asked.number, code=code)  # type: ignore[misc]
        await polled.poll()
        polled.process()
    assert [DocumentState.PROCESSED] * 2 == [each.state for each in inbox.documents(polled.db)]
    assert Status.DELIVERED is shipments.history(polled.db, "P1")[0].status


async def test_only_what_has_changed_is_asked_for(gateway: Ready, api: CarrierApi) -> None:
    """The mark of the last answer goes back to the carrier, and 304 is a check without news."""
    polled = gateway().track("P1")
    api.answer = lambda asked: replace(events(asked.number), headers={"ETag": '"1"', "Last-Modified": "yesterday"})
    await polled.poll()
    polled.due()
    api.answer = lambda _: Reply(304)
    assert 0 == await polled.poll()
    assert ('"1"', "yesterday") == tuple(api.asked[1].headers[each] for each in ("if-none-match", "if-modified-since"))
    polled.due()
    await polled.poll()
    assert '"1"' == api.asked[2].headers["if-none-match"]
    assert 0 == polled.rows()["P1"].failures


async def test_numbers_share_a_request_as_the_carrier_allows(gateway: Ready, api: CarrierApi) -> None:
    """Seven numbers with a batch of three are three requests, whose bodies name them as the template says."""
    template = "method: POST, url: '{api}/track/x', body: {json: {lang: de, items: {each: {id: '{number}'}}}}"
    polled = gateway("batch: 3", template).track(*(f"P{number}" for number in range(7)))

    def answer(asked: Asked) -> Reply:
        return events(*(item["id"] for item in json.loads(asked.body)["items"]))

    api.answer = answer
    await polled.poll()
    bodies = [json.loads(asked.body) for asked in api.asked]
    assert [3, 3, 1] == sorted((len(body["items"]) for body in bodies), reverse=True)
    assert 7 == len({item["id"] for body in bodies for item in body["items"]})
    assert 3 == polled.process()
    assert all(shipments.history(polled.db, f"P{number}") for number in range(7))


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("{json: {ids: '{numbers}'}}", b'{"ids": ["A&1", "B"]}'),
        ("{form: {ids: '{numbers}'}}", b"ids=A%261%2CB"),
        ("{text: '<t>{numbers}</t>', each: '<n>{number}</n>'}", b"<t><n>A&amp;1</n><n>B</n></t>"),
        ("{text: '{numbers}', separator: '+', content_type: text/plain}", b"A&1+B"),
    ],
)
async def test_a_body_is_written_as_its_kind_needs_it(gateway: Ready, api: CarrierApi, body: str, sent: bytes) -> None:
    """JSON, form and XML keep what is special to them out of the numbers."""
    polled = gateway("batch: 5", f"method: POST, url: '{{api}}/x', body: {body}").track("A&1", "B")
    await polled.poll()
    assert [sent] == [asked.body for asked in api.asked]


@pytest.mark.parametrize(
    ("auth", "header", "query"),
    [
        ("{type: api_key, key: '${env:KEY}', header: X-API-Key}", ("x-api-key", "s3cret"), {}),
        ("{type: api_key, key: '${env:KEY}', query: apikey}", ("x-api-key", None), {"apikey": "s3cret"}),
        ("{type: basic, username: hub, password: '${env:KEY}'}", ("authorization", "Basic aHViOnMzY3JldA=="), {}),
        ("{type: bearer, token: '${env:KEY}'}", ("authorization", "Bearer s3cret"), {}),
    ],
)
async def test_the_carrier_is_shown_who_asks(
    gateway: Ready,
    api: CarrierApi,
    monkeypatch: pytest.MonkeyPatch,
    auth: str,
    header: tuple[str, str | None],
    query: dict[str, str],
) -> None:
    """Key, password or token, in header or query, beside the query that is configured."""
    monkeypatch.setenv("KEY", "s3cret")
    await gateway(f"auth: {auth}", "url: '{api}/t/{number}?a=1', query: {b: '2'}").track("P1").poll()
    assert header[1] == api.asked[0].headers.get(header[0])
    assert {"a": "1", "b": "2", **query} == api.asked[0].query


OAUTH = "auth: {{type: oauth2, token_url: '{url}/token/x', client_id: '${{env:KEY}}', client_secret: '${{env:KEY}}'}}"


async def test_a_token_is_asked_for_once_and_again_when_it_was_taken_back(
    gateway: Ready, api: CarrierApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many questions side by side share one; a 401 costs one more token, and no check."""
    monkeypatch.setenv("KEY", "s3cret")
    issued: list[str] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token/x":
            issued.append(f"t{len(issued)}")
            return Reply(body=json.dumps({"access_token": issued[-1], "expires_in": 3600}).encode())
        return events(asked.number) if asked.headers["authorization"] == f"Bearer {issued[-1]}" else Reply(401)

    api.answer = answer
    polled = gateway(OAUTH.format(url=api.url)).track(*(f"P{number}" for number in range(8)))
    assert 8 == await polled.poll()
    assert ["t0"] == issued
    issued.append("revoked")
    polled.due()
    await polled.poll()
    assert ["t0", "revoked", "t2"] == issued
    assert {0} == {row.failures for row in polled.rows().values()}


async def test_who_is_not_let_in_is_an_alarm_at_once_and_does_not_try_on(gateway: Ready, api: CarrierApi) -> None:
    """A hundred refusals would lock the account; the secret is told to nobody."""
    api.answer = lambda _: Reply(401, b"who are you?")
    polled = gateway("in_flight: 1").track("P1", "P2", "P3")
    with pytest.raises(AttentionError, match="answers 401: who are you"):
        await polled.poll()
    assert 1 == len(api.asked)
    with pytest.raises(NotTriedError, match="is tried next at"):
        await polled.poll()


async def test_no_more_is_asked_than_the_carrier_allows(gateway: Ready, api: CarrierApi) -> None:
    """Five in half a second: the sixth waits for its token, and none is left out."""
    polled = gateway("rate: {requests: 5, per: 500ms}\nin_flight: 10").track(*(f"P{number}" for number in range(10)))
    begun = time.monotonic()
    await polled.poll()
    assert 10 == len(set(api.numbers))
    assert max(asked.at for asked in api.asked) - begun >= 0.49


async def test_a_carrier_that_is_asked_too_much_is_left_alone_for_as_long_as_it_says(
    gateway: Ready, api: CarrierApi
) -> None:
    """429 is no failure: the number is due when the carrier said, and nothing else is asked until then."""
    api.answer = lambda _: Reply(429, headers={"Retry-After": "120"})
    polled = gateway("in_flight: 1").track("P1", "P2")
    await polled.poll()
    await polled.poll()
    assert ["P1"] == api.numbers
    row = polled.rows()["P1"]
    assert (0, 118 < (row.due_at - utc_now()).total_seconds() <= 120) == (row.failures, True)
    assert polled.rows()["P2"].due_at < utc_now()


async def test_numbers_the_carrier_does_not_know_are_no_documents(gateway: Ready, api: CarrierApi) -> None:
    """404 unknown, 410 gone, and by configuration an answer that says: not yet."""
    options = "errors: {not_yet: {where: \"status == 'ANNOUNCED'\"}}"
    said = {"P1": Reply(404), "P2": Reply(410), "P3": Reply(200, b'{"status": "ANNOUNCED"}')}
    api.answer = lambda asked: said[asked.number]
    polled = gateway(options).track("P1", "P2", "P3")
    assert 0 == await polled.poll()
    assert {"P1": "unknown", "P2": "gone", "P3": "not_yet"} == {n: str(r.reply) for n, r in polled.rows().items()}
    assert polled.rows()["P2"].due_at is None
    assert inbox.documents(polled.db) == []


async def test_a_batch_may_answer_some_and_refuse_others(gateway: Ready, api: CarrierApi) -> None:
    """The answer is kept for those it speaks of; a list in it names the others."""
    told = json.dumps({"events": [], "missing": ["p2"]}).encode()
    api.answer = lambda _: Reply(body=told)
    polled = gateway("batch: 2\nerrors: {unknown: {numbers: missing}}", "url: '{api}/t?ids={numbers}'").track(
        "P1", "P2"
    )
    assert 1 == await polled.poll()
    assert {"P1": "answered", "P2": "unknown"} == {n: str(r.reply) for n, r in polled.rows().items()}


@pytest.mark.parametrize("how", ["next_url", "link_header", "cursor"])
async def test_all_pages_of_an_answer_are_taken(gateway: Ready, api: CarrierApi, how: str) -> None:
    """By a URL in the answer, by the header Link, or by a cursor."""
    paging = {"next_url": "{next_url: next}", "link_header": "{link_header: true}", "cursor": "{cursor: at}"}

    def answer(asked: Asked) -> Reply:
        page = int(asked.query.get("page", asked.query.get("cursor", "1")))
        document: dict[str, Any] = {
            "events": [{"number": "P1", "code": "TRANSIT", "time": f"2026-03-0{page}T08:00:00Z"}]
        }
        last = page == 3
        if not last:
            document |= {"next": f"{asked.path}?page={page + 1}", "at": page + 1}
        link = {} if last else {"Link": f'<{asked.path}?page={page + 1}>; rel="next"'}
        return Reply(body=json.dumps(document).encode(), headers=link)

    api.answer = answer
    polled = gateway(f"paging: {paging[how]}").track("P1")
    assert 3 == await polled.poll()
    polled.process()
    assert 3 == len(shipments.history(polled.db, "P1")[0].events)


async def test_pages_without_end_are_a_failure(gateway: Ready, api: CarrierApi) -> None:
    """Nothing is kept of an answer that cannot be had whole."""
    api.answer = lambda asked: Reply(body=json.dumps({"next": asked.path}).encode())
    polled = gateway("paging: {next_url: next, at_most: 3}").track("P1")
    with pytest.raises(TransientError, match="more than 3 pages"):
        await polled.poll()
    assert (3, []) == (len(api.asked), polled.documents())


@pytest.mark.parametrize("page", [False, True])
async def test_nothing_leads_to_another_host(gateway: Ready, api: CarrierApi, page: bool) -> None:
    """Neither a redirect nor a next page: what proves who we are is for the carrier alone."""
    with CarrierApi().running() as other:
        there = f"{other.url}/t/P1"
        says = Reply(body=json.dumps({"next": there}).encode()) if page else Reply(302, headers={"Location": there})
        api.answer = lambda _: says
        polled = gateway("paging: {next_url: next}" if page else "").track("P1")
        with pytest.raises(TransientError, match="same host" if page else "redirected to 127.0.0.1"):
            await polled.poll()
        assert other.asked == []
    assert 1 == polled.rows()["P1"].failures


async def test_a_redirect_on_the_same_host_is_followed(gateway: Ready, api: CarrierApi) -> None:
    """Carriers move their paths about."""
    moved = Reply(307, headers={"Location": "/new/P1"})
    api.answer = lambda asked: moved if asked.path.startswith("/track") else events("P1")
    assert 1 == await gateway().track("P1").poll()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(hang=True), "no whole answer within|ReadTimeout"),
        (Reply(body=b"x" * 1000, drip=0.05), "no whole answer within 0.5 s"),
        (Reply(body=b"x" * 100_001), "larger than 100,000 bytes"),
        (Reply(500, b"oops"), "answers 500: oops"),
    ],
)
async def test_an_answer_is_bounded_in_time_and_size(gateway: Ready, api: CarrierApi, reply: Reply, said: str) -> None:
    """Whatever the carrier does, the check is made again later and nothing half is kept."""
    api.answer = lambda _: reply
    polled = gateway("total_timeout: 500ms\nread_timeout: 400ms\nmax_size: 100KB").track("P1")
    begun = time.monotonic()
    with pytest.raises(TransientError, match=said):
        await polled.poll()
    assert time.monotonic() - begun < 3
    assert (1, []) == (polled.rows()["P1"].failures, polled.documents())


async def test_one_number_that_fails_keeps_no_other_waiting(gateway: Ready, api: CarrierApi) -> None:
    """The channel does well as long as the carrier answers anything."""
    api.answer = lambda asked: Reply(500) if asked.number == "P1" else events(asked.number)
    polled = gateway().track("P1", "P2", "P3")
    assert 2 == await polled.poll()
    assert {"P1": 1, "P2": 0, "P3": 0} == {number: row.failures for number, row in polled.rows().items()}


async def test_a_carrier_that_fails_is_left_alone_then_asked_by_one_question(gateway: Ready, api: CarrierApi) -> None:
    """After three failures in a row nothing is asked during the pause; the first answer after it closes the circuit."""
    api.answer = lambda _: Reply(503)
    polled = gateway("circuit: {failures: 3, pause: 400ms}").track(*(f"P{number}" for number in range(20)))
    with pytest.raises(TransientError, match="answers 503"):
        await polled.poll()
    asked = len(api.asked)
    assert 3 <= asked <= 8
    with pytest.raises(NotTriedError):
        await polled.poll()
    with pytest.raises(TransientError, match="answers 503"):
        await _until_tried(polled)
    assert asked + 1 == len(api.asked)
    api.answer = lambda asked: events(asked.number)
    assert 20 - asked - 1 == await _until_tried(polled)


async def _until_tried(polled: Gateway) -> int:
    while True:
        try:
            return await polled.poll()
        except NotTriedError as error:
            await asyncio.sleep((error.next_probe - utc_now()).total_seconds())


async def test_news_by_another_way_brings_a_check_sooner(gateway: Ready, api: CarrierApi) -> None:
    """What a file or a webhook tells is recorded with it; here the answer itself does, after its check had ended."""
    polled = gateway("schedule: {phases: [{every: [10m, 6h]}]}").track("P1")
    api.answer = lambda _: Reply(404)
    await polled.poll()
    polled.due()
    api.answer = lambda asked: events(asked.number)
    await polled.poll()
    polled.due()
    await polled.poll()
    assert (polled.rows()["P1"].due_at - utc_now()).total_seconds() > 5 * 3600
    polled.process()
    assert (polled.rows()["P1"].due_at - utc_now()).total_seconds() <= 600


async def test_checks_whose_answer_cannot_be_kept_are_given_back(gateway: Ready, api: CarrierApi) -> None:
    """Where the poll ends in the middle, nothing stays claimed, and what was asked is asked again."""
    polled = gateway("in_flight: 2").track("P1", "P2", "P3")
    came = threading.Semaphore(0)

    def answer(_: Asked) -> Reply:
        came.release()
        return Reply(hang=True)

    api.answer = answer
    polling = asyncio.create_task(polled.poll())
    for _ in range(2):
        await asyncio.to_thread(came.acquire, timeout=20)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    assert {""} == {row.claimed_by for row in polled.rows().values()}
    api.answer = lambda asked: events(asked.number)
    assert 3 == await polled.poll()


async def test_an_answer_that_is_cut_short_does_not_wait_for_its_end(gateway: Ready, api: CarrierApi) -> None:
    """Nothing lies anywhere that could still grow: it is kept as it came, and set aside when it is read."""
    api.answer = lambda _: Reply(body=b'{"events": [')
    polled = gateway().track("P1")
    assert 1 == await polled.poll()
    polled.process()
    assert [DocumentState.QUARANTINED] == [each.state for each in inbox.documents(polled.db)]


async def test_a_connection_is_proven_without_asking_for_a_number(
    gateway: Ready, api: CarrierApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step says what was seen; a token is asked for, and the step that fails says why."""
    monkeypatch.setenv("KEY", "s3cret")
    api.answer = lambda _: Reply(body=b'{"access_token": "t", "expires_in": 100}')
    polled = gateway(OAUTH.format(url=api.url))
    assert [("TCP", True), ("token", True)] == [step[:2] async for step in polled.channel.source.check()]
    api.answer = lambda _: Reply(401)
    refused = gateway(OAUTH.format(url=api.url))
    *_, last = [step async for step in refused.channel.source.check()]
    assert (False, True) == (last.ok, "answers 401" in last.detail)
    assert ["/token/x"] * 2 == [asked.path for asked in api.asked]


async def test_nothing_more_is_asked_once_the_gateway_stops(gateway: Ready, api: CarrierApi) -> None:
    """What was asked is still kept; what was not is due as before."""
    polled = gateway("in_flight: 1").track(*(f"P{number}" for number in range(5)))

    def answer(asked: Asked) -> Reply:
        polled.stopped = True
        return events(asked.number)

    api.answer = answer
    assert 1 == await polled.poll()
    assert ["P0"] == api.numbers
    assert {""} == {row.claimed_by for row in polled.rows().values()}


@pytest.mark.parametrize(
    ("options", "request_", "said"),
    [
        ("", "url: 'http://a.example/{number}'", "expected https"),
        ("", "url: 'ftp://a.example/{number}'", "expected a URL"),
        ("", "url: 'https://{number}.example/'", "same for every number"),
        ("", "url: 'https://u:p@a.example/{number}'", "below auth"),
        ("", "url: 'https://a.example/all'", "no number is asked for"),
        ("", "url: 'https://a.example/{id}'", "expected {number} or {numbers}"),
        ("batch: 2", "url: 'https://a.example/{number}'", "expected {numbers} with a batch"),
        ("schedule: often", "url: 'https://a.example/{number}'", "expected one of frequent"),
        ("errors: {gone: {where: 'a['}}", "url: 'https://a.example/{number}'", "expected a JMESPath"),
        ("paging: {}", "url: 'https://a.example/{number}'", "expected one of next_url"),
        ("auth: {type: basic, username: a, password: plain}", "url: 'https://a.example/{number}'", "reference such as"),
    ],
)
async def test_what_cannot_work_is_refused_at_its_line(gateway: Ready, options: str, request_: str, said: str) -> None:
    """Before anything is asked, and without repeating a secret."""
    with pytest.raises(ConfigError) as refused:
        gateway(options, request_, plain=False)
    [problem] = refused.value.problems
    assert "speedy.yaml:" in problem
    assert said in problem
    assert "plain" not in problem
