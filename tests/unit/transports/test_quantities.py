"""Durations and sizes as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from edi_gateway.quantities import Duration, Size

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
SIZE: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("15s", timedelta(seconds=15)),
        ("1m", timedelta(minutes=1)),
        ("2h", timedelta(hours=2)),
        ("90d", timedelta(days=90)),
        ("36500d", timedelta(days=36_500)),
        (timedelta(seconds=3), timedelta(seconds=3)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: object, expected: timedelta) -> None:
    """Every unit means what it says."""
    assert DURATION.validate_python(text) == expected


@pytest.mark.parametrize(
    "text", ["15", 15, "", "s", "-1s", "1.5h", "1 h", "1y", "1M", "1h30m", None, True, "9" * 10 + "d"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: object) -> None:
    """A number without its unit could be anything, so it is asked for."""
    with pytest.raises(ValidationError, match="expected a whole number and one of ms, s, m, h, d, such as 15s"):
        DURATION.validate_python(text)


def test_bounds_of_a_field_hold_for_durations() -> None:
    """A field may ask for more than nothing."""
    positive: TypeAdapter[timedelta] = TypeAdapter(Annotated[Duration, Field(gt=timedelta(0))])
    with pytest.raises(ValidationError, match="greater than"):
        positive.validate_python("0s")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("512B", 512),
        ("10kB", 10_000),
        ("10KB", 10_000),
        ("10MB", 10_000_000),
        ("2GB", 2_000_000_000),
        ("1KiB", 1024),
        ("1MiB", 1_048_576),
        ("1GiB", 1_073_741_824),
    ],
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text: object, expected: int) -> None:
    """Decimal and binary units are told apart."""
    assert SIZE.validate_python(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1", -1, "1.5MB", 1.5, "1 MB", "1mb", "1TB", None, True])
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValidationError, match=r"expected a whole number of .*, such as 10MB"):
        SIZE.validate_python(text)


@given(st.integers(0, 36_500), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_grows_with_its_number(number: int, unit: str) -> None:
    """So many units are so many times one unit, up to the longest."""
    assert DURATION.validate_python(f"{number}{unit}") == number * DURATION.validate_python(f"1{unit}")


@given(st.text(alphabet="0123456789²٣.-+eE_kKMGTiBmshd ", max_size=8))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """No text breaks the parser, and no size is negative."""
    with suppress(ValidationError):
        assert SIZE.validate_python(text) >= 0
