"""Every command that the documentation of trackers shows does what it says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.guards.project import ROOT
from tests.tracking_gateway import create, tracking_gateway


def test_every_example_runs(tmp_path: Path) -> None:
    """One after the other, as a reader would; none is refused."""
    examples = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/api-trackers.md").read_text(encoding="utf-8"), re.DOTALL)
    with tracking_gateway(tmp_path / "gateway") as place, place.client() as client:
        tracker = create(client, "1Z000", "ups").json()["id"]
        known = {"GATEWAY": place.url, "KEY": place.keys["hooli"], "TRACKER": tracker}
        for example in examples:
            done = subprocess.run(
                ["bash", "-euc", example], env=os.environ | known, cwd=tmp_path, capture_output=True, check=False
            )
            assert 0 == done.returncode, (example, done.stdout, done.stderr)
        assert 404 == client.get(f"/v1/trackers/{tracker}").status_code
    assert len(examples) >= 8
