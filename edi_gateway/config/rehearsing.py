"""Who receives test data, as configured: destinations that say so, and everybody who may use the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import BaseModel

from edi_gateway.config.configured import Destination
from edi_gateway.config.models import CustomerFile
from edi_gateway.model import TrackingEvent
from edi_gateway.pipeline.partners import Feed
from edi_gateway.worlds import destination_in_test, shown, world_for

_MARK: Final = "TEST_"  # before the names of files whose format has no place that says so


def in_worlds(customer: CustomerFile | None, destinations: Iterable[Destination]) -> Iterator[Destination]:
    """A customer's destinations, those for test data under their names in its test world."""
    for each in destinations:
        short = each.name.partition("/")[2]
        yield _in_test(each) if customer and customer.destinations[short].test else each


def feed_in_test(live: Feed) -> Feed:
    """What the customer's test keys show."""
    return replace(live, customer=world_for(live.customer), wants=_all)


def _in_test(each: Destination) -> Destination:
    """Its interchanges say that they are tests, and are counted apart from live ones between the same parties."""
    marked = _marked(each.encoder)
    world = world_for(each.customer)
    return replace(
        each,
        name=destination_in_test(each.name),
        customer=world,
        wants=_all,
        only=partial(_shown_to, each.only) if each.only else None,
        encoder=marked or each.encoder,
        file_name=each.file_name if marked else _named(each.file_name),
        control_numbers=replace(each.control_numbers, key=f"{each.control_numbers.key} {world}"),
    )


def _marked(encoder: Any) -> Any:
    """The encoder with the test indicator set; None when its format has none."""
    if isinstance(encoder, BaseModel) and "test" in type(encoder).model_fields:
        return encoder.model_copy(update={"test": True})
    return None


def _shown_to(rules: Callable[[TrackingEvent], bool], event: TrackingEvent) -> bool:
    return rules(replace(event, carrier=shown(event.carrier)))


def _named(plain: Callable[[int, datetime], str]) -> Callable[[int, datetime], str]:
    return lambda number, now: f"{_MARK}{plain(number, now)}"


def _all(_: TrackingEvent) -> bool:
    return True
