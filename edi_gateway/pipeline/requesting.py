"""What customers ask to track: from then on, and all that is known of it already, on every way out they have."""

from __future__ import annotations

from collections.abc import Sequence

from edi_gateway.pipeline.feeding import seen
from edi_gateway.pipeline.partners import Audience, Destination, Feed
from edi_gateway.pipeline.routing import owed
from edi_gateway.store import feed, outbox, trackers
from edi_gateway.store.engine import Database
from edi_gateway.store.trackers import Gaps, Made, Wish


def request(db: Database, customer: str, wishes: Sequence[Wish], gaps: Gaps, audience: Audience) -> list[Made]:
    """Give a customer a tracker of each number, and owe it what is known of those it did not know of.

    All of it in one transaction; one answer for each wish. Raises StorageError when the database could not take it.
    """
    theirs = [each for each in audience if each.customer == customer]
    with db.write() as connection:
        made, fresh = trackers.create(connection, customer, wishes, gaps)
        changes = trackers.told(connection, fresh) if fresh else []
        subscribers = {(change.event.carrier, change.event.tracking_number): {customer} for change in changes}
        destinations = [each for each in theirs if isinstance(each, Destination)]
        outbox.owe(connection, list(owed(destinations, changes, subscribers)))
        feeds = [each for each in theirs if isinstance(each, Feed)]
        feed.enter(connection, seen(feeds, changes, subscribers))
    return made
