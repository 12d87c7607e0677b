"""Documents as they arrive: received in one durable transaction, then taken up, settled, perhaps taken up again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, exists, func, insert, literal_column, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from edi_gateway.model import RawDocument, utc_now
from edi_gateway.store import answers, content
from edi_gateway.store.engine import Database, chunks, insert_new, reserve_ids, storable
from edi_gateway.store.tables import METADATA, Document, DocumentState

DOCUMENT: Final = METADATA.tables["document"]
SOURCE_KEY: Final = METADATA.tables["source_key"]
PROVENANCE: Final = METADATA.tables["provenance"]


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one arrival: RECEIVED to be processed, or IGNORED as a copy of ``duplicate_of``."""

    document_id: int
    state: DocumentState
    duplicate_of: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found in a document."""

    messages: int = 0
    events_new: int = 0
    events_duplicate: int = 0
    events_retracted: int = 0
    events_unmapped: int = 0
    findings: int = 0


def receive(db: Database, carrier: str, documents: Sequence[RawDocument]) -> list[Received]:
    """Commit the documents' bytes, rows and source keys in one transaction; their sources may then be cleared.

    Bytes this carrier sent before, under any name and through any channel, are marked as duplicates, unless that
    earlier document could not be used at all. Raises TransientError.
    """
    with db.write() as connection:
        return _receive(connection, carrier, documents)


def receive_mixed(db: Database, documents: Sequence[tuple[str, RawDocument]]) -> list[Received]:
    """Commit documents of several carriers, each with its carrier's name, in one transaction. See receive."""
    by_carrier: dict[str, list[int]] = {}
    for place, (carrier, _) in enumerate(documents):
        by_carrier.setdefault(carrier, []).append(place)
    received: dict[int, Received] = {}
    with db.write() as connection:
        for carrier, places in by_carrier.items():
            theirs = _receive(connection, carrier, [documents[place][1] for place in places])
            received.update(zip(places, theirs, strict=True))
    return [received[place] for place in range(len(documents))]


def known(db: Database, channel: str, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` whose bytes are committed already."""
    stored: set[str] = set()
    with db.read() as connection:
        for some in chunks(storable(key) for key in keys):
            there = select(SOURCE_KEY.c.key).where(SOURCE_KEY.c.channel == channel, SOURCE_KEY.c.key.in_(some))
            stored.update(connection.execute(there).scalars())
    return {key for key in keys if storable(key) in stored}


def forget(db: Database, channel: str, key: str) -> None:
    """Forget a committed key whose copy has been cleared, so that an equal-looking file is read."""
    with db.write() as connection:
        connection.execute(delete(SOURCE_KEY).where(SOURCE_KEY.c.channel == channel, SOURCE_KEY.c.key == storable(key)))


def retain(db: Database, channel: str, keys: Collection[str]) -> int:
    """Forget the channel's committed keys that are not among ``keys``, their files are gone; return how many."""
    kept = {storable(key) for key in keys}
    with db.read() as connection:  # mostly nothing is gone, and a look takes no turn at writing
        there = connection.execute(select(SOURCE_KEY.c.key).where(SOURCE_KEY.c.channel == channel)).scalars()
        gone = [key for key in there if key not in kept]
    if not gone:
        return 0
    with db.write() as connection:
        for some in chunks(gone):
            connection.execute(delete(SOURCE_KEY).where(SOURCE_KEY.c.channel == channel, SOURCE_KEY.c.key.in_(some)))
    return len(gone)


def to_process(db: Database, channels: Collection[str], limit: int = 100) -> list[Document]:
    """Documents of these channels that wait to be processed, oldest first."""
    # Spelled out, because a bound value would hide from SQLite that its partial index fits.
    received = col(Document.state) == literal_column("'received'")
    waiting = select_rows(Document).where(received, col(Document.channel).in_(channels))
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(waiting.order_by(col(Document.id)).limit(limit)))


def channels_waiting(db: Database) -> set[str]:
    """The channels that have documents waiting to be processed."""
    with db.read() as connection:
        waiting = select(DOCUMENT.c.channel).where(DOCUMENT.c.state == DocumentState.RECEIVED).distinct()
        return set(connection.execute(waiting).scalars())


def documents(
    db: Database,
    *,
    carrier: str | None = None,
    channel: str | None = None,
    state: DocumentState | None = None,
    limit: int = 100,
) -> list[Document]:
    """Documents that fit every filter given, newest first."""
    wanted = select_rows(Document).order_by(col(Document.id).desc()).limit(limit)
    for column, value in ((Document.carrier, carrier), (Document.channel, channel), (Document.state, state)):
        wanted = wanted if value is None else wanted.where(col(column) == value)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted))


def document(db: Database, document_id: int) -> Document:
    """That document. Raises LookupError when there is none."""
    with db.read() as connection, Session(connection) as session:
        found = session.get(Document, document_id)
    if found is None:
        raise LookupError(f"no document {document_id}")
    return found


def last_received(db: Database, carrier: str, begins: str) -> datetime | None:
    """When a carrier's latest document came whose name begins like that; None when none did."""
    alike = (DOCUMENT.c.carrier == carrier) & DOCUMENT.c.name.startswith(begins, autoescape=True)
    with db.read() as connection:
        return connection.execute(
            select(DOCUMENT.c.received_at).where(alike).order_by(DOCUMENT.c.id.desc()).limit(1)
        ).scalar()


def all_processed(db: Database, document_ids: Collection[int]) -> bool:
    """Whether none of these documents waits to be processed."""
    waiting = (DOCUMENT.c.state == DocumentState.RECEIVED) & DOCUMENT.c.id.in_(document_ids)
    with db.read() as connection:
        return connection.execute(select(DOCUMENT.c.id).where(waiting).limit(1)).first() is None


def load(db: Database, digest: str) -> bytes:
    """The bytes of that digest. Raises LookupError when there are none."""
    return content.load(db, digest)


def settle(
    connection: Connection,
    document_id: int,
    state: DocumentState,
    counts: Counts,
    error: str = "",
    duplicate_of: int | None = None,
) -> None:
    """Write down what became of a document, within the transaction that stores what it said."""
    done = {"state": state, "processed_at": utc_now(), "error": storable(error), "duplicate_of": duplicate_of}
    connection.execute(update(DOCUMENT).where(DOCUMENT.c.id == document_id).values(done | asdict(counts)))


def reopen(connection: Connection, document_id: int) -> None:
    """Put a document back among those to process. Raises LookupError when there is none.

    A duplicate that is reopened is a document in its own right from then on. ``processed_at`` stays: it tells a
    document that was read to its end from one whose reading broke off.
    """
    again = {"state": DocumentState.RECEIVED, "duplicate_of": None, "error": ""}
    if not connection.execute(update(DOCUMENT).where(DOCUMENT.c.id == document_id).values(again)).rowcount:
        raise LookupError(f"no document {document_id}")


def note_reading(connection: Connection, document_id: int, reading: str) -> None:
    """What is recorded so far of a document whose reading is not at its end was read in this way."""
    connection.execute(update(DOCUMENT).where(DOCUMENT.c.id == document_id).values(reading=reading))


def told_first(connection: Connection, document_id: int) -> int:
    """How many events this document was the first to tell, by the time it was received."""
    other = PROVENANCE.alias()
    sooner = (other.c.received_at < PROVENANCE.c.received_at) | (
        (other.c.received_at == PROVENANCE.c.received_at) & (other.c.document_id < document_id)
    )
    told_before = exists().where(other.c.event_id == PROVENANCE.c.event_id, other.c.document_id != document_id, sooner)
    first = select(func.count(PROVENANCE.c.event_id.distinct())).where(
        PROVENANCE.c.document_id == document_id, ~told_before
    )
    return connection.execute(first).scalar_one()


def _receive(connection: Connection, carrier: str, documents: Sequence[RawDocument]) -> list[Received]:
    digests = [document.digest for document in documents]
    content.store(connection, dict(zip(digests, (document.content for document in documents), strict=True)))
    originals = _usable(connection, carrier, digests)
    for original in set(originals.values()):
        answers.send_again(connection, original)  # who sends it again has not heard
    ids = reserve_ids(connection, DOCUMENT, len(documents))
    received = list(_judged(ids, digests, originals))
    rows = [
        _row(carrier, document, digest, what)
        for document, digest, what in zip(documents, digests, received, strict=True)
    ]
    keys = [
        {"channel": document.channel, "key": storable(document.key), "document_id": document_id}
        for document, document_id in zip(documents, ids, strict=True)
        if document.key
    ]
    if rows:
        connection.execute(insert(DOCUMENT), rows)
    if keys:
        connection.execute(insert_new(connection, SOURCE_KEY), keys)
    return received


def _usable(connection: Connection, carrier: str, digests: Sequence[str]) -> dict[str, int]:
    """Digest → the first document of this carrier with these bytes that was, or still may be, of use."""
    useless = (DocumentState.QUARANTINED, DocumentState.IGNORED)
    first: dict[str, int] = {}
    for some in chunks(digests):
        earlier = (
            select(DOCUMENT.c.digest, func.min(DOCUMENT.c.id))
            .where(DOCUMENT.c.carrier == carrier, DOCUMENT.c.digest.in_(some), DOCUMENT.c.state.not_in(useless))
            .group_by(DOCUMENT.c.digest)
        )
        first.update((digest, document_id) for digest, document_id in connection.execute(earlier))
    return first


def _judged(ids: Sequence[int], digests: Sequence[str], originals: dict[str, int]) -> Iterator[Received]:
    for document_id, digest in zip(ids, digests, strict=True):
        original = originals.setdefault(digest, document_id)
        if original == document_id:
            yield Received(document_id, DocumentState.RECEIVED, None)
        else:
            yield Received(document_id, DocumentState.IGNORED, original)


def _row(carrier: str, document: RawDocument, digest: str, received: Received) -> dict[str, object]:
    return asdict(Counts()) | {
        "id": received.document_id,
        "channel": document.channel,
        "carrier": carrier,
        "name": storable(document.name),
        "digest": digest,
        "size": len(document.content),
        "received_at": document.received_at,
        "state": received.state,
        "duplicate_of": received.duplicate_of,
        "processed_at": None,
        "error": "",
        "reading": "",
    }
