"""How a carrier's API is asked, in YAML: the request, its pages, its limits, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edi_gateway.transports.http_client.fields import Seconds, Section, Url

NUMBER: Final = "{number}"
NUMBERS: Final = "{numbers}"
_PLACE: Final = re.compile(r"\{(\w*)\}")
_NONE: Final = timedelta(0)
_SECOND: Final = timedelta(seconds=1)


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"found {text!r}, expected a JMESPath expression: {said}") from None
    return text


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Expression = Annotated[str, AfterValidator(_expression)]


class Body(Section):
    """What a request says in its body; one of the three."""

    json_: Any = Field(
        None,
        alias="json",
        description="a structure; the text {numbers} becomes a list, {each: …} a list with one of … per number",
    )
    form: dict[str, str] | None = Field(None, description="fields of a form")
    text: str | None = Field(None, description="any text, such as XML; {numbers} is each of them, joined")
    each: str = Field(NUMBER, description="how each number stands in text, such as <id>{number}</id>")
    separator: str = Field("", description="what stands between the numbers in text")
    content_type: str = Field("text/xml; charset=utf-8", description="what a text is called in the request")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(given is not None for given in (self.json_, self.form, self.text)) != 1:
            raise ValueError("expected one of json, form and text")
        return self


class Request(Section):
    """What a carrier is asked; {number} stands for the only number, {numbers} for all of a batch."""

    method: Literal["GET", "POST", "PUT"] = Field("GET", description="HTTP method")
    url: Url = Field(description="where to ask; {number} or {numbers} may stand in its path or query")
    headers: dict[str, str] = Field({}, description="headers besides those of auth")
    query: dict[str, str] = Field({}, description="parameters that are added to the URL")
    separator: str = Field(",", description="what stands between numbers in URL, query and form")
    body: Body | None = Field(None, description="the body, none when left out")

    @model_validator(mode="after")
    def _names_numbers(self) -> Self:
        unknown = {f"{{{name}}}" for name in _PLACE.findall(self.url)} - {NUMBER, NUMBERS}
        if unknown:
            raise ValueError(f"url: found {', '.join(sorted(unknown))}, expected {NUMBER} or {NUMBERS}")
        if not self.places:
            raise ValueError(f"no number is asked for, expected {NUMBER} or {NUMBERS} in url, query or body")
        return self

    @property
    def places(self) -> set[str]:
        """Which placeholders of a whole request there are."""
        found = set(_PLACE.findall(self.url))
        for text in self.query.values():
            found |= set(_PLACE.findall(text))
        if self.body:
            found |= set(_in_body(self.body))
        return found & {"number", "numbers"}


def _in_body(body: Body) -> Iterator[str]:
    if body.text is not None:
        yield from _PLACE.findall(body.text)
    for value in (body.form or {}).values():
        yield from _PLACE.findall(value)
    yield from _in_structure(body.json_)


def _in_structure(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _PLACE.findall(value)
    elif isinstance(value, Mapping):
        if set(value) == {"each"}:
            yield "numbers"
            return
        for item in value.values():
            yield from _in_structure(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _in_structure(item)


class Condition(Section):
    """How an answer is known that says no; what is given must all hold."""

    status: Annotated[tuple[int, ...], BeforeValidator(_as_list)] | None = Field(
        None, description="HTTP status, one or a list"
    )
    where: Expression | None = Field(None, description="JMESPath on the answer that gives something but false")
    numbers: Expression | None = Field(
        None, description="JMESPath that lists the numbers it is about; left out: all that were asked for"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status is None and self.where is None and self.numbers is None:
            raise ValueError("a condition without anything, expected status, where or numbers")
        return self


Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_as_list)]


class Errors(Section):
    """What a carrier's refusals mean; whatever else is no success counts as a failure, and is asked again."""

    not_yet: Conditions = Field((), description="announced, no events so far: asked again as the schedule says")
    unknown: Conditions = Field((Condition(status=(404,)),), description="there is no such number: see unknown there")
    gone: Conditions = Field((Condition(status=(410,)),), description="it was deleted: not asked for any more")


class Paging(Section):
    """How an answer leads to its next page; one of the three."""

    next_url: Expression | None = Field(None, description="JMESPath to the URL of the next page, on the same host")
    link_header: bool = Field(default=False, strict=True, description="the next page is named in the header Link")
    cursor: Expression | None = Field(None, description="JMESPath to what the next request says in the parameter")
    parameter: str = Field("cursor", min_length=1, description="parameter of the query that the cursor goes into")
    at_most: int = Field(20, ge=1, le=1000, description="pages of one answer; more are a failure, nothing is dropped")

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        if (self.next_url is not None) + (self.cursor is not None) + self.link_header != 1:
            raise ValueError("expected one of next_url, link_header and cursor")
        return self


class Rate(Section):
    """How much a carrier allows."""

    requests: int = Field(ge=1, le=100_000, description="requests in that time")
    per: Seconds = Field(_SECOND, description="the time")
