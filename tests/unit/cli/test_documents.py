"""``edi-gateway documents``: what a person sees of what came, and of everything that was noticed in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from tests import command, configured
from tests.unit.pipeline.iftsta import interchange, message, sts


def shown(config: Path, *arguments: str) -> str:
    """What the real command prints of document 1."""
    done = command.run(["--config", config, "documents", "show", "1", *arguments])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_warnings_stay_with_the_document_and_are_shown(tmp_path: Path, sqlite_template: Path) -> None:
    """Each with its place, what stood there, what belongs there, what to do and the code acknowledgements use."""
    wired = configured.wired(tmp_path / "config")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "edi-gateway.db").write_bytes(sqlite_template.read_bytes())
    db = Database(f"sqlite:///{tmp_path / 'data' / 'edi-gateway.db'}")
    content = interchange(message(sts("K1", "13", 0), claim=99)).replace(b"+261012:0900+", b"+261312:0900+")
    inbox.receive(db, "speedy", [RawDocument("speedy/files", "a.edi", content, utc_now())])
    process_pending(db, wired.channels, wired.destinations)
    db.close()
    document: dict[str, Any] = json.loads(shown(tmp_path / "config", "--json"))
    assert (document["state"], document["events_new"]) == ("processed", 1)
    noticed = [{key: each[key] for key in ("severity", "at", "found", "code")} for each in document["noticed"]]
    assert noticed == [
        {"severity": "warning", "at": "interchange I1, UNB, element 4", "found": "261312:0900", "code": "12"},
        {
            "severity": "warning",
            "at": "interchange I1, message 1, segment 7 UNT, element 1",
            "found": "claims 99, counted 7",
            "code": "29",
        },
    ]
    for_people = shown(tmp_path / "config")
    assert "261312:0900" in for_people
    assert "claims 99" in for_people
