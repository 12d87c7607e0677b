"""Cursors: places in a list that a customer hands back unread."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from edi_gateway.web.api.problems import ProblemError

_LARGEST = 2**63 - 1

Cursor = Annotated[str, Query(max_length=100, description="next of the page before", examples=["MTI"])]
"""A place in a list that is ordered by one number."""


def written(*numbers: int) -> str:
    """The numbers as a cursor."""
    return base64.urlsafe_b64encode(".".join(map(str, numbers)).encode()).decode().rstrip("=")


def read(cursor: str, count: int) -> Sequence[int]:
    """The numbers of a cursor, zeros for none. Raises ProblemError for what is no cursor of ours."""
    if not cursor:
        return (0,) * count
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        numbers = [int(part) for part in text.split(".") if part.isdigit() and len(part) < 20]
    except (binascii.Error, UnicodeError, ValueError):
        numbers = []
    if len(numbers) != count or max(numbers) > _LARGEST:
        raise ProblemError(400, "after is no cursor of this list", [("query.after", "not a cursor that was given")])
    return numbers
