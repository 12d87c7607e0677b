"""Which events a customer receives, as operations people write it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, model_validator

from edi_gateway.config.fields import OneOrMore, Section, as_list
from edi_gateway.model import Status, TrackingEvent

EVERY_CARRIER: Final = "*"

CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Reference(Section):
    """A reference the event must carry."""

    prefix: str = Field(min_length=1, description="how the reference begins")
    qualifier: str = Field("", description='kind of reference, such as "CU" (EDIFACT 1153); any when left out')

    def is_on(self, event: TrackingEvent) -> bool:
        """Whether the event has such a reference."""
        kinds = [self.qualifier] if self.qualifier else list(event.references)
        return any(value.startswith(self.prefix) for kind in kinds for value in event.references.get(kind, ()))


class Rule(Section):
    """Conditions that must all hold for an event; a condition with several values holds when one of them fits."""

    carrier: OneOrMore | None = Field(None, description='carrier or list of carriers; "*" is every carrier')
    account: OneOrMore | None = Field(None, description="account at the carrier, one or a list; * and ? are wildcards")
    reference: Annotated[tuple[Reference, ...], BeforeValidator(as_list)] | None = Field(
        None, min_length=1, description="reference, or list of references of which one must be there"
    )
    country: Annotated[tuple[CountryCode, ...], BeforeValidator(as_list)] | None = Field(
        None, min_length=1, description="country of the event's place (ISO 3166-1 alpha-2), one or a list"
    )
    status: Annotated[tuple[Status, ...], BeforeValidator(as_list)] | None = Field(
        None, min_length=1, description="status of the event, one or a list"
    )

    reason: OneOrMore | None = Field(
        None, description='reason of the event, one or a list; * and ? are wildcards, "" is none'
    )

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError('a rule without conditions, expected at least one; {carrier: "*"} is everything')
        return self

    def matches(self, event: TrackingEvent) -> bool:
        """Whether every condition holds for the event."""
        return (
            (self.carrier is None or EVERY_CARRIER in self.carrier or event.carrier in self.carrier)
            and (self.account is None or any(fnmatchcase(event.account, pattern) for pattern in self.account))
            and (self.reference is None or any(reference.is_on(event) for reference in self.reference))
            and (self.country is None or event.location.country in self.country)
            and (self.status is None or event.status in self.status)
            and (self.reason is None or any(fnmatchcase(event.reason, pattern) for pattern in self.reason))
        )


def wanted(rules: Iterable[Rule], event: TrackingEvent) -> bool:
    """Whether any of a customer's rules fits the event."""
    return any(rule.matches(event) for rule in rules)
