"""Test data's own names, so that nothing of it is ever taken for live data, nor for another customer's.

Each customer has one test world, ``test:CUSTOMER``. Carriers, the customer and its test destinations bear names in it,
which no configured name can be like: ``test:CUSTOMER:CARRIER``, ``test:CUSTOMER``, ``test:CUSTOMER/DESTINATION``.
"""

from __future__ import annotations

from typing import Final

LIVE: Final = ""
MARK: Final = "test:"
CHANNEL: Final = "test"  # by which all test documents come; a configured channel's name has a slash in it


def world_for(customer: str) -> str:
    """The name of a customer's test world, which is the customer's own name there."""
    return f"{MARK}{customer}"


def is_test(name: str) -> bool:
    """Whether a carrier, customer or destination of that name is part of a test world."""
    return name.startswith(MARK)


def world_of(name: str) -> str:
    """The world in which a carrier, customer or destination bears that name; LIVE for all that are configured."""
    return world_for(owner(name)) if is_test(name) else LIVE


def destination_in_test(name: str) -> str:
    """What a customer's destination of that name (customer/destination) is called in its test world."""
    customer, _, short = name.partition("/")
    return f"{world_for(customer)}/{short}"


def owner(customer: str) -> str:
    """The customer whose test world it is, or itself."""
    return customer.removeprefix(MARK).partition("/")[0].partition(":")[0] if is_test(customer) else customer


def named_in(world: str, carrier: str) -> str:
    """What a carrier is called in a world; in the live one as everywhere."""
    return f"{world}:{carrier.lower()}" if world and not is_test(carrier) else carrier


def shown(carrier: str) -> str:
    """A carrier's name as customers know it."""
    return carrier.removeprefix(f"{world_of(carrier)}:") if is_test(carrier) else carrier
