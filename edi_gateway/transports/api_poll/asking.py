"""Request templates → requests for certain numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from edi_gateway.transports.api_poll.options import NUMBER, NUMBERS, Body, Request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is sent, without the proof of who asks."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes


def asked(request: Request, numbers: Sequence[str]) -> Asked:
    """The request for these numbers."""
    url = _filled(request.url, [quote(number, safe="") for number in numbers], request.separator)
    query = {name: _filled(text, numbers, request.separator) for name, text in request.query.items()}
    kind, content = _content(request.body, numbers, request.separator) if request.body else ("", b"")
    headers = ({"Content-Type": kind} if kind else {}) | request.headers
    return Asked(request.method, url, query, headers, content)


def _filled(template: str, numbers: Sequence[str], separator: str) -> str:
    return template.replace(NUMBERS, separator.join(numbers)).replace(NUMBER, numbers[0])


def _content(body: Body, numbers: Sequence[str], separator: str) -> tuple[str, bytes]:
    if body.form is not None:
        form = {name: _filled(text, numbers, separator) for name, text in body.form.items()}
        return "application/x-www-form-urlencoded", urlencode(form).encode()
    if body.text is not None:
        told = [escape(number, {'"': "&quot;"}) if "xml" in body.content_type else number for number in numbers]
        each = [body.each.replace(NUMBER, number) for number in told]
        return body.content_type, body.text.replace(NUMBERS, body.separator.join(each)).replace(
            NUMBER, told[0]
        ).encode()
    return "application/json", json.dumps(_structure(body.json_, numbers)).encode()


def _structure(value: Any, numbers: Sequence[str]) -> Any:
    if value == NUMBERS:
        return list(numbers)
    if isinstance(value, str):
        return value.replace(NUMBER, numbers[0])
    if isinstance(value, Mapping):
        if set(value) == {"each"}:
            return [_structure(value["each"], [number]) for number in numbers]
        return {name: _structure(item, numbers) for name, item in value.items()}
    return [_structure(item, numbers) for item in value] if isinstance(value, list | tuple) else value
