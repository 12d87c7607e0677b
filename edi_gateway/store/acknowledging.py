"""Tables of acknowledgements: those we owe for what came, and what partners say of what we sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field

from edi_gateway.acknowledgements import Kind, Verdict
from edi_gateway.store.columns import BIG, STRUCTURE, Base, key, to, word


class Answer(Base, table=True):
    """One kind of acknowledgement of one interchange of a document: made once, and sealed in its delivery."""

    document_id: int = Field(primary_key=True, foreign_key="document.id", sa_type=BIG)
    number: int = Field(primary_key=True)  # of the interchange within the document, from 1
    kind: Kind = Field(primary_key=True, sa_type=word(Kind, "kind"))
    outlet: str
    verdict: Verdict = Field(sa_type=word(Verdict, "verdict"))
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", sa_type=BIG, index=True)
    error: str = Field(default="", sa_type=Text)  # why none could be written
    created_at: datetime


class StatementRow(Base, table=True):
    """What a partner says of one delivery, or of one message of it."""

    __tablename__ = "statement"

    id: int = key()
    document_id: int = to("document.id", index=True)
    delivery_id: int = to("delivery.id", index=True)
    kind: Kind = Field(sa_type=word(Kind, "kind"))
    verdict: Verdict = Field(sa_type=word(Verdict, "verdict"))
    part: str = ""  # the message it is about, where it is about one alone
    reasons: list[str] = Field(default_factory=list, sa_type=STRUCTURE)
    received_at: datetime
