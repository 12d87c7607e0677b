"""``edi-gateway schema``: what an editor needs to check and complete while one writes."""

from __future__ import annotations

import json
from enum import StrEnum

import typer

from edi_gateway.config.schema import json_schema


class File(StrEnum):
    """The kinds of files people write."""

    GATEWAY = "gateway"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    MAPPING = "mapping"


def schema(file: File) -> None:
    """Print the JSON Schema of a kind of file, for your editor."""
    typer.echo(json.dumps(json_schema(file), indent=2))
