"""Lists: their pages, and cursors, places that a customer hands back unread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Query

_DIGITS: Final = 16  # of a number: up to 2^63 - 1, as large as a database takes
_NUMBER: Final = f"[0-7][0-9a-f]{{{_DIGITS - 1}}}"
_EXAMPLE: Final = f"{1_204:0{_DIGITS}x}"

Cursor = Annotated[str, Query(pattern=f"^({_NUMBER})?$", description="next of the page before", examples=[_EXAMPLE])]
"""A place in a list that is ordered by one number."""
FeedCursor = Annotated[
    str, Query(pattern=f"^({_NUMBER}{_NUMBER})?$", description="next of the page before", examples=[_EXAMPLE * 2])
]
"""A place in the feed."""
Limit = Annotated[int, Query(ge=1, le=200, description="entries of a page, at most", examples=[50])]


def written(*numbers: int) -> str:
    """The numbers as a cursor."""
    return "".join(f"{number:0{_DIGITS}x}" for number in numbers)


def is_one(told: str) -> bool:
    """Whether that is a `Cursor`, or none."""
    return re.fullmatch(f"({_NUMBER})?", told) is not None


def read(cursor: str, count: int) -> Sequence[int]:
    """The numbers of a cursor of that many, zeros for none; its form was seen to when the request was read."""
    starts = range(0, count * _DIGITS, _DIGITS)
    return [int(cursor[start : start + _DIGITS] or "0", 16) for start in starts]
