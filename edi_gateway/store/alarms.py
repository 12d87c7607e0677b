"""Alarms: what a person has to look at now. One stands until its cause is gone, however often it is noticed."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import ColumnElement, Connection, delete, update
from sqlmodel import Session, col, select

from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database, insert_new, storable
from edi_gateway.store.tables import METADATA, Alarm

log = structlog.get_logger()
ALARM: Final = METADATA.tables["alarm"]


class AlarmKind(StrEnum):
    """What is wrong; the subject says with whom."""

    CHANNEL_FAILING = "channel_failing"  # its server cannot be polled or shows another key, or its requests are refused
    REGISTRATION_FAILING = "registration_failing"  # its carrier does not renew what makes it send there
    INTAKE_PAUSED = "intake_paused"  # the database takes nothing, so nothing is fetched
    CONFIGURATION = "configuration"  # what lies in the configuration folder could not be loaded
    DEAD_LETTER = "dead_letter"  # files a customer will not get by themselves
    SEALING_REFUSED = "sealing_refused"  # no file can be made for a destination
    OVERDUE = "acknowledgement_overdue"  # a partner does not say what became of files that were delivered to it
    REJECTED = "delivery_rejected"  # a partner says that it cannot use a file
    UNANSWERED = "acknowledgement_late"  # a carrier does not get the acknowledgements it is owed
    ORDER_BLOCKED = "order_blocked"  # a dead letter holds back the files behind it
    DESTINATION_FAILING = "destination_failing"  # nothing of what is sent there arrives
    DISABLED_SOON = "destination_disabled_soon"  # within a day, if that goes on
    DISABLED = "destination_disabled"  # nothing is sent there until a person says so


_OF_CHANNELS: Final = (AlarmKind.CHANNEL_FAILING, AlarmKind.REGISTRATION_FAILING)
_OF_DESTINATIONS: Final = (
    AlarmKind.DEAD_LETTER,
    AlarmKind.SEALING_REFUSED,
    AlarmKind.ORDER_BLOCKED,
    AlarmKind.OVERDUE,
    AlarmKind.REJECTED,
    AlarmKind.UNANSWERED,
    AlarmKind.DESTINATION_FAILING,
    AlarmKind.DISABLED_SOON,
    AlarmKind.DISABLED,
)


def raise_alarm(db: Database, kind: AlarmKind, subject: str, text: str) -> bool:
    """Let the alarm stand, with this text from now on; returns whether it is a new one.

    Cheap when nothing changes: a look, no write.
    """
    text = storable(text)
    standing = _standing(db, kind, subject)
    if standing and standing.text == text:
        return False
    with db.write() as connection:
        if not _say(connection, kind, subject, text):
            row = {"kind": kind, "subject": subject, "text": text, "raised_at": utc_now()}
            connection.execute(insert_new(connection, ALARM), row)
    if standing is None:
        log.error("alarm.raised", kind=kind, subject=subject, why=text)
    return standing is None


def clear_alarm(db: Database, kind: AlarmKind, subject: str) -> bool:
    """The cause is gone; returns whether the alarm stood. As cheap as `raise_alarm` when it did not."""
    if _standing(db, kind, subject) is None:
        return False
    with db.write() as connection:
        connection.execute(delete(ALARM).where(*_this(kind, subject)))
    log.info("alarm.cleared", kind=kind, subject=subject)
    return True


def clear_gone(db: Database, channels: Collection[str], destinations: Collection[str]) -> None:
    """Nobody works for any other channel or destination, so nobody else would ever clear their alarms."""
    there = dict.fromkeys(_OF_CHANNELS, channels) | dict.fromkeys(_OF_DESTINATIONS, destinations)
    for alarm in alarms(db):
        kind = AlarmKind(alarm.kind)
        if kind in there and alarm.subject not in there[kind]:
            clear_alarm(db, kind, alarm.subject)


def alarms(db: Database) -> list[Alarm]:
    """Every alarm that stands, the oldest first."""
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(select(Alarm).order_by(col(Alarm.raised_at), col(Alarm.kind), col(Alarm.subject))))


def _standing(db: Database, kind: AlarmKind, subject: str) -> Alarm | None:
    with db.read() as connection, Session(connection) as session:
        return session.get(Alarm, (kind.value, subject))


def _say(connection: Connection, kind: AlarmKind, subject: str, text: str) -> int:
    return connection.execute(update(ALARM).where(*_this(kind, subject)).values(text=text)).rowcount


def _this(kind: AlarmKind, subject: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ALARM.c.kind == kind, ALARM.c.subject == subject
