"""What came of the run, asked where a person would ask: the gateway's command, and the partners' mailboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demo.configuration import MAILBOXES
from demo.gateway import Daemon, Json, ask_all
from demo.http_partners import Shop
from demo.outbound import Outbound, read
from demo.scene import Carriers


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the summary shows and the checks judge."""

    documents: Sequence[Json]  # oldest first
    quarantine: Sequence[Json]
    unmapped: Sequence[Json]
    deliveries: Sequence[Json]
    outbox: Json  # destination → events that wait, or cannot be written
    received: Mapping[str, Sequence[Outbound]]  # customer → files in its mailbox, in the order of their names
    notified: Sequence[Json]  # what umbra's shop took, in order
    forged: Sequence[str]  # what it refused for its signature
    answered: Sequence[int]  # status of each request of velopost
    left: Sequence[str]  # files still in the carriers' outboxes
    completed: Mapping[str, datetime]  # file → when the carrier wrote its last byte
    taken: Mapping[str, datetime]  # file → when the gateway had it
    exit_code: int

    def document(self, name: str) -> Json:
        """The document of that file name, {} when there is none."""
        return next((document for document in self.documents if document["name"] == name), {})


def collect(
    config: Path,
    mailboxes: Path,
    carriers: Carriers,
    shop: Shop,
    answered: Sequence[int],
    daemon: Daemon,
    exit_code: int,
) -> Outcome:
    """Ask for everything. Raises CommandError, and what `outbound.read` raises."""
    documents, quarantine, unmapped, deliveries, (status,) = ask_all(
        config, ("documents", "list"), ("quarantine", "list"), ("unmapped",), ("deliveries", "list"), ("status",)
    )
    return Outcome(
        documents=documents[::-1],
        quarantine=quarantine,
        unmapped=unmapped,
        deliveries=deliveries[::-1],
        outbox=status["outbox"],
        received={customer: _files(mailboxes / customer / folder) for customer, folder in MAILBOXES.items()},
        notified=shop.taken,
        forged=shop.refused,
        answered=answered,
        left=[path.name for box in carriers.outboxes.values() for path in sorted(box.iterdir()) if path.is_file()],
        completed=carriers.completed,
        taken={
            record["file"]: datetime.fromisoformat(record["timestamp"])
            for record in daemon.records
            if record["event"] == "document.received"
        },
        exit_code=exit_code,
    )


def _files(folder: Path) -> list[Outbound]:
    return [read(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
