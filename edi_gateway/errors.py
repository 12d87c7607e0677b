"""Errors, sorted by what happens next; every one of them speaks to the person who must act."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from edi_gateway.model import Exchange, Finding


class GatewayError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(GatewayError):
    """Configuration or mapping cannot be used: refuse to start, or keep what is loaded.

    ``problems`` holds one ``file:line: what, expected, did you mean`` line per mistake.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class TransientError(GatewayError):
    """The other side or the network failed for now: try again on the schedule.

    ``exchange`` is what is known of how the other side answered.
    """

    def __init__(self, *args: object, exchange: Exchange | None = None) -> None:
        self.exchange = exchange
        super().__init__(*args)

    def untried(self, message: str, next_probe: datetime) -> TransientError:
        """What to raise instead while nothing is tried because of this."""
        return NotTriedError(message, next_probe)


class BusyError(TransientError):
    """The other side asks to be left alone until then: nothing is sent to it before."""

    def __init__(self, message: str, until: datetime, exchange: Exchange | None = None) -> None:
        self.until = until
        super().__init__(message, exchange=exchange)


class GoneError(TransientError):
    """The other side says that nobody will ever be there again: nothing is sent to it until a person says so."""


class StorageError(TransientError):
    """The database takes nothing for now (full, locked, not reachable): nothing was changed, and intake pauses."""


class AttentionError(TransientError):
    """It is tried again, but only a person can mend it: an alarm is raised at once."""


class NotTriedError(TransientError):
    """Nothing was tried, because it failed too often before: no failure of this time. Tried again at ``next_probe``."""

    def __init__(self, message: str, next_probe: datetime) -> None:
        self.next_probe = next_probe
        super().__init__(message)


class RefusedError(GatewayError):
    """The other side said no for good, or the document cannot be made: dead letter."""


class RequestRefusedError(GatewayError):
    """Whoever asks is answered with that HTTP status, and may ask again after so many seconds, if any are given.

    What it says is for the log; the answer tells no more than the status does.
    """

    def __init__(self, status: int, why: str, retry_after: int | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(why)


class DocumentError(GatewayError):
    """What arrived cannot be read: quarantine it with its place, what stood there, what belongs there."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))
