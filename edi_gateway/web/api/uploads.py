"""A file of tracking numbers, as it is or in a form."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from email.message import Message
from typing import Final

from pydantic import ValidationError

from edi_gateway.web.api.models import Item
from edi_gateway.web.api.problems import ProblemError

_MOST: Final = 10_000  # lines
_NAMES: Final = {"trackingnumber": "tracking_number", "trackingcode": "tracking_number", "carrier": "carrier"}
_EXPECTED: Final = "expected a first line that names the columns: tracking_number, and carrier where you know it"
_NAME: Final = re.compile(r'[\w "-]*')  # of a column; those that are neither of the two are passed over
_ENDING: Final = re.compile(rb"\r\n\r\n|\n\n")


class InvalidLineError(ValueError):
    """Of a line nothing can be made."""

    def __init__(self, reason: str, number: str, carrier: str) -> None:
        self.number = number
        self.carrier = carrier
        super().__init__(reason)


def file_of(body: bytes, content_type: str) -> bytes:
    """The CSV file a request brings. Raises ProblemError: 415, or 400 for a form without a file."""
    header = Message()
    header["content-type"] = content_type
    kind = header.get_content_type()
    if kind == "text/csv":
        return body
    boundary = header.get_boundary()
    if kind != "multipart/form-data" or not boundary:
        raise ProblemError(415, "expected text/csv, or multipart/form-data with the field file")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"))[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if re.search(rb'(?i)content-disposition:.*\bname="?file"?', head):
            return content
    raise ProblemError(400, "the form has no field file", [("body.file", "missing")])


def items(content: bytes) -> Iterator[tuple[int, Item | InvalidLineError]]:
    """Line and item, or why it is none. Raises ProblemError for what is no such table."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ProblemError(422, "the file is not in UTF-8", [("body", f"byte {error.start}")]) from None
    if len(lines) > _MOST + 1:
        raise ProblemError(422, f"the file has more than {_MOST:,} lines", [("body", f"{len(lines):,} lines")])
    first = lines[0] if lines else ""
    delimiter = max(",;\t", key=first.count)
    strange = next((name for name in first.split(delimiter) if not _NAME.fullmatch(name)), None)
    if strange is not None:
        raise ProblemError(422, _EXPECTED, [("body.1", f"found the column {strange[:100]!r}")])
    columns = [_NAMES.get(re.sub(r"[\s_\"-]", "", name).lower(), "") for name in first.split(delimiter)]
    if columns.count("tracking_number") != 1 or columns.count("carrier") > 1:
        raise ProblemError(422, _EXPECTED, [("body.1", f"found {first[:100]!r}")])
    for line, text in enumerate(lines[1:], start=2):
        if text.strip():
            yield line, _item(columns, text, delimiter)


def _item(columns: list[str], text: str, delimiter: str) -> Item | InvalidLineError:
    try:
        cells = dict(zip(columns, next(csv.reader([text], delimiter=delimiter)), strict=False))
    except csv.Error as error:
        return InvalidLineError(str(error), "", "")
    number, carrier = cells.get("tracking_number", ""), cells.get("carrier", "")
    try:
        return Item(tracking_number=number, carrier=carrier)
    except ValidationError as error:
        said = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        return InvalidLineError(said, number[:100], carrier[:100])
