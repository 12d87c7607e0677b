"""What came → what we say of it: receipts are filled while a document is read, and answered when it has been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from edi_gateway.acknowledgements import MESSAGE_TYPES, Kind, Receipt, ReceivedMessage
from edi_gateway.errors import RefusedError
from edi_gateway.model import Interchange, Message, OutboundDocument, utc_now
from edi_gateway.pipeline.partners import Acknowledge
from edi_gateway.pipeline.reading import Reading
from edi_gateway.store import answers, outbox
from edi_gateway.store.engine import part
from edi_gateway.store.sealed import Terms, enter
from edi_gateway.store.tables import Document

log = structlog.get_logger()


def received(reading: Reading, message: Message) -> ReceivedMessage:
    """What a step of reading found in its message."""
    bare = replace(message, body=None, findings=())  # so that its segments can go
    said = reading.said
    return ReceivedMessage(bare, len(said.events) if said else 0, message.findings, said.findings if said else ())


@dataclass(slots=True)
class _Receiving:
    """A receipt in the making."""

    interchange: Interchange
    digest: str
    repeated: bool  # its reference came before, with another content
    duplicate_of: int | None  # the document that was accepted with the same content
    count: int = 0
    acknowledgements: int = 0  # messages of it that are such themselves
    messages: list[ReceivedMessage] = field(default_factory=list)

    def receipt(self, content: bytes) -> Receipt:
        """What there is to be answered."""
        repeated, place = self.repeated or self.duplicate_of is not None, self.interchange.position
        return Receipt(
            self.interchange, self.messages, self.count, repeated, memoryview(content)[place.start : place.end]
        )


@dataclass(slots=True)
class Answering:
    """The answers to one document."""

    document: Document
    content: bytes
    acknowledge: Acknowledge
    _receiving: dict[int, _Receiving] = field(default_factory=dict)

    def opens(
        self, number: int, interchange: Interchange, digest: str, *, repeats: int | None, duplicate: bool
    ) -> None:
        """An interchange begins; ``repeats`` is the document that had its reference."""
        bare = replace(interchange, messages=iter(()))
        self._receiving[number] = _Receiving(
            bare,
            digest,
            repeated=repeats is not None and not duplicate,
            duplicate_of=repeats if duplicate else None,
        )

    def add(self, number: int, messages: Sequence[ReceivedMessage]) -> None:
        """Messages of an interchange have been read."""
        receiving = self._receiving.get(number)
        if receiving is None:
            return
        for one in messages:
            if one.message.type in MESSAGE_TYPES:
                receiving.acknowledgements += 1
                continue
            receiving.count += 1
            if self.acknowledge.writer.every_message or one.syntax or one.sense:
                receiving.messages.append(one)

    def answer(self, connection: Connection, now: datetime | None = None) -> None:
        """Seal what each interchange is owed, once; in the transaction that finishes recording them."""
        if not self._receiving:
            return
        made = answers.answered(connection, self.document.id)
        first = self.document.processed_at is None
        for number, receiving in self._receiving.items():
            if (first and self._sent_again(connection, receiving)) or self._silent(receiving):
                continue
            receipt = receiving.receipt(self.content)
            for kind in self.acknowledge.kinds:
                if (number, kind) not in made and self.acknowledge.due(kind, receipt):
                    self._seal(connection, number, kind, receipt, now or utc_now())

    @staticmethod
    def _sent_again(connection: Connection, receiving: _Receiving) -> bool:
        """Whether the sender gets once more what he was told when the same interchange came first."""
        original = receiving.duplicate_of
        return original is not None and answers.send_again(connection, original, receiving.digest)

    def _silent(self, receiving: _Receiving) -> bool:
        """Whether nothing is to be said: to nobody, or to an acknowledgement."""
        receipt = receiving.receipt(self.content)
        if not receipt.answerable:
            return True
        if receiving.count or receiving.acknowledgements:
            return not receiving.count
        return self.acknowledge.writer.acknowledges(receipt.content)

    def _seal(self, connection: Connection, number: int, kind: Kind, receipt: Receipt, now: datetime) -> None:
        outlet, delivery_id, error = self.acknowledge.outlet, None, ""
        key = self.acknowledge.writer.sequence(receipt)
        subject = receipt.interchange
        terms = Terms(key, subject.recipient.id, subject.sender.id, acknowledges=kind)
        try:
            with part(connection):
                control = outbox.next_control_number(
                    connection, key, outlet.numbers.start, outlet.numbers.maximum, roll_over=outlet.numbers.roll_over
                )
                content = self.acknowledge.writer.write(kind, receipt, control, now)
                name = outlet.file_name(control, now, kind, subject.sender.id)
                file = OutboundDocument(name, content)
                delivery_id = enter(connection, outlet.name, outlet.partner, control, file, terms=terms)
        except RefusedError as refusal:
            error = str(refusal)
            log.error("acknowledgement.refused", outlet=outlet.name, interchange=subject.control_ref, why=error)
        answers.note(connection, self.document.id, number, kind, outlet.name, receipt.verdict, delivery_id, error)
