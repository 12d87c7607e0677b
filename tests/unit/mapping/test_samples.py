"""The samples beside each shipped mapping give their golden events."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.mapping.load import Library
from edi_gateway.pipeline.samples import Sample, actual, differences, expected, samples, write_golden

MAPPINGS = Path(__file__).parents[3] / "mappings"
LIBRARY = Library([MAPPINGS])


@pytest.mark.parametrize("sample", list(samples(LIBRARY)), ids=lambda sample: f"{sample.mapping}/{sample.path.stem}")
def test_a_sample_gives_its_golden_events(sample: Sample) -> None:
    """To the letter, provenance included."""
    assert differences(sample, actual(sample, LIBRARY.reader(sample.mapping), LIBRARY.format(sample.mapping))) == []
    assert expected(sample)


def test_a_difference_is_said_by_line_and_key(tmp_path: Path) -> None:
    """What was expected, and what came."""
    folder = tmp_path / "kurier" / "samples" / "iftsta"
    shutil.copytree(MAPPINGS / "kurier" / "samples" / "iftsta", folder)
    shutil.copy(MAPPINGS / "kurier" / "iftsta.yaml", tmp_path / "kurier")
    (sample,) = samples(Library([tmp_path, MAPPINGS]), "kurier/iftsta")
    found = actual(sample, LIBRARY.reader("kurier/iftsta"), Edifact())
    found[1]["status"] = "DELIVERED"
    (said,) = differences(sample, found)
    assert said.endswith("events.jsonl:2: status: expected 'ATTEMPT_FAILURE', found 'DELIVERED'")
    write_golden(sample, found)
    assert differences(sample, found) == []
