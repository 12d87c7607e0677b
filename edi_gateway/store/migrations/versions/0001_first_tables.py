"""The first tables. Says everything itself: what a table looks like later must not change what this made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRUCTURE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
STATUS = (
    "UNKNOWN PENDING PICKED_UP IN_TRANSIT EXCEPTION OUT_FOR_DELIVERY ATTEMPT_FAILURE AVAILABLE_FOR_PICKUP"
    " RETURN_TO_SENDER LOST DELIVERED RETURNED CANCELLED"
)
FUNCTION = "original cancellation replacement"


def upgrade() -> None:
    _documents()
    _events()
    _reports()
    _outbound()
    _sealed()


def _documents() -> None:
    op.create_table("content", _digest(primary_key=True), _number("seq", primary_key=True), _bytes("chunk"))
    op.create_table(
        "document",
        _id(),
        *_texts("channel carrier name error"),
        _digest(),
        _big("size"),
        _instant("received_at"),
        _instant("processed_at", nullable=True),
        *_word("state", "received processed partly_processed quarantined ignored"),
        _to("document", "duplicate_of", nullable=True),
        *_numbers("messages events_new events_duplicate events_retracted events_unmapped findings"),
    )
    op.create_index("ix_document_carrier", "document", ["carrier", "digest"])
    op.create_index("ix_document_state", "document", ["state", "id"])
    op.create_table("source_key", *_texts("channel key", primary_key=True), _to("document"))
    op.create_table(
        "finding",
        _id(),
        _to("document"),
        *_word("severity", "warning quarantine"),
        *_word("level", "document interchange message event"),
        *_word("state", "open ignored resolved"),
        *_texts("interchange message tag code"),
        *_numbers("segment element component"),
        _big("start"),
        _big("end"),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("found", "expected", "advice")),
        _instant("created_at"),
    )
    op.create_index("ix_finding_document_id", "finding", ["document_id"])
    _partial_index("ix_finding_open", "finding", ["id"], "state = 'open'")


def _events() -> None:
    op.create_table(
        "shipment",
        _id(),
        *_texts("carrier tracking_number reason fingerprint"),
        _number("epoch"),
        *_word("status", STATUS),
        *_word("direction", "forward return"),
        *_word("tracking_state", "active quiet paused expired closed"),
        *(_instant(name, nullable=True) for name in ("status_at", "first_event_at", "last_event_at")),
        sa.Column("milestones", STRUCTURE, nullable=False),
        sa.UniqueConstraint("carrier", "tracking_number", "epoch"),
    )
    op.create_table(
        "event",
        _id(),
        _to("shipment"),
        sa.Column("fingerprint", sa.String(32), nullable=False, unique=True),
        *_texts("carrier tracking_number piece reason raw_code code_list code_agency raw_reason"),
        *_texts("location_name unlocode country account signatory"),
        sa.Column("text", sa.Text(), nullable=False),
        *_word("status", STATUS),
        *_word("classifier", "ACT EST PLN"),
        *_word("direction", "forward return"),
        *_word("time_basis", "offset location partner assumed"),
        *_flags("mapped correction date_only retracted"),
        _instant("occurred_at"),
        _number("utc_offset"),
        _instant("received_at"),
        sa.Column("references", STRUCTURE, nullable=False),
    )
    op.create_index("ix_event_shipment_id", "event", ["shipment_id"])
    _partial_index("ix_event_unmapped", "event", ["carrier", "raw_code"], "NOT mapped")


def _reports() -> None:
    op.create_table(
        "provenance",
        _id(),
        _to("event"),
        _to("document"),
        *_texts("interchange message document_number mapping mapping_version rule"),
        *_word("function", FUNCTION),
        *_numbers("segment utc_offset"),
        _big("start"),
        _big("end"),
        *_flags("date_only correction"),
        _instant("received_at"),
        _instant("occurred_at"),
        _instant("issued_at", nullable=True),
    )
    op.create_index("ix_provenance_event_id", "provenance", ["event_id"])
    op.create_index("ix_provenance_document_id", "provenance", ["document_id"])
    _partial_index("ix_provenance_document_number", "provenance", ["document_number"], "document_number <> ''")
    op.create_table(
        "amendment",
        _id(),
        _to("document"),
        *_texts("carrier document_number"),
        *_word("function", FUNCTION),
        _instant("issued_at", nullable=True),
        _instant("received_at"),
    )
    op.create_index("ix_amendment_document_id", "amendment", ["document_id"])
    op.create_index("ix_amendment_document_number", "amendment", ["document_number", "carrier"])


def _outbound() -> None:
    op.create_table(
        "subscription",
        _id(),
        *_texts("customer carrier tracking_number"),
        _instant("created_at"),
        sa.UniqueConstraint("tracking_number", "customer", "carrier"),
    )
    op.create_table("control_number", *_texts("key", primary_key=True), _big("next_value"))
    op.create_table(
        "delivery",
        _id(),
        *_texts("destination customer name last_error"),
        _big("control_number"),
        _digest(),
        _big("size"),
        *_numbers("event_count attempts"),
        *_word("state", "sealed retrying delivered acknowledged dead"),
        _instant("sealed_at"),
        _instant("next_attempt_at", nullable=True),
        _instant("delivered_at", nullable=True),
    )
    op.create_index("ix_delivery_due", "delivery", ["destination", "state", "next_attempt_at"])


def _sealed() -> None:
    op.create_table(
        "outbox",
        _id(),
        *_texts("destination customer error"),
        _to("event"),
        _to("shipment"),
        _to("delivery", nullable=True),
        *_word("action", "report cancel"),
        *_word("state", "pending sealed refused"),
        _instant("created_at"),
    )
    _partial_index(
        "uq_outbox_pending", "outbox", ["destination", "event_id", "action"], "state = 'pending'", unique=True
    )
    op.create_index("ix_outbox_event_id", "outbox", ["event_id", "destination"])
    op.create_index("ix_outbox_shipment_id", "outbox", ["shipment_id"])
    op.create_index("ix_outbox_delivery_id", "outbox", ["delivery_id"])
    op.create_table(
        "attempt",
        _to("delivery", primary_key=True),
        _number("number", primary_key=True),
        *_word("outcome", "started delivered failed refused"),
        *_texts("detail"),
        _instant("started_at"),
        _instant("finished_at", nullable=True),
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", BIG, primary_key=True)


def _digest(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column("digest", sa.String(64), nullable=False, primary_key=primary_key)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _number(name: str, *, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, primary_key=primary_key)


def _numbers(names: str) -> list[sa.Column[int]]:
    return [_number(name) for name in names.split()]


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


def _flags(names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean(), nullable=False) for name in names.split()]


def _texts(names: str, *, primary_key: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False, primary_key=primary_key) for name in names.split()]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _to(table: str, name: str = "", *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    target = sa.ForeignKey(f"{table}.id")
    return sa.Column(name or f"{table}_id", BIG, target, nullable=nullable, primary_key=primary_key)


def _word(name: str, words: str) -> tuple[sa.Column[str], sa.CheckConstraint]:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return sa.Column(name, sa.String(20), nullable=False), sa.CheckConstraint(f"{name} IN ({listed})", name=name)


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
