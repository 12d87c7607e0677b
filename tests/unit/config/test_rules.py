"""Rules: which events a customer receives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from edi_gateway.config.rules import Rule, wanted
from edi_gateway.model import Location, Status, TrackingEvent

EVENT = TrackingEvent(
    carrier="speedy",
    tracking_number="SP1",
    status=Status.DELIVERED,
    occurred_at=datetime(2026, 5, 4, tzinfo=UTC),
    account="4711-A",
    location=Location(country="DE"),
    references={"CU": ("GX-1", "OTHER"), "ON": ("PO-7",)},
)


@pytest.mark.parametrize(
    "conditions",
    [
        {"carrier": "speedy"},
        {"carrier": ["nordlog", "speedy"]},
        {"carrier": "*"},
        {"account": "4711*"},
        {"account": ["1*", "????-A"]},
        {"reference": {"prefix": "PO"}},
        {"reference": {"prefix": "GX-", "qualifier": "CU"}},
        {"reference": [{"prefix": "ZZ"}, {"prefix": "OTH", "qualifier": "CU"}]},
        {"country": "DE"},
        {"country": ["FR", "DE"]},
        {"status": "DELIVERED"},
        {"status": ["LOST", "DELIVERED"]},
        {
            "carrier": "speedy",
            "account": "4711*",
            "country": "DE",
            "status": "DELIVERED",
            "reference": {"prefix": "PO"},
        },
    ],
)
def test_a_rule_fits_when_each_of_its_conditions_does(conditions: dict[str, Any]) -> None:
    """One value or a list, of which one has to fit; what is not given does not count."""
    assert Rule.model_validate(conditions).matches(EVENT)


@pytest.mark.parametrize(
    "conditions",
    [
        {"carrier": "nordlog"},
        {"account": "4711"},
        {"account": "4711-a"},
        {"reference": {"prefix": "PO", "qualifier": "CU"}},
        {"reference": {"prefix": "X-1"}},
        {"country": "FR"},
        {"status": "LOST"},
        {"carrier": "speedy", "country": "FR"},
        {"carrier": "*", "status": "LOST"},
    ],
)
def test_a_rule_does_not_fit_when_one_condition_fails(conditions: dict[str, Any]) -> None:
    """Case counts, a pattern is of the whole account, a prefix is of the beginning."""
    assert not Rule.model_validate(conditions).matches(EVENT)


def test_any_of_several_rules_suffices() -> None:
    """Rules add up; without a rule nothing is wanted."""
    rules = [Rule.model_validate({"carrier": "nordlog"}), Rule.model_validate({"country": "DE"})]
    assert wanted(rules, EVENT)
    assert not wanted(rules, replace(EVENT, location=Location()))
    assert not wanted([], EVENT)


@pytest.mark.parametrize(
    "conditions",
    [{}, {"carrier": None}, {"carrier": []}, {"reference": {"prefix": ""}}, {"country": "de"}, {"country": []}],
)
def test_a_rule_that_says_nothing_is_refused(conditions: dict[str, Any]) -> None:
    """Nobody receives everything by leaving something out: everything is written carrier "*"."""
    with pytest.raises(ValidationError):
        Rule.model_validate(conditions)
