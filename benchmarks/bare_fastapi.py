"""``python -m benchmarks.bare_fastapi PORT DATABASE``: the least an HTTP intake can do, one row for each request."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

from edi_gateway.store.engine import Database

app = FastAPI()
db = Database(sys.argv[2])
_INSERT = text("INSERT INTO bare (body) VALUES (:body) RETURNING id")


def _commit(body: bytes) -> int:
    with db.write() as connection:
        return int(connection.execute(_INSERT, {"body": body}).scalar_one())


@app.post("/inbound")
async def keep(request: Request) -> dict[str, int]:
    """Commit the body as a row."""
    return {"document": await run_in_threadpool(_commit, await request.body())}


if __name__ == "__main__":
    with db.write() as connection:
        connection.execute(text("CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"))
    uvicorn.run(app, port=int(sys.argv[1]), http="h11", access_log=False, log_level="error")
