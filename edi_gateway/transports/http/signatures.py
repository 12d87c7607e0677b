"""Signed requests: proof that who sent them knows a secret, without showing it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edi_gateway.plugins import Request
from edi_gateway.quantities import Duration
from edi_gateway.transports.http.options import HeaderName, Method, Secrets

_PLACES: Final = ("timestamp", "method", "target", "body")
PLACE: Final = re.compile(r"\{(\w*)\}")
_MILLISECONDS: Final = 100_000_000_000  # a time in seconds is smaller than this until the year 5138
_TOLERANCE: Final = timedelta(minutes=5)
PREFIX: Final = "whsec_"


def _is_template(text: str) -> str:
    unknown = [name for name in PLACE.findall(text) if name not in _PLACES]
    if unknown or "{body}" not in text:
        places = ", ".join(f"{{{name}}}" for name in _PLACES)
        raise ValueError(f"found {text!r}, expected {{body}} in it, and none but {places}")
    return text


class Timestamp(BaseModel):
    """Where a signed request says when it was made, and how far off that may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    header: HeaderName = Field(description="header with the time: seconds or milliseconds since 1970, or ISO 8601")
    prefix: str = Field("", description="what stands before the time, as in t=1700000000")
    tolerance: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        _TOLERANCE, description="how far the time may be from ours; a request sent again later is refused"
    )


class Hmac(Method):
    """A keyed hash (RFC 2104) of the body, or of a text with the body in it, in a header."""

    type: Literal["hmac"]
    header: HeaderName = Field(description="header with the signature, or with several parted by commas")
    secret: Secrets = Field(description="reference to the secret, or a list of several that hold")
    algorithm: Literal["sha256", "sha1", "sha512"] = Field("sha256", description="the hash function")
    encoding: Literal["hex", "base64"] = Field("hex", description="how the signature is written")
    prefix: str = Field("", description="what stands before the signature, as in sha256=...")
    signed: Annotated[str, AfterValidator(_is_template)] = Field(
        "{body}", description="the text that is signed, with {body}, {timestamp}, {method} and {target} in it"
    )
    timestamp: Timestamp | None = Field(None, description="where the request says when it was made; default: nowhere")

    @model_validator(mode="after")
    def _signs_its_time(self) -> Self:
        if bool(self.timestamp) != ("{timestamp}" in self.signed):
            raise ValueError(
                "a timestamp that is not signed can be exchanged, expected both: timestamp, and {timestamp} in signed"
            )
        return self

    def objection(self, request: Request, body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does; without its body, as far as that can be said."""
        given = _parts(request.headers.get(self.header, ""), self.prefix)
        if not given:
            return f"no signature in header {self.header}"
        made = ""
        if self.timestamp:
            made = next(iter(_parts(request.headers.get(self.timestamp.header, ""), self.timestamp.prefix)), "")
            if complaint := _too_far_off(made, self.timestamp.tolerance):
                return complaint
        if body is None:
            return ""
        parts = {"timestamp": made, "method": request.method, "target": request.target}
        before, after = (_filled(text, parts) for text in self.signed.split("{body}", 1))
        keys = [secret.get_secret_value().encode() for secret in self.secret]
        known = [digest(key, self.algorithm, before, body, after) for key in keys]
        return "" if _fits([_decoded(one, self.encoding) for one in given], known) else "signature does not fit"


class StandardWebhooks(Method):
    """Signed as Standard Webhooks has it: id, time and body, with a symmetric key (v1)."""

    type: Literal["standard_webhooks"]
    secret: Secrets = Field(description="reference to the secret, whsec_ and base64, or a list of several that hold")
    headers: Literal["webhook", "svix"] = Field("webhook", description="what the names of the three headers begin with")
    tolerance: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        _TOLERANCE, description="how far the time may be from ours; a request sent again later is refused"
    )

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if any(_decoded(secret.get_secret_value().removeprefix(PREFIX), "base64") == b"" for secret in self.secret):
            raise ValueError("secret is no key of Standard Webhooks, expected whsec_ and base64")
        return self

    def objection(self, request: Request, body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does; without its body, as far as that can be said."""
        named, made, signatures = (
            request.headers.get(f"{self.headers}-{name}", "") for name in ("id", "timestamp", "signature")
        )
        given = [part.partition(",")[2] for part in signatures.split() if part.startswith("v1,")]
        if not named or not given:
            return f"no {self.headers}-id or no v1 in {self.headers}-signature"
        if complaint := _too_far_off(made, self.tolerance):
            return complaint
        if body is None:
            return ""
        keys = [_decoded(secret.get_secret_value().removeprefix(PREFIX), "base64") for secret in self.secret]
        before = f"{named}.{made}.".encode("utf-8", "surrogateescape")
        known = [digest(key, "sha256", before, body, b"") for key in keys]
        return "" if _fits([_decoded(one, "base64") for one in given], known) else "signature does not fit"


def _parts(text: str, prefix: str) -> list[str]:
    """Those parts of a header that begin with the prefix, without it."""
    parts = (part.strip() for part in text.split(","))
    return [part.removeprefix(prefix) for part in parts if part.startswith(prefix) and part != prefix]


def _filled(text: str, parts: dict[str, str]) -> bytes:
    return PLACE.sub(lambda place: parts[place[1]], text).encode("utf-8", "surrogateescape")


def digest(key: bytes, algorithm: str, before: bytes, body: bytes, after: bytes) -> bytes:
    """The keyed hash of the three, one after the other."""
    made = hmac.new(key, before, getattr(hashlib, algorithm))
    made.update(body)
    made.update(after)
    return made.digest()


def _fits(given: Sequence[bytes], known: Iterable[bytes]) -> bool:
    """Whether one of those given is one of those known; every pair is compared, each in constant time."""
    return any([hmac.compare_digest(one, other) for other in known for one in given])  # noqa: C419  all of them


def _decoded(text: str, encoding: str) -> bytes:
    """The bytes, none where it is not written so."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _too_far_off(text: str, tolerance: timedelta) -> str:
    made = _seconds(text)
    if made is None:
        return "no time of the request, or none that can be read"
    off = abs(time.time() - made)
    return "" if off <= tolerance.total_seconds() else f"made {off:,.0f} s from now, {tolerance} are tolerated"


def _seconds(text: str) -> float | None:
    """Seconds since 1970."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        number = int(text)
        return number / 1000 if number >= _MILLISECONDS else float(number)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
