"""What an answer says of each number, and where its next page is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from edi_gateway.errors import AttentionError
from edi_gateway.model import number_of
from edi_gateway.tracking.planning import Reply
from edi_gateway.transports.api_poll.exchange import Answer, UnansweredError
from edi_gateway.transports.api_poll.options import Condition, Errors, Paging

_SHOWN: Final = 200
_UNAUTHORIZED: Final = (401, 403)


def judge(answer: Answer, errors: Errors, numbers: Sequence[str]) -> Mapping[str, Reply]:
    """Each number's reply. Raises UnansweredError or AttentionError for an answer that is none."""
    document = parsed(answer)
    replies = dict.fromkeys(numbers, Reply.ANSWERED) if answer.good else {}
    told = ((Reply.NOT_YET, errors.not_yet), (Reply.UNKNOWN, errors.unknown), (Reply.GONE, errors.gone))
    for reply, conditions in told:
        for condition in conditions:
            if _holds(condition, answer, document):
                replies |= dict.fromkeys(_concerned(condition, document, numbers), reply)
    if len(replies) < len(numbers):
        raise failure(answer)
    return replies


def next_page(answer: Answer, paging: Paging) -> str:
    """URL or cursor of the next page; "" where this is the last."""
    if paging.link_header:
        return answer.next_page
    found = searched(paging.next_url or paging.cursor or "", parsed(answer))
    return str(found) if found not in (None, "", False) else ""


def parsed(answer: Answer) -> Any:
    """The answer as JSON; None where it is none."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def _holds(condition: Condition, answer: Answer, document: Any) -> bool:
    if condition.status is not None and answer.status not in condition.status:
        return False
    return condition.where is None or bool(searched(condition.where, document))


def _concerned(condition: Condition, document: Any, numbers: Sequence[str]) -> Sequence[str]:
    if condition.numbers is None:
        return numbers
    found = searched(condition.numbers, document)
    listed = found if isinstance(found, list) else [] if found is None else [found]
    named = {number_of(str(each)) for each in listed}
    return [number for number in numbers if number_of(number) in named]


def searched(expression: str, document: Any) -> Any:
    """What a JMESPath expression finds."""
    try:
        return jmespath.search(expression, document)
    except JMESPathError:  # a function met what it cannot work on
        return None


def failure(answer: Answer) -> UnansweredError | AttentionError:
    """What to raise for an answer that says no."""
    shown = answer.content[:_SHOWN].decode("utf-8", "replace").strip()
    text = f"the carrier answers {answer.status}" + (f": {shown}" if shown else "")
    if answer.status in _UNAUTHORIZED:
        return AttentionError(f"{text}; look at auth in the carrier's file, and ask the carrier whether it still holds")
    return UnansweredError(text)
