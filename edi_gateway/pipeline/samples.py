"""Samples beside a mapping: a carrier's file and the events it must give are a test by themselves.

``mappings/<partner>/samples/<mapping>/<case>.<any>`` is read by ``mappings/<partner>/<mapping>.yaml``; the golden
lines lie beside it as ``<case>.events.jsonl``, one object of ``translate --json`` a line, without what any edit of the
mapping changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.pipeline.reading import read
from edi_gateway.pipeline.views import Json, lines
from edi_gateway.plugins import Format

GOLDEN = ".events.jsonl"
_NOW = datetime(2038, 1, 1, tzinfo=UTC)  # golden events must not depend on the day they are checked


@dataclass(frozen=True, slots=True)
class Sample:
    """One input with its golden events."""

    mapping: str
    path: Path

    @property
    def golden(self) -> Path:
        """Where the expected events lie."""
        return self.path.with_name(self.path.stem + GOLDEN)


def samples(library: Library, mapping: str = "") -> Iterator[Sample]:
    """Every sample beside a mapping, or only those of one; a mapping's samples lie in the folder it is taken from."""
    for folder in library.folders:
        for path in sorted(folder.rglob("samples/*/*")):
            name = f"{path.parents[2].relative_to(folder).as_posix()}/{path.parent.name}"
            if path.is_dir() or path.name.endswith(GOLDEN) or mapping not in {"", name}:
                continue
            if library.path(name) == folder / f"{name}.yaml":
                yield Sample(name, path)


def actual(sample: Sample, mapping: Mapping, syntax: Format) -> list[Json]:
    """What the sample gives today."""
    partner = Partner(sample.mapping.partition("/")[0])
    found = [dict(line) for line in lines(read(sample.path.read_bytes(), syntax, mapping, partner, _NOW))]
    for line in found:
        if "provenance" in line:
            line["provenance"] = _lasting(line["provenance"])
    return found


def _lasting(provenance: Json) -> Json:
    """Without what any edit of the mapping changes: its version, and the line of the rule."""
    file = provenance["rule"].partition(":")[0]
    return {key: value for key, value in provenance.items() if key != "mapping_version"} | {"rule": file}


def expected(sample: Sample) -> list[Json]:
    """The golden events; an empty list when there are none yet."""
    if not sample.golden.is_file():
        return []
    return [json.loads(line) for line in sample.golden.read_text(encoding="utf-8").splitlines() if line.strip()]


def differences(sample: Sample, found: Sequence[Json]) -> list[str]:
    """What differs from the golden events, a line each; none means the sample holds."""
    wanted = expected(sample)
    if not wanted:
        return [f"{sample.golden}: no golden events yet; look at them with translate, then take them with --update"]
    if len(wanted) != len(found):
        return [f"{sample.golden}: expected {len(wanted)} lines, found {len(found)}"]
    return [
        f"{sample.golden}:{number}: {key}: expected {want.get(key)!r}, found {have.get(key)!r}"
        for number, (want, have) in enumerate(zip(wanted, found, strict=True), 1)
        for key in sorted({*want, *have})
        if want.get(key) != have.get(key)
    ]


def write_golden(sample: Sample, found: Sequence[Json]) -> None:
    """Take what the sample gives today as what it must give from now on."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found)
    sample.golden.write_text(text, encoding="utf-8")
