"""How a carrier's API is told where to send, in YAML: the calls that register, renew and remove."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

from pydantic import ConfigDict, Field, model_validator

from edi_gateway.transports.api_poll.asking import Asked
from edi_gateway.transports.api_poll.options import Expression
from edi_gateway.transports.http_client.auth import Auth, OAuth2
from edi_gateway.transports.http_client.fields import Authorities, Seconds, Section, Url

_PLACE: Final = re.compile(r"\{(\w+)\}")
_PLACES: Final = {"callback_url", "secret", "subscription_id"}

Step = Literal["register", "renew", "remove"]


class Call(Section):
    """One request; {callback_url}, {secret} and {subscription_id} may stand in any text of it."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="HTTP method")
    url: Url = Field(description="where to call; {subscription_id} may stand in its path or query")
    headers: dict[str, str] = Field({}, description="headers besides those of auth")
    query: dict[str, str] = Field({}, description="parameters that are added to the URL")
    json_: Any = Field(None, alias="json", description="the body as a structure")
    form: dict[str, str] | None = Field(None, description="the body as fields of a form")
    subscription_id: Expression | None = Field(
        None, description="JMESPath to what the answer calls the subscription; default: it is not looked for"
    )
    expires_at: Expression | None = Field(
        None, description="JMESPath to when it ends: ISO 8601, or seconds or milliseconds since 1970"
    )
    expires_in: Expression | None = Field(None, description="JMESPath to how many seconds it holds")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.json_ is not None and self.form is not None:
            raise ValueError("expected json or form, not both")
        if self.expires_at and self.expires_in:
            raise ValueError("expected expires_at or expires_in, not both")
        if unknown := self.places - _PLACES:
            found, known = (", ".join(f"{{{name}}}" for name in sorted(names)) for names in (unknown, _PLACES))
            raise ValueError(f"found {found}, expected none but {known}")
        return self

    @property
    def places(self) -> set[str]:
        """What stands for something in it."""
        texts = (self.url, *self.headers.values(), *self.query.values(), *(self.form or {}).values())
        return {name for text in (*texts, *_texts(self.json_)) for name in _PLACE.findall(text)}

    def filled(self, values: Mapping[str, str]) -> Asked:
        """The request with these values."""

        def put(text: str, written: Callable[[str], str] = str) -> str:
            return _PLACE.sub(lambda place: written(values[place[1]]), text)

        headers, content = dict(self.headers), b""
        if self.form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
            content = urlencode({name: put(text) for name, text in self.form.items()}).encode()
        elif self.json_ is not None:
            headers = {"Content-Type": "application/json"} | headers
            content = json.dumps(_each(self.json_, put)).encode()
        return Asked(
            self.method,
            put(self.url, lambda value: quote(value, safe="")),
            {name: put(text) for name, text in self.query.items()},
            {name: put(text) for name, text in headers.items()},
            content,
        )


class Registration(Section):
    """How a carrier is told where to send."""

    model_config = ConfigDict(populate_by_name=True)

    register_: Call = Field(alias="register", description="the call that has the carrier send to us")
    renew: Call | None = Field(None, description="the call that lets it go on; default: it is registered again")
    remove: Call | None = Field(None, description="the call that ends it; default: it cannot be ended by a call")
    every: Seconds | None = Field(
        None,
        description="how long until it is renewed; earlier where the answer says that it ends; default: as it says",
    )
    auth: Auth | None = Field(None, description="what proves who calls: a type and its options, as for polling")
    ca: Authorities | None = Field(
        None, description="file with the certificates that vouch for the API's, in place of those the system trusts"
    )
    allow_http: bool = Field(
        default=False, strict=True, description="true: call without encryption; secrets can be read on the way"
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        calls = [call for call in (self.register_, self.renew, self.remove) if call]
        urls = [*(call.url for call in calls), *([self.auth.token_url] if isinstance(self.auth, OAuth2) else [])]
        if not self.allow_http and any(urlsplit(url).scheme != "https" for url in urls):
            raise ValueError("a URL begins with http, expected https, or allow_http: true where that is meant")
        if "subscription_id" in self.register_.places:
            raise ValueError("register: {subscription_id} is known only afterwards, expected it in renew and remove")
        later = [call for call in (self.renew, self.remove) if call]
        if self.register_.subscription_id is None and any("subscription_id" in call.places for call in later):
            raise ValueError("{subscription_id} is used, expected where the answer has it: register: subscription_id")
        return self

    @property
    def wants_secret(self) -> bool:
        """Whether a call tells the carrier the channel's secret."""
        return any("secret" in call.places for call in (self.register_, self.renew, self.remove) if call)

    def step(self, step: Step) -> Call | None:
        """The call that does it, if there is one."""
        return {"register": self.register_, "renew": self.renew or self.register_, "remove": self.remove}[step]

    def next_renewal(self, expires_at: datetime | None, now: datetime) -> datetime | None:
        """When to renew, at the latest two thirds of the way to its end; None where it needs no renewal."""
        times = [now + self.every] if self.every else []
        if expires_at:
            times.append(now + max(expires_at - now, timedelta(0)) * 2 / 3)
        return min(times, default=None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _each(value: Any, put: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return put(value)
    if isinstance(value, Mapping):
        return {name: _each(item, put) for name, item in value.items()}
    return [_each(item, put) for item in value] if isinstance(value, list | tuple) else value
