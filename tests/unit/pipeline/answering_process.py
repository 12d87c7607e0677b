"""A node of its own that records and answers a document, and is killed at every step of it.

Usage: python -m tests.unit.pipeline.answering_process DATABASE_URL FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline import process
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from tests.unit.pipeline.iftsta import interchange, message, sts
from tests.unit.pipeline.partnership import wired
from tests.unit.pipeline.sealing_process import killed_at_every_step


def main(url: str, folder: Path) -> None:
    """Run, and say how many steps were killed."""
    partners = wired(folder, "[contrl, aperak]")
    process.EVENTS_PER_TRANSACTION = 1  # so that the document takes several
    content = b"".join(interchange(message(sts(f"K{n}", "ZZ", 0)), ref=f"I{n}") for n in (1, 2))
    db = Database(url)
    inbox.receive(db, "speedy", [RawDocument("speedy/files", "a", content, utc_now())])
    db.close()
    steps = killed_at_every_step(url, lambda db: process.process_pending(db, partners.channels, partners.destinations))
    sys.stdout.write(f"\n{steps}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
