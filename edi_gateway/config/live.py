"""Which carriers are polled behind a webhook, as far as that can be said without secrets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edi_gateway.config.models import CarrierFile
from edi_gateway.config.names import asking_channels, receiving_channels
from edi_gateway.located import load
from edi_gateway.quantities import Duration
from edi_gateway.store.missed import Watched


def watched(folder: Path) -> list[Watched]:
    """Every carrier that has both; raises ConfigError when a file cannot be read at all."""
    sent, asked = receiving_channels(folder), asking_channels(folder)
    found = []
    for path in sorted((folder / "carriers").glob("[!.]*.yaml")):
        located = load(path)
        carrier = str(located.get(("carrier",)))
        webhooks, polled = ([name for name in names if name.partition("/")[0] == carrier] for names in (sent, asked))
        if webhooks and polled:
            found.append(Watched(carrier, webhooks, polled, _within(located.get(("missed_after",)))))
    return found


def _within(written: object) -> timedelta:
    default: timedelta = CarrierFile.model_fields["missed_after"].default
    try:
        return default if written is None else TypeAdapter(Duration).validate_python(written)
    except ValidationError:  # `check` says so
        return default
