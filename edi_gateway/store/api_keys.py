"""Customers' keys to the API: made, found by what is shown of them, revoked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA
from edi_gateway.worlds import world_for

API_KEY: Final = METADATA.tables["api_key"]
SCOPES: Final = ("read", "trackers", "webhooks")
_LIVE: Final = "egw_live_"
_TEST: Final = "egw_test_"
_HANDLE: Final = 12  # characters
_USED: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Key:
    """Who asks, and what they may."""

    id: int
    customer: str
    name: str
    handle: str
    test: bool
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    @property
    def whose(self) -> str:
        """Whose data it opens: the customer's own, or those of its test world."""
        return world_for(self.customer) if self.test else self.customer

    def holds(self, now: datetime) -> bool:
        """Whether it is neither revoked nor out of date."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def create(
    db: Database,
    customer: str,
    name: str,
    scopes: Collection[str] = SCOPES,
    *,
    test: bool = False,
    expires_at: datetime | None = None,
) -> str:
    """Make a key and return it; nobody can ever be shown it again."""
    handle, secret = _letters(_HANDLE), secrets.token_urlsafe(32)
    key = f"{_TEST if test else _LIVE}{handle}_{secret}"
    row = {
        "customer": customer,
        "name": name,
        "handle": handle,
        "digest": _digest(key),
        "test": test,
        "scopes": " ".join(sorted(scopes)),
        "created_at": utc_now(),
        "expires_at": expires_at,
    }
    with db.write() as connection:
        connection.execute(insert(API_KEY), row)
    return key


def find(db: Database, key: str) -> Key | None:
    """Whose key this is; None when it is nobody's, revoked or out of date."""
    prefix = next((each for each in (_LIVE, _TEST) if key.startswith(each)), None)
    handle = key[len(prefix) : len(prefix) + _HANDLE] if prefix else ""
    with db.read() as connection:
        row = connection.execute(select(API_KEY).where(API_KEY.c.handle == handle)).one_or_none()
    # Compared in any case: how long it takes says nothing of which handles there are.
    same = hmac.compare_digest(row.digest if row else _digest(""), _digest(key))
    if row is None or not same:
        return None
    found = _key(row)
    return found if found.holds(utc_now()) else None


def note_use(db: Database, key: Key) -> None:
    """Remember that a key was used, to the minute."""
    now = utc_now()
    if key.used_at is not None and now - key.used_at < _USED:
        return
    with db.write() as connection:
        connection.execute(update(API_KEY).where(API_KEY.c.id == key.id).values(used_at=now))


def revoke(db: Database, handle: str) -> None:
    """Let a key open nothing from now on. Raises LookupError when there is none of that handle that still does."""
    valid = (API_KEY.c.handle == handle) & API_KEY.c.revoked_at.is_(None)
    with db.write() as connection:
        if not connection.execute(update(API_KEY).where(valid).values(revoked_at=utc_now())).rowcount:
            raise LookupError(f"no key {handle} that is not revoked; see edi-gateway keys list")


def keys(db: Database, customer: str = "") -> Sequence[Key]:
    """All keys, or a customer's, the oldest first."""
    wanted = select(API_KEY).order_by(API_KEY.c.id)
    wanted = wanted.where(API_KEY.c.customer == customer) if customer else wanted
    with db.read() as connection:
        return [_key(row) for row in connection.execute(wanted)]


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        customer=row.customer,
        name=row.name,
        handle=row.handle,
        test=row.test,
        scopes=frozenset(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )


def _letters(count: int) -> str:
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(count))


def _digest(key: str) -> str:
    # A plain hash serves: what is hashed is 256 bits of chance, and nobody can guess it.
    return hashlib.sha256(key.encode()).hexdigest()
