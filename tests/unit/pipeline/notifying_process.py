"""A node of its own that seals notifications for hooli with several threads, or that is killed at every step of it.

Usage: python -m tests.unit.pipeline.notifying_process {many|kills} DATABASE_URL FOLDER; the sink ``hook`` lies there.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edi_gateway.model import utc_now
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store.engine import Database
from tests.notified import destination, wire_hooli
from tests.unit.pipeline.sealing_process import killed_at_every_step


def main(what: str, url: str, folder: Path) -> None:
    """Run, and say how many steps were killed."""
    sys.path.insert(0, str(folder / "hooks"))
    hooli = destination(wire_hooli(folder, "events: all", "order: shipment"))
    if what == "kills":
        steps = killed_at_every_step(url, lambda db: seal_due(db, hooli, utc_now()))
        sys.stdout.write(f"\n{steps}\n")
        return
    db = Database(url)

    def seal(_turn: int) -> None:
        while seal_due(db, hooli, utc_now(), 1):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(seal, range(8)))
    db.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
