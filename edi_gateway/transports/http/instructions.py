"""What a carrier's technician has to know to send to a webhook: in words, and as a call that works in any shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from edi_gateway.secrets import reference
from edi_gateway.transports.http.authentication import All
from edi_gateway.transports.http.credentials import ApiKey, Basic, Bearer, UrlToken
from edi_gateway.transports.http.options import Method
from edi_gateway.transports.http.origin import Ip, ProxyHeader
from edi_gateway.transports.http.signatures import PLACE, Hmac, StandardWebhooks
from edi_gateway.transports.http.webhook import Webhook

_HEX: Final = "od -An -v -tx1 | tr -d ' \\n'"
_BASE64: Final = "openssl base64 -A"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One way to authenticate."""

    words: Sequence[str] = ()
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)  # by the name that words and example have for them
    lines: Sequence[str] = ()  # of a shell, before the call
    headers: Sequence[str] = ()  # as a shell reads them between double quotes
    path: str = ""  # what follows the URL, read likewise
    query: str = ""  # and what follows that

    def __add__(self, other: Instruction) -> Instruction:
        return Instruction(
            (*self.words, *other.words),
            {**self.secrets, **other.secrets},
            (*self.lines, *other.lines),
            (*self.headers, *other.headers),
            self.path + other.path,
            self.query or other.query,
        )

    def url(self, base: str, *, show_secrets: bool) -> str:
        """Where to send, with what is secret in it by its name, or as it is."""
        whole = base + self.path + self.query
        for name, secret in self.secrets.items():
            whole = whole.replace(f"${name}", secret.get_secret_value() if show_secrets else name)
        return whole

    def example(self, url: str, *, show_secrets: bool) -> str:
        """Lines for a shell that send a file; secrets are variables, set only where they are to be shown."""
        said = [
            f"{name}={shlex.quote(secret.get_secret_value())}" if show_secrets else f"# {name}: {reference(secret)}"
            for name, secret in self.secrets.items()
        ]
        sent = "".join(f' -H "{header}"' for header in self.headers)
        said += [
            "BODY=${BODY:-/dev/null}  # the file to send; an empty one is answered with 204 and leaves nothing behind",
            f"URL={shlex.quote(url)}" + (f'"{end}"' if (end := self.path + self.query) else ""),
            *self.lines,
            f'curl -i -X POST "$URL"{sent} --data-binary @"$BODY"',
        ]
        return "\n".join(said)


def instructions(webhook: Webhook) -> list[Instruction]:
    """Every way, of which one has to hold; one that asks for nothing where everybody may send."""
    if webhook.auth == "none":
        return [Instruction(("none: whoever knows the address may send",))]
    return [_instruction(way, "SECRET") for way in webhook.auth]


def secret_of(webhook: Webhook) -> SecretStr | None:
    """What a carrier has to be told: of several that hold, the one that is named first."""
    return next((secret for way in instructions(webhook) for secret in way.secrets.values()), None)


def token_of(webhook: Webhook) -> SecretStr | None:
    """What its address ends with, where that is a secret."""
    ways = () if webhook.auth == "none" else webhook.auth
    each = [part for way in ways for part in (way.of if isinstance(way, All) else (way,))]
    return next((way.token[0] for way in each if isinstance(way, UrlToken)), None)


def _instruction(way: Method, name: str) -> Instruction:
    match way:
        case All():
            parts = [_instruction(each, f"{name}{number}") for number, each in enumerate(way.of, 1)]
            return sum(parts, Instruction())
        case Hmac():
            return _hmac(way, name)
        case StandardWebhooks():
            return _standard(way, name)
        case _:
            return _shown(way, name)


def _shown(way: Method, name: str) -> Instruction:
    """What is shown as it is."""
    match way:
        case Basic():
            words = f"basic authentication (RFC 7617): user name {way.username}, password {name}"
            lines = [f"BASIC=$(printf '%s' {shlex.quote(way.username)}:\"${name}\" | {_BASE64})"]
            return Instruction((words,), {name: way.password[0]}, lines, ["Authorization: Basic $BASIC"])
        case Bearer():
            words, header = (
                f"header Authorization: the word Bearer and the token {name}",
                f"Authorization: Bearer ${name}",
            )
            return Instruction((words,), {name: way.token[0]}, headers=[header])
        case ApiKey(header=str(header)):
            shown = header.title()
            return Instruction((f"header {shown}: the key {name}",), {name: way.key[0]}, headers=[f"{shown}: ${name}"])
        case ApiKey(query=str(query)):
            words = f"parameter {query} in the query of the URL: the key {name}"
            return Instruction((words,), {name: way.key[0]}, query=f"?{query}=${name}")
        case UrlToken():
            words = f"the URL ends with /{name}, which is a secret: it belongs in no log and no ticket"
            return Instruction((words,), {name: way.token[0]}, path=f"/${name}")
        case Ip():
            return Instruction((f"requests come from {' or '.join(map(str, way.networks))}, and from nowhere else",))
        case ProxyHeader():
            words = (
                "a client's certificate, checked by the proxy in front of the gateway, which then sets the header"
                f" {way.header.title()} to {' or '.join(way.values)}"
            )
            return Instruction((words,))
        case _:
            return Instruction((f"as {getattr(way, 'type', 'configured')} has it",))


def _hmac(way: Hmac, name: str) -> Instruction:
    header, algorithm = way.header.title(), way.algorithm.upper().replace("SHA", "SHA-")
    words = [
        f"header {header}: {way.prefix}SIGNATURE",
        f"SIGNATURE is the HMAC-{algorithm} (RFC 2104), in {way.encoding}, keyed with {name} as it is written (UTF-8)",
        _signed(way.signed),
    ]
    lines, headers = [], [f"{header}: {way.prefix}$SIGNATURE"]
    if way.timestamp:
        stamp = way.timestamp
        words.append(
            f"header {stamp.header.title()}: {stamp.prefix}TIMESTAMP, the seconds since 1970 (or milliseconds, or"
            f" ISO 8601), at most {stamp.tolerance.total_seconds():g} s from now"
        )
        lines.append("TIMESTAMP=$(date +%s)")
        made = f"{stamp.prefix}$TIMESTAMP"
        same = stamp.header == way.header
        headers = (
            [f"{header}: {made},{way.prefix}$SIGNATURE"] if same else [f"{stamp.header.title()}: {made}", *headers]
        )
    if "{target}" in way.signed:
        lines.append('TARGET="/${URL#*://*/}"')
    before, after = way.signed.split("{body}", 1)
    pieces = [_printed(before), 'cat "$BODY"', _printed(after)]
    digest = f'openssl dgst -{way.algorithm} -hmac "${name}" -binary'
    written = _HEX if way.encoding == "hex" else _BASE64
    lines.append(f"SIGNATURE=$({{ {'; '.join(filter(None, pieces))}; }} | {digest} | {written})")
    return Instruction(words, {name: way.secret[0]}, lines, headers)


def _standard(way: StandardWebhooks, name: str) -> Instruction:
    begin = way.headers
    words = (
        f"Standard Webhooks, version v1: the headers {begin}-id, {begin}-timestamp and {begin}-signature",
        f"{begin}-signature: v1,SIGNATURE, the HMAC-SHA256 in base64 of {begin}-id.{begin}-timestamp.BODY",
        f"keyed with the bytes that {name} is the base64 of, after whsec_",
        f"{begin}-timestamp: seconds since 1970, at most {way.tolerance.total_seconds():g} s from now",
    )
    signed = 'printf \'%s\' "$ID.$TIMESTAMP."; cat "$BODY"'
    digest = 'openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary'
    lines = (
        "ID=msg_$(openssl rand -hex 12)",
        "TIMESTAMP=$(date +%s)",
        f"KEY=$(printf '%s' \"${{{name}#whsec_}}\" | openssl base64 -d -A | {_HEX})",
        f"SIGNATURE=$({{ {signed}; }} | {digest} | {_BASE64})",
    )
    headers = (f"{begin}-id: $ID", f"{begin}-timestamp: $TIMESTAMP", f"{begin}-signature: v1,$SIGNATURE")
    return Instruction(words, {name: way.secret[0]}, lines, headers)


def _signed(template: str) -> str:
    if template == "{body}":
        return "signed is the body, byte for byte"
    meant = {"timestamp": "TIMESTAMP", "method": "POST", "target": "path and query of the URL", "body": "the body"}
    named = [f"{{{name}}} is {meant[name]}" for name in dict.fromkeys(PLACE.findall(template))]
    return f"signed is the text {template}, where {', '.join(named)}"


def _printed(template: str) -> str:
    """A command that prints a part of what is signed; "" for nothing."""
    variables = {"timestamp": '"$TIMESTAMP"', "target": '"$TARGET"', "method": "POST"}
    pieces = PLACE.split(template)  # text and names in turns
    words = [variables[piece] if number % 2 else shlex.quote(piece) for number, piece in enumerate(pieces) if piece]
    return f"printf '%s' {''.join(words)}" if words else ""
