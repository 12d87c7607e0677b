"""When a server that is asked too much wants to be asked again."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from edi_gateway.model import utc_now

_LONGEST: Final = timedelta(days=1)


def retry_after(said: str) -> datetime | None:
    """What the header Retry-After says, seconds or a date; at most a day ahead. None for anything else."""
    said, now = said.strip(), utc_now()
    try:
        at = now + timedelta(seconds=int(said)) if said.isdecimal() else parsedate_to_datetime(said)
    except OverflowError:
        return now + _LONGEST
    except ValueError:
        return None
    return min(max(at, now), now + _LONGEST) if at.tzinfo else None
