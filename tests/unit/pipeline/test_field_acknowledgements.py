"""Acknowledgements as they are met in the field, where they lie beside this checkout; each ends precisely."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from edi_gateway.model import OutboundDocument
from edi_gateway.store import claims, deliveries
from edi_gateway.store.engine import Database
from edi_gateway.store.sealed import Terms, enter
from edi_gateway.store.tables import DeliveryState, DocumentState, Outcome
from edi_gateway.wiring import Wired
from tests import configured
from tests.guards.project import ROOT
from tests.unit.pipeline.partnership import customer, remarks, take

SAMPLES: Final = ROOT.parent / "shared" / "domain" / "samples" / "acks"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of the field are not beside this checkout")

ASIDE: Final = {  # what each is set aside for, where nothing was delivered
    "contrl_ediel_v22_action1.edi": "CONTRL about ORIG-I from 7300000000001 to 7300000000002: accepted",
    "contrl_energy_hierarchy.edi": "UNH",
    "edifabric_997.txt": "997 about 000000001 from FROM to TO: rejected",
    "edifabric_contrl.txt": "CONTRL about 131 from SENDER1 to RECEIVER1: received",
    "empty997.edi": "no AK1, which says what group it is about",
    "extraDelimiter997.edi": "997 about 000001 from Sender to ReceiverID: rejected",
    "invalid997.edi": "997 about 000001 from Sender to ReceiverID: rejected",
    "invalid999.edi": "code Q in IK5, expected one of A, E, P, R, M, W, X",
    "pyx12_997_ta1_A_000.edi": "TA1 about 000003447 from 383319999 to 382999999: accepted",
    "pyx12_997_ta1_R_015.edi": "TA1 about 000484889 from 00000AAA to 0000BBB: rejected",
    "pyx12_997_ta1_R_023.edi": "TA1 about 000010121 from ZZ000 to ZZ001: rejected",
    "simple997.edi": "997 about 000001 from Sender to ReceiverID: rejected",
    "simple997_multi_interchange.edi": "997 about 000001 from Sender to ReceiverID: rejected",
    "stupidedi_997_pass.edi": "997 about 160 from 9013446133 to XXXXXX: accepted",
    "ta1_optional_services.edi": "997 about 000001 from 123456789012345 to ABCDEFGHIJKLMNO: accepted",
    "v3_aperak.edi": "APERAK about PO123456 from SENDERID to RECEIVERID: rejected",
    "v3_aperak_rejected.edi": "APERAK about PO123456 from SENDERID to RECEIVERID: rejected",
    "v4_aperak.edi": "APERAK about PO123456 from SENDERID to RECEIVERID: rejected",
    "v4_aperak_rejected.edi": "APERAK about PO123456 from SENDERID to RECEIVERID: rejected",
}
MATCHED: Final = {  # number, sender, recipient of a delivery, and what becomes of it
    "edifabric_contrl.txt": (131, "SENDER1", "RECEIVER1", DeliveryState.DELIVERED),
    "pyx12_997_ta1_A_000.edi": (3447, "383319999", "382999999", DeliveryState.ACKNOWLEDGED),
    "pyx12_997_ta1_R_015.edi": (484889, "00000AAA", "0000BBB", DeliveryState.REJECTED),
    "pyx12_997_ta1_R_023.edi": (10121, "ZZ000", "ZZ001", DeliveryState.REJECTED),
}


def wire(folder: Path, content: bytes) -> Wired:
    """The customer's channel reads what the file is written in."""
    before, channels, after = customer().partition("channels:")
    syntax = "x12" if b"ISA" in content[:10] else "edifact"
    return configured.wired(folder, customers__globex=before + channels + after.replace("edifact", syntax))


def test_every_sample_is_accounted_for() -> None:
    """None is left out, and none is gone."""
    assert {path.name for path in SAMPLES.iterdir()} == set(ASIDE)


@pytest.mark.parametrize("name", ASIDE)
def test_what_is_about_nothing_of_ours_is_set_aside_precisely(db: Database, tmp_path: Path, name: str) -> None:
    """As an orphan that says what it is about, or with what it lacks; nothing is acknowledged."""
    content = (SAMPLES / name).read_bytes()
    document = take(db, wire(tmp_path, content), content, "globex/acks")
    assert document.state is DocumentState.QUARANTINED
    aside = [remark for remark in remarks(db, document) if remark.startswith("quarantine: ")]
    assert any(ASIDE[name] in remark for remark in aside), aside


@pytest.mark.parametrize("name", MATCHED)
def test_what_is_about_a_delivery_finds_it(db: Database, tmp_path: Path, name: str) -> None:
    """By its number and parties, and closes the loop as it says."""
    content = (SAMPLES / name).read_bytes()
    number, sender, recipient, end = MATCHED[name]
    syntax = "X12" if "997" in name else "EDIFACT"
    terms = Terms(f"{syntax} {sender} {recipient}", sender, recipient, "ta1" if syntax == "X12" else "contrl", 3600)
    with db.write() as connection:
        enter(connection, "globex/edi", "globex", number, OutboundDocument("a.edi", b"UNB"), terms=terms)
    claim = claims.claim(db, "globex/edi", "here")
    assert claim is not None
    claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    take(db, wire(tmp_path, content), content, "globex/acks")
    assert deliveries.delivery(db, claim.delivery_id)[0].state is end
