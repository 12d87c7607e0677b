"""HTML forms (application/x-www-form-urlencoded): one message, whose fields answer JMESPath as those of JSON do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import Field

from edi_gateway.formats.strictness import Strict, strictly
from edi_gateway.formats.trees.json_text import Json, JsonNode
from edi_gateway.formats.trees.payload import payload, refused
from edi_gateway.model import Interchange, Message, Party, Position
from edi_gateway.plugins import Plugin
from edi_gateway.quantities import Size

_SHOWN: Final = 60
_FIELDS: Final = 10_000


class Form(Plugin):
    """Reads the fields of a form, or the JSON that stands in one of them."""

    field: str = Field("", description="the field that holds JSON, which then is read; left out: the fields themselves")
    records: str = Field("", description="JMESPath of the records in that JSON; as for json")
    encoding: str = Field("utf-8", description="such as cp1252")
    max_size: Size = Field(32_000_000, ge=1, description="a larger document is set aside: it is read as a whole")
    strict: Strict = False

    def is_complete(self, _content: bytes) -> bool:
        """Nobody can tell."""
        return True

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the form; raises DocumentError when it is none, or the field is not there."""
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        said, _ = payload(content, self.max_size, strict=self.strict)
        fields = self._fields(said)
        if not self.field:
            node = JsonNode(fields)
            message = Message("", "", "1", node, Position(message="1"))
            place = Position(start=0, end=len(content))
            yield Interchange(Party(""), Party(""), "", iter([message]), place)
            return
        inner = fields.get(self.field)
        if not isinstance(inner, str):
            raise refused(f"fields {', '.join(fields)[:_SHOWN]}", f"a field {self.field}, once")
        yield from Json(records=self.records, max_size=self.max_size).decode(inner.encode())

    def _fields(self, said: bytes) -> dict[str, Any]:
        """Name → value, or a list of values where a name comes again."""
        try:
            text = said.decode("ascii")
            pairs = parse_qsl(text, True, True, self.encoding, "replace", _FIELDS)
        except ValueError:
            found = repr(said[:_SHOWN])
            raise refused(found, "fields of a form, a=1&b=2", "look at what the carrier posts") from None
        fields: dict[str, Any] = {}
        for name, value in pairs:
            if name in fields:
                before = fields[name]
                fields[name] = [*before, value] if isinstance(before, list) else [before, value]
            else:
                fields[name] = value
        return fields
