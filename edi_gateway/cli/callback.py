"""``edi-gateway callback CHANNEL``: what a carrier has to know to send there, and the calls that tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.callback import Receiving, receiving_channel
from edi_gateway.pipeline import registering
from edi_gateway.pipeline.partners import Callback
from edi_gateway.pipeline.views import utc
from edi_gateway.secrets import reference
from edi_gateway.store import registrations
from edi_gateway.store.tables import RegistrationRow
from edi_gateway.transports.api_poll.registration import Step
from edi_gateway.transports.http.instructions import Instruction, instructions
from edi_gateway.transports.http.webhook import Webhook
from edi_gateway.wiring import callback as wired

_ANSWERS = {
    "200, 204": "taken for good: nothing has to come again",
    "401": "not authenticated, or no such address",
    "413, 415": "the body is too large, or encoded in another way than gzip",
    "429, 503": "come again with the same body, after Retry-After",
}


class Action(StrEnum):
    """What to do."""

    SHOW = "show"
    REGISTER = "register"
    RENEW = "renew"
    REMOVE = "remove"
    STATUS = "status"


_STEPS: Final[Mapping[Action, Step]] = {
    Action.REGISTER: "register",
    Action.RENEW: "renew",
    Action.REMOVE: "remove",
}


def callback(
    context: typer.Context,
    channel: str = typer.Argument(help="a channel that is sent to, as CARRIER/CHANNEL"),
    action: Action = typer.Argument(Action.SHOW, help="show what to tell the carrier, or call its registration API"),
    show_secrets: bool = typer.Option(False, "--show-secrets", help="show secrets, not only where they are kept"),
    as_json: bool = typer.Option(False, "--json", help="print one JSON object"),
) -> None:
    """Show the address, the authentication and the secret to hand to a carrier, or register them by its API.

    register, renew and remove make the calls below registration in the carrier's file; status says what is known of
    them. What is registered is renewed by the daemon.
    """
    settings: Settings = context.obj
    settings.installation()
    found = receiving_channel(settings.folder, channel)
    there = wired(found.http, found.name, found.source, found.registration)
    assert there is not None
    if action is Action.SHOW:
        shown = _described(found, there, show_secrets=show_secrets)
        print_json(shown) if as_json else _show(shown)
        return
    with settings.database() as db:
        if action in _STEPS:
            asyncio.run(registering.call(db, there, _STEPS[action]))
        row = registrations.find(db, channel)
    known = _known(row, there)
    print_json(known) if as_json else _show_known(known)


def _described(found: Receiving, there: Callback, *, show_secrets: bool) -> dict[str, Any]:
    webhook = found.source if isinstance(found.source, Webhook) else None
    return {
        "channel": found.name,
        "url": there.url,
        "method": "POST",
        "authentication": [
            _way(each, there.url, show_secrets=show_secrets) for each in (instructions(webhook) if webhook else ())
        ],
        "body": _body(webhook),
        "answers": _ANSWERS,
        "handshake": _handshake(webhook, there),
        "registration": "automatic" if found.registration else "by hand",
    }


def _way(way: Instruction, url: str, *, show_secrets: bool) -> dict[str, Any]:
    secrets = {
        name: {"kept": reference(secret)} | ({"value": secret.get_secret_value()} if show_secrets else {})
        for name, secret in way.secrets.items()
    }
    address = way.url(url, show_secrets=show_secrets)
    return {
        "url": address,
        "words": list(way.words),
        "secrets": secrets,
        "example": way.example(url, show_secrets=show_secrets),
    }


def _body(webhook: Webhook | None) -> str:
    if webhook is None:
        return "the document"
    return f"the document, up to {webhook.max_size:,} bytes, as it is or with Content-Encoding: gzip"


def _handshake(webhook: Webhook | None, there: Callback) -> str:
    if webhook is None or webhook.handshake is None:
        return ""
    shake = webhook.handshake
    token = f" and the token that {reference(shake.token[0])} holds in {shake.token_parameter}" if shake.token else ""
    return f"GET {there.url}?{shake.echo}=TEXT is answered with TEXT{token and f', with {shake.echo}{token}'}"


def _show(shown: dict[str, Any]) -> None:
    for name in ("channel", "url", "method", "body"):
        _line(name, shown[name])
    for number, way in enumerate(shown["authentication"]):
        ends = [f"the whole URL is {way['url']}"] if way["url"] != shown["url"] else []
        for line, words in enumerate([*way["words"], *ends]):
            _line("" if line else "or" if number else "proof", words)
        for name, secret in way["secrets"].items():
            _line(name, secret.get("value", f"{secret['kept']}, shown by --show-secrets"))
    for number, (status, meaning) in enumerate(shown["answers"].items()):
        _line("" if number else "answers", f"{status}: {meaning}")
    if shown["handshake"]:
        _line("handshake", shown["handshake"])
    _line("registration", f"{shown['registration']}{_ADVICE[shown['registration']].format(**shown)}")
    for way in shown["authentication"]:
        console.print("\n[bold]to try it[/]")
        print(way["example"])


_ADVICE = {
    "automatic": ": edi-gateway callback {channel} register",
    "by hand": ": hand all this to the carrier, the secret by another way than the rest",
}


def _line(name: str, words: object) -> None:
    console.print(f"[bold]{name:<14}[/] {text(words)}")


def _known(row: RegistrationRow | None, there: Callback) -> dict[str, Any]:
    registered = row is not None and row.registered_at is not None
    return {
        "channel": there.channel,
        "state": "registered" if registered else "not registered",
        "url": row.url if row and registered else "",
        "same_url": bool(row and registered and row.url == there.url),
        "subscription_id": row.subscription_id if row else "",
        "registered_at": utc(row.registered_at) if row else None,
        "renewed_at": utc(row.renewed_at) if row else None,
        "expires_at": utc(row.expires_at) if row else None,
        "renewed_next_at": utc(row.due_at) if row else None,
        "failures": row.failures if row else 0,
        "error": row.error if row else "",
    }


def _show_known(known: dict[str, Any]) -> None:
    for name, value in known.items():
        if value and name != "same_url":
            _line(name.replace("_", " "), value)
    if known["url"] and not known["same_url"]:
        console.print("[yellow]the channel has another address by now[/]: remove, and register again")
