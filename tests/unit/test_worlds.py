"""Names in test worlds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.worlds import LIVE, is_test, named_in, owner, shown, world_for, world_of

_NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)  # as configurations have them


@given(customer=_NAMES, other=_NAMES, carrier=_NAMES)
def test_every_name_belongs_to_exactly_one_world(customer: str, other: str, carrier: str) -> None:
    """Carriers, customers and destinations of a test world are its own; configured names are live."""
    world = world_for(customer)
    there = named_in(world, carrier)
    assert {world} == {world_of(name) for name in (world, there, f"{world}/{other}")}
    assert {LIVE} == {world_of(name) for name in (customer, carrier, f"{customer}/{other}", named_in(LIVE, carrier))}
    assert (carrier, carrier) == (shown(there), shown(carrier))
    assert (customer, customer) == (owner(world), owner(customer))
    assert there == named_in(world, there)
    assert is_test(there)
    assert not is_test(carrier)
    assert (customer == other) == (there == named_in(world_for(other), carrier))
