"""However much is stored, no statement of the API reads a table from end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import Connection, Engine, event, text

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.pipeline.partners import Feed
from edi_gateway.store import api_keys
from edi_gateway.store.engine import Database
from edi_gateway.web.api.app import make_api

_ID = "00000000-0000-4000-8000-000000000001"
_QUERIES = {
    "after": "0000000000000001",
    "carrier": "ups",
    "limit": "2",
    "state": "active",
    "status": "DELIVERED",
    "tracking_number": "1Z1",
    "wait": "1",
}
_BODIES: dict[str, list[Any]] = {
    "/v1/track": [
        {"items": [{"tracking_number": "1Z1"}, {"tracking_number": "1Z2", "carrier": "ups"}]},
        {"items": [{"tracking_number": "1Z3"}], "subscribe": True},
        {"items": [{"tracking_number": "1Z3"}], "refresh": "wait"},
    ],
    "/v1/trackers": [{"tracking_number": "1Z4"}, {"tracking_number": "1Z4", "carrier": "ups", "async": False}],
    "/v1/trackers/batch": [{"trackers": [{"tracking_number": "1Z5"}, {"tracking_number": "1Z6", "carrier": "ups"}]}],
    "/v1/webhook-endpoints": [{"url": "http://127.0.0.1:9/hook"}],
    "/v1/webhook-endpoints/{id}": [None, {"description": "mine"}],
    "/v1/webhook-endpoints/{id}/replay": [{}, {"from": "2026-01-01T00:00:00Z", "dry_run": True}],
    "/v1/catch-up": [
        {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "destination": "live", "dry_run": False}
    ],
    "/graphql": [
        {"query": "{ trackers(first: 10) { nodes { id checkpoints { id } } } }"},
        {"query": f'{{ tracker(id: "{_ID}") {{ id }} }}'},
        {"query": 'mutation { trackerCreate(input: {trackingCode: "1Z7"}) { tracker { id } } }'},
    ],
}
_SMALL = {"api_key"}  # of which there are as many as customers have keys
_SEQUENTIAL = re.compile(r"Seq Scan on (\w+)")
# Along a whole index, and from one row to the table's end, is no better; functions that give rows are no tables.
_WHOLE = re.compile(
    r"^SCAN (?!CONSTANT|\()(\w+)(?! VIRTUAL)\b(?! VIRTUAL)|^SEARCH (\w+) USING INTEGER PRIMARY KEY \(rowid[<>]"
)


@contextmanager
def _executed() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed, as the driver gets them."""
    seen: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        seen.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def _walk(client: httpx.AsyncClient) -> None:
    """Every operation as it is described, with each parameter alone, and with bodies that are known."""
    described = (await client.get("/v1/openapi.json")).json()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            at = re.sub(r"\{\w+\}", _ID, path)
            names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            for asked in [{}, *({name: _QUERIES.get(name, "1")} for name in names)]:
                if asked.keys() == {"after"} and "events" in path:
                    asked["after"] *= 2
                for body in _BODIES.get(path, [None]):
                    answer = await client.request(method, at, params=asked, json=body)
                    assert answer.status_code not in {401, 403, 429, 500}, answer.text


def _grow(db: Database) -> None:
    """Let SQLite believe that each table holds a million rows: half of them a customer's, few of any number's."""
    with db.write() as connection:
        if connection.dialect.name != "sqlite":
            return
        connection.exec_driver_sql("ANALYZE")
        indexes = text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'")
        for table, name in connection.execute(indexes).all():
            columns = [each[2] for each in connection.exec_driver_sql(f"PRAGMA index_info({name})").all()]
            stat = " ".join(["1000000", *("500000" if column == "customer" else "5" for column in columns)])
            said = {"table": table, "name": name, "stat": stat}
            connection.execute(text("INSERT INTO sqlite_stat1 VALUES (:table, :name, :stat)"), said)
    db.close()  # what is known of tables is read by each connection as it begins


def _read_whole(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Tables that the statement reads from end to end."""
    if connection.dialect.name == "postgresql":
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
        return [found[1] for line in plan if (found := _SEQUENTIAL.search(line))]
    steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    return [found[1] or found[2] for step in steps if (found := _WHOLE.match(step[3]))]


async def test_no_query_of_the_api_reads_a_whole_table(db: Database) -> None:
    """Of all statements that all operations execute, each finds its rows by an index, on SQLite and PostgreSQL."""
    key = api_keys.create(db, "hooli", "")
    app = make_api(db, lambda customer: Feed(customer, lambda _: True, 1e6, 1_000_000), lambda: {"ups": DEFAULT_GAP})
    door, bearer = httpx.ASGITransport(app), {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=door, base_url="http://gateway", headers=bearer) as client:
        with _executed() as seen:
            await _walk(client)
    statements = {said: how for said, how in seen if said.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE"))}
    assert len(statements) > 6
    found = {}
    _grow(db)
    with db.read() as connection:
        if connection.dialect.name == "postgresql":  # by itself it reads a table of few rows from end to end
            connection.execute(text("SET enable_seqscan = off"))
        for statement, parameters in statements.items():
            if whole := set(_read_whole(connection, statement, parameters)) - _SMALL:
                found[statement] = whole
    assert {} == found
