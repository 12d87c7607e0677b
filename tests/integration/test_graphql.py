"""Trackers by GraphQL against a real daemon: as written in its documentation, bounded, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from graphql import get_introspection_query
from hypothesis import given, settings
from hypothesis import strategies as st

from edi_gateway.pipeline.partners import Feed
from edi_gateway.store import api_keys
from edi_gateway.store.engine import Database
from edi_gateway.web.api.app import make_api
from tests.acceptance.gateway import wait_until
from tests.tracking_gateway import Place, create, told, tracking_gateway

CREATE: Final = (
    "mutation trackerCreate($input: TrackerCreateInput!) { trackerCreate(input: $input) { tracker { id trackingCode"
    " status estimatedDeliveryAt deliveredAt carrier checkpoints { id message status scannedAt } }"
    " trackerUserErrors { code message field } } }"
)
NODES: Final = "nodes { id trackingCode status checkpoints { id message status scannedAt } }"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with tracking_gateway(tmp_path_factory.mktemp("graphql")) as running:
        yield running


def _ask(client: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert 200 == answer.status_code, answer.text
    said: dict[str, Any] = answer.json()
    return said


def _created(client: httpx.Client, **told: Any) -> tuple[Any, Any]:
    said = _ask(client, CREATE, input=told)
    assert "errors" not in said, said
    made = said["data"]["trackerCreate"]
    return made["tracker"], made["trackerUserErrors"]


def test_the_documented_mutation_works_as_it_is(place: Place) -> None:
    """The carrier is asked and waited for; its name is told in any case, and each id is a global one."""
    with place.client() as client:
        tracker, errors = _created(client, trackingCode="GRAPH1", carrier="ASKED", **{"async": False})
        again, _ = _created(client, trackingCode="GRAPH1", carrier="Asked", **{"async": True})
    [checkpoint] = tracker["checkpoints"]
    assert (again, []) == (tracker, errors)
    assert ("IN_TRANSIT", "asked", None) == (tracker["status"], tracker["carrier"], tracker["deliveredAt"])
    assert tracker["id"].startswith("gid://edi-gateway/Tracker/")
    assert checkpoint["id"].startswith("gid://edi-gateway/Checkpoint/")
    assert "IN_TRANSIT" == checkpoint["status"]


def test_nothing_is_waited_for_unless_told_so(place: Place) -> None:
    """Async left out is true: UNKNOWN at once, and the first update follows."""
    with place.client() as client:
        tracker, _ = _created(client, trackingCode="GRAPH2", carrier="asked")
        assert ("UNKNOWN", []) == (tracker["status"], tracker["checkpoints"])
        place_polled = client.post("/v1/track", json={"items": [{"tracking_number": "GRAPH2"}], "refresh": "wait"})
        said = _ask(client, "query($id: ID!) { tracker(id: $id) { status } }", id=tracker["id"])
    assert 200 == place_polled.status_code
    assert "IN_TRANSIT" == said["data"]["tracker"]["status"]


@pytest.mark.parametrize(
    ("told", "code", "field"),
    [
        ({}, "BLANK", "trackingCode"),
        ({"trackingCode": "  "}, "BLANK", "trackingCode"),
        ({"trackingCode": "x" * 101}, "INVALID", "trackingCode"),
        ({"trackingCode": "a\u0000b"}, "INVALID", "trackingCode"),
        ({"trackingCode": "K1000000003", "carrier": "ESTAFETA"}, "UNKNOWN_CARRIER", "carrier"),
        ({"trackingCode": "K1", "carrier": "no such name"}, "INVALID", "carrier"),
    ],
)
def test_bad_input_is_the_users_error(place: Place, told: dict[str, Any], code: str, field: str) -> None:
    """It names the field, and there is no tracker; GraphQL itself has no complaint."""
    with place.client() as client:
        tracker, [error] = _created(client, **told)
    assert (None, code, field) == (tracker, error["code"], error["field"])


def test_half_a_character_is_the_users_error(place: Place) -> None:
    """JSON can hold what no database takes."""
    body = b'{"query": "mutation($i: TrackerCreateInput!) { trackerCreate(input: $i) { tracker { id } trackerUserErrors'
    body += b' { code } } }", "variables": {"i": {"trackingCode": "\\ud800"}}}'
    listing = (
        b'{"query": "query($t: String) { trackers(trackingCode: $t) { nodes { id } } }", "variables": {"t": "\\ud800"}}'
    )
    with place.client() as client:
        for content in (body, listing):
            answer = client.post("/graphql", content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code in {200, 400, 422}
            assert "cannot answer" not in answer.text


def test_trackers_are_paged_through(place: Place) -> None:
    """Each once, in pages; those of another customer are not among them, and its ids lead nowhere."""
    query = f"query($after: String) {{ trackers(first: 2, after: $after) {{ {NODES} edges {{ cursor }} pageInfo"
    query += " { hasNextPage endCursor } } }"
    with place.client("initech") as client, place.client() as other:
        made = [_created(client, trackingCode=f"PAGE{number}")[0]["id"] for number in range(5)]
        found, after, more = [], None, True
        while more:
            page = _ask(client, query, after=after)["data"]["trackers"]
            found += [node["id"] for node in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        lookup = "query($id: ID!) { tracker(id: $id) { id } }"
        foreign = [
            _ask(other, lookup, id=each) for each in [*made, made[0].rpartition("/")[2], "gid://x/Tracker/1", ""]
        ]
        theirs = _ask(other, f"{{ trackers(first: 100) {{ {NODES} }} }}")["data"]["trackers"]["nodes"]
        mine = _ask(client, lookup, id=made[0])["data"]["tracker"]
    assert made == found
    assert mine == {"id": made[0]}
    assert all(each == {"data": {"tracker": None}} for each in foreign)
    assert not {each["id"] for each in theirs} & set(made)


def test_a_checkpoint_keeps_the_carriers_clock(place: Place) -> None:
    """Its offset is the carrier's; the instants of the tracker are in UTC."""
    with place.client() as client:
        create(client, "1ZCLOCK1")
        place.scans("1ZCLOCK1")
        wait_until(lambda: bool(told(client, "1ZCLOCK1")), 20, "told")
        query = '{ trackers(trackingCode: "1zclock1") { nodes { status deliveredAt checkpoints { scannedAt } } } }'
        [node] = _ask(client, query)["data"]["trackers"]["nodes"]
        [event] = told(client, "1ZCLOCK1")
    [checkpoint] = node["checkpoints"]
    assert ("DELIVERED", event["event"]["occurred_at"]) == (node["status"], checkpoint["scannedAt"])
    assert node["deliveredAt"].endswith("Z")


def test_a_key_does_by_graphql_what_it_may_elsewhere(place: Place) -> None:
    """No key, no answer; one that reads does not change anything, whatever else the request holds."""
    with place.client("reader") as client:
        assert _ask(client, f"{{ trackers {{ {NODES} }} }}")["data"]
        made = {"query": CREATE, "variables": {"input": {"trackingCode": "1Z"}}}
        mixed = {"query": f"query a {{ __typename }} {CREATE}", "operationName": "trackerCreate", "variables": {}}
        refused = [client.post("/graphql", json=each) for each in (made, mixed)]
        nobody = client.post("/graphql", json=made, headers={"Authorization": "Bearer nobody"})
    assert [403, 403, 401] == [each.status_code for each in (*refused, nobody)]
    assert {"application/problem+json"} == {each.headers["content-type"] for each in (*refused, nobody)}
    assert refused[0].json()["request_id"] == refused[0].headers["x-request-id"]


_SHORT: Final = 'trackerCreate(input: {trackingCode: "x"}) { tracker { id } } '
_DEEP: Final = "{ trackers { edges { node { checkpoints " + "{ a " * 20 + "}" * 25
_LAUGHS: Final = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(60))


@pytest.mark.parametrize(
    "query",
    [
        "{" + " ".join(f"a{number}: __typename" for number in range(16)) + "}",
        _DEEP,
        '{ __type(name: "Tracker") { fields { type ' + "{ ofType " * 20 + "{ name }" + "}" * 20 + " } } }",
        "{ __schema { types { " + "fields { type { " * 5 + "name" + " } }" * 5 + " } } }",
        "{" + " __typename" * 1_001 + "}",
        "{" * 3_000,
        "{ __typename " * 90 + "}" * 90,
        "{" + "trackers { nodes { id } } " * 250 + "}",
        "{" + " ".join(f"a{number}: trackers(first: 100) {{ {NODES} }}" for number in range(3)) + "}",
        "query($n: Int!) { trackers(first: $n) { edges { node { id " + "trackingCode " * 60 + "} } } }",
        "{ ...f0 } " + _LAUGHS + " fragment f60 on Query { trackers { nodes { id } } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "mutation {" + " ".join(f"a{n}: {_SHORT}" for n in range(16)) + "}",
        "mutation {" + _SHORT * 25 + "}",
        "", "{", "query { nothing }", "subscription { a }", "{ trackers(first: 101) { nodes { id } } }",
        '{ trackers(after: "x") { nodes { id } } }',
    ],
)  # fmt: skip
def test_what_is_beyond_a_bound_is_refused(place: Place, query: str) -> None:
    """Depth, aliases, tokens, cost, and what is no request at all: said in errors, and nothing is answered."""
    with place.client() as client:
        said = _ask(client, query, n=100)
    assert said["errors"]
    assert not said.get("data")
    assert "cannot answer" not in said["errors"][0]["message"]


@pytest.mark.parametrize(("query", "why"), [("{" + " a" * 1_001 + "}", "tokens"), ("{ a " * 9 + "}" * 9, "deep")])
def test_the_bound_is_named(place: Place, query: str, why: str) -> None:
    """Who goes beyond it knows what to change."""
    with place.client() as client:
        [error] = _ask(client, query)["errors"]
    assert why in error["message"]


def test_requests_come_one_at_a_time(place: Place) -> None:
    """A batch is refused as what it is, no JSON object; a query in the address is none."""
    with place.client() as client:
        batch = client.post("/graphql", json=[{"query": "{ __typename }"}] * 2)
        got = client.get("/graphql", params={"query": "{ __typename }"})
    assert (422, 405) == (batch.status_code, got.status_code)


def test_the_schema_tells_itself(place: Place) -> None:
    """Tools look at it in depth; that is no cost."""
    with place.client() as client:
        said = _ask(client, get_introspection_query())
    assert "TrackerCreateInput" in {each["name"] for each in said["data"]["__schema"]["types"]}


_NAMES: Final = st.sampled_from(
    ["trackers", "tracker", "nodes", "edges", "node", "id", "checkpoints", "__typename", "__schema", "pageInfo"]
)
_FIELDS: Final = st.recursive(
    st.builds("{}".format, _NAMES),
    lambda inner: st.builds(
        lambda alias, name, rest: f"{alias}{name} {{ {' '.join(rest)} }}",
        st.sampled_from(["", "a: ", "b: "]),
        st.one_of(_NAMES, st.just("trackers(first: 100)"), st.just('tracker(id: "x")')),
        st.lists(inner, min_size=1, max_size=6),
    ),
    max_leaves=60,
)


@settings(max_examples=60, deadline=None)
@given(
    fields=st.lists(_FIELDS, min_size=1, max_size=8), junk=st.sampled_from(["", "}", "{", "...a", "@skip", '"', "#"])
)
def test_any_request_has_an_answer(place: Place, fields: list[str], junk: str) -> None:
    """Never a failure of ours, and never long."""
    with place.client() as client:
        answer = client.post("/graphql", json={"query": f"{{ {' '.join(fields)} {junk} }}"})
    assert 200 == answer.status_code
    assert "cannot answer" not in answer.text
    assert answer.elapsed.total_seconds() < 5


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("on", "status"), [(True, 200), (False, 405)])
async def test_the_playground_is_there_where_it_is_switched_on(db: Database, on: bool, status: int) -> None:
    """It needs nothing from elsewhere."""
    app = make_api(db, lambda _: None, dict, playground=on)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/graphql")
    assert status == answer.status_code
    assert "http" not in answer.text.replace("https://", "") or not on
    assert on == ("trackerCreate" in answer.text)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_what_goes_wrong_with_us_is_not_told_in_detail(db: Database) -> None:
    """The customer gets the id of its request, not what our code says."""
    key = api_keys.create(db, "hooli", "")

    def fails() -> Any:
        raise RuntimeError("secret of ours")

    app = make_api(db, lambda name: Feed(name, lambda _: True, 20, 40), fails)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.post(
            "/graphql",
            json={"query": '{ trackers(carrier: "x") { nodes { id } } }'},
            headers={"Authorization": f"Bearer {key}"},
        )
    [error] = answer.json()["errors"]
    assert "secret" not in answer.text
    assert error["extensions"]["request_id"] == answer.headers["x-request-id"]
