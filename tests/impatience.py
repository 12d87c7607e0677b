"""What schemathesis is told: that the API waits for half a minute where it is asked to is no news each time."""

from __future__ import annotations

from typing import Any, Final

import schemathesis

_ALLOWED: Final = {str(seconds) for seconds in range(1, 31)}


@schemathesis.hook
def before_call(_context: object, case: Any, _options: dict[str, Any]) -> None:
    """Ask for an answer at once instead."""
    if not isinstance(case.query, dict) or "wait" not in case.query:
        return
    wait = case.query["wait"]
    case.query["wait"] = [_at_once(each) for each in wait] if isinstance(wait, list) else _at_once(wait)


def _at_once(wait: object) -> object:
    return 0 if str(wait) in _ALLOWED else wait
