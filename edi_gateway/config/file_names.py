"""Names of outbound files: a template that can never give the same name twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from edi_gateway.located import did_you_mean

_FIELD: Final = re.compile(r"\{(\w*)(?::([^{}]*))?\}")
_FORMATS: Final = {
    "control": re.compile(r"0([1-9]|1[0-4])"),
    "date": re.compile(r"(%[YymdHMSj]|[-_.])+"),
    "customer": re.compile(r""),
    "destination": re.compile(r""),
}
_ANSWER_FORMATS: Final = {
    "control": _FORMATS["control"],
    "date": _FORMATS["date"],
    "kind": re.compile(r""),
    "partner": re.compile(r""),
}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_EXAMPLES: Final = {"control": "{control:09}", "date": "{date:%Y%m%d}"}
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|{}\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class FileName:
    """A checked template such as ``tracking_events_{control:09}.edi``."""

    template: str

    def render(self, control: int, now: datetime, **names: str) -> str:
        """The name of the document with that control number; ``now`` gives {date}, ``names`` the other fields."""

        def fill(found: re.Match[str]) -> str:
            field, form = found[1], found[2] or ""
            if field == "control":
                return f"{control:{form}}"
            if field == "date":
                return now.strftime(form or "%Y%m%d")
            return names[field]

        return _FIELD.sub(fill, self.template)


def parse_file_name(template: object) -> FileName:
    """Check a template; raises ValueError that says what is wrong with it."""
    return _parsed(template, _FORMATS)


def parse_answer_name(template: object) -> FileName:
    """The same for an acknowledgement's, which may hold {kind} and {partner} instead."""
    return _parsed(template, _ANSWER_FORMATS)


def answer_name(template: FileName, control: int, now: datetime, kind: str, partner: str) -> str:
    """The name of an acknowledgement; of the partner's identification only what is sound in a name."""
    return template.render(control, now, kind=kind, partner=_UNSAFE.sub("-", partner)[:35])


def _parsed(template: object, formats: Mapping[str, re.Pattern[str]]) -> FileName:
    if isinstance(template, FileName):
        return template
    if not isinstance(template, str):
        raise ValueError(f"found {template!r}, expected a name such as events_{{control:09}}.edi")  # noqa: TRY004
    problem = next(_problems(template, formats), "")
    if problem:
        raise ValueError(f"found {template!r}, expected {problem}")
    return FileName(template)


def _problems(template: str, formats: Mapping[str, re.Pattern[str]]) -> Iterator[str]:
    fields = _FIELD.findall(template)
    for field, form in fields:
        if field not in formats:
            yield f"only {', '.join(f'{{{known}}}' for known in formats)}{did_you_mean(field, formats)}"
        elif form and not formats[field].fullmatch(form):
            yield f"{{{field}}} as {_EXAMPLES.get(field, f'{{{field}}}')}"
    if "control" not in {field for field, _ in fields}:
        yield "{control} in it: the control number keeps a name from being used twice"
    bad = _FORBIDDEN.search(_FIELD.sub("", template))
    if bad:
        yield f"a plain file name without {bad[0]!r}; folders belong to the sink's path"
    if template.startswith(".") or len(template) > 150:
        yield "at most 150 characters and no leading dot"


FileNameText = Annotated[
    FileName,
    BeforeValidator(parse_file_name),
    WithJsonSchema({"type": "string", "examples": ["tracking_events_{control:09}.edi"]}),
]
"""``file_name`` in YAML, a FileName in the model."""

AnswerNameText = Annotated[
    FileName,
    BeforeValidator(parse_answer_name),
    WithJsonSchema({"type": "string", "examples": ["{kind}_{partner}_{control:09}.edi"]}),
]
"""``file_name`` of acknowledgements in YAML."""
