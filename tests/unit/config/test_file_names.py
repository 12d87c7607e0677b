"""Templates of outbound file names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.config.file_names import parse_file_name

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{control}", "42"),
        ("tracking_events_{control:09}.edi", "tracking_events_000000042.edi"),
        ("{customer}-{destination}_{date}_{control:014}.txt", "globex-edi_20260504_00000000000042.txt"),
        ("IFTSTA.{date:%Y-%m-%d_%H%M%S}.{control:02}", "IFTSTA.2026-05-04_030201.42"),
        ("d{date:%y%j}.{control:01}", "d26124.42"),
    ],
)
def test_a_template_is_filled(template: str, name: str) -> None:
    """Control number, date, customer and destination stand where their field stood."""
    assert parse_file_name(template).render(42, NOW, customer="globex", destination="edi") == name


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("events.edi", "{control} in it"),
        ("{date}.edi", "{control} in it"),
        ("{contrl}.edi", "only {control}, {date}, {customer}, {destination}, did you mean 'control'?"),
        ("{}-{control}", "only {control}"),
        ("{control:9}", "{control} as {control:09}"),
        ("{control:099}", "{control} as {control:09}"),
        ("{control!r}", "{control} in it"),
        ("{control}{date:%c}", "{date} as {date:%Y%m%d}"),
        ("{control}{date:%Y/%m}", "{date} as {date:%Y%m%d}"),
        ("{control}{customer:>10}", "{customer} as {customer}"),
        ("out/{control}", "without '/'"),
        ("..\\{control}", "without '\\\\'"),
        ("{control}\n", "without '\\n'"),
        ("{{control}}", "without '{'"),
        (".{control}", "no leading dot"),
        ("x" * 150 + "{control}", "at most 150 characters"),
        (42, "a name such as"),
        (None, "a name such as"),
    ],
)
def test_a_template_that_will_not_do_is_refused(template: object, said: str) -> None:
    """What would repeat a name, leave the folder or mean nothing is refused with what is expected."""
    with pytest.raises(ValueError) as caught:
        parse_file_name(template)
    assert said in str(caught.value)


@given(st.integers(0, 99_999_999_999_999), st.integers(0, 99_999_999_999_999), st.integers(1, 14))
def test_two_control_numbers_never_give_one_name(one: int, other: int, width: int) -> None:
    """However narrow the field, different numbers make different names."""
    name = parse_file_name(f"e_{{control:0{width}}}.edi")
    names = {name.render(number, NOW, customer="a", destination="b") for number in (one, other)}
    assert len(names) == len({one, other})


@given(st.text("{}:0%Ycontrldae/.\\_", max_size=30))
def test_any_template_is_refused_or_gives_a_plain_name(template: str) -> None:
    """What is accepted always renders, and never to a path."""
    try:
        name = parse_file_name(template)
    except ValueError:
        return
    assert not {"/", "\\"} & set(name.render(1, NOW, customer="a", destination="b"))
