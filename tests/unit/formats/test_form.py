"""Posted forms: fields that answer as those of JSON do, or JSON in one of them."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.errors import DocumentError
from edi_gateway.formats.trees.form import Form
from edi_gateway.segment import Segment


def bodies(content: bytes, form: Form | None = None) -> list[Segment]:
    found = [message.body for each in (form or Form()).decode(content) for message in each.messages]
    assert all(isinstance(body, Segment) for body in found)
    return [body for body in found if isinstance(body, Segment)]


def test_fields_of_a_form_are_read_by_name() -> None:
    """Percent signs and plus signs are decoded; what comes again is a list, what is empty is there."""
    (body,) = bodies(b"number=1Z%2B1&text=delivered+to+M%C3%BCller&piece=1&piece=2&note=")
    assert [body.named(name) for name in ("number", "text", "piece[1]", "note", "other")] == [
        "1Z+1",
        "delivered to Müller",
        "2",
        "",
        "",
    ]


def test_json_in_a_field_is_read_as_json() -> None:
    """Some carriers post their JSON as a field; each of its records is a message."""
    content = urlencode({"signature": "x", "payload": '{"events": [{"n": 1}, {"n": 2}]}'}).encode()
    assert [body.named("n") for body in bodies(content, Form(field="payload", records="events"))] == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b'{"a": 1}', b"\xff=1", b"nothing", b"a&b"])
def test_what_is_no_form_is_set_aside(content: bytes) -> None:
    """A carrier that changed its format is noticed, instead of read as nothing."""
    with pytest.raises(DocumentError):
        bodies(content)


def test_a_form_without_the_field_is_set_aside() -> None:
    """The error names the fields there are."""
    with pytest.raises(DocumentError, match="fields a, b"):
        bodies(b"a=1&b=2", Form(field="payload"))


@given(st.dictionaries(st.text("abc", min_size=1), st.text().filter(lambda text: "\r" not in text), min_size=1))
def test_what_was_written_is_read(fields: dict[str, str]) -> None:
    """Whatever text a field holds."""
    try:
        content = urlencode(fields).encode()
    except UnicodeEncodeError:
        return  # half of a pair of surrogates
    (body,) = bodies(content)
    assert {name: body.named(name) for name in fields} == {name: text.strip() for name, text in fields.items()}
