"""A process that sends what is due to a webhook until nothing is left.

Its arguments: URL of the database, URL of the receiver, a folder.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from edi_gateway.pipeline.deliver import deliver
from edi_gateway.store import claims
from edi_gateway.store.engine import Database
from tests.notifications import destination


async def main(database: str, url: str, folder: str) -> None:
    """As a daemon does that knows itself to be alone: first, what an earlier process had claimed is free again."""
    db = Database(database)
    claims.release_all(db)
    live = destination(Path(folder), url, pytest.MonkeyPatch(), in_flight=4)
    await deliver(db, live)
    await live.sink.close()
    db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
