"""The shipped code tables: complete, well formed, and decided as their headers say."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from edi_gateway.model import Classifier, Direction, Status

FOLDER = Path(__file__).parents[3] / "mappings" / "standard"
TABLES: dict[str, dict[str, dict[str, Any]]] = {
    name: yaml.safe_load((FOLDER / "codes" / f"{name}.yaml").read_text("utf-8"))["codes"]
    for name in ("rec24", "de9011", "de9013")
}
STATUS_TABLES = ["rec24", "de9011"]
ALL = [(table, code, entry) for table, codes in TABLES.items() for code, entry in codes.items()]
WITHDRAWN = {"42", "43", "52", "55", "56"}
CHANGED = {"51", "59", "75", "76"}


def _decision(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    """What an entry says apart from its name."""
    return (entry["status"], entry.get("reason", ""), entry.get("classifier", "ACT"), entry.get("direction", "forward"))


@pytest.mark.parametrize(("table", "count"), [("rec24", 345), ("de9011", 103), ("de9013", 142)])
def test_tables_are_complete(table: str, count: int) -> None:
    """Each table has as many codes as the published list, in order, and says which list it is."""
    text = (FOLDER / "codes" / f"{table}.yaml").read_text("utf-8")
    assert table == yaml.safe_load(text)["list"]
    assert count == len(TABLES[table]) == len(re.findall(r'^  "\d+":', text, re.MULTILINE))
    assert sorted(TABLES[table], key=int) == list(TABLES[table])


def test_the_lists_end_where_the_standard_ends() -> None:
    """DE 9011 runs from 1 to 103, DE 9013 from 1 to 142, Recommendation 24 to 379 with gaps."""
    assert [str(number) for number in range(1, 104)] == list(TABLES["de9011"])
    assert [str(number) for number in range(1, 143)] == list(TABLES["de9013"])
    assert "379" == list(TABLES["rec24"])[-1]


def test_every_entry_is_well_formed() -> None:
    """Known keys, a status of the gateway's vocabulary, a namespaced reason, and the standard's name."""
    allowed = {"status", "reason", "classifier", "direction", "name", "reasons"}
    for table, code, entry in ALL:
        where = f"{table} {code}"
        assert entry.keys() <= allowed, where
        assert entry["name"].strip(), where
        assert entry.get("status", "UNKNOWN") in set(Status), where
        assert entry.get("classifier", "ACT") in set(Classifier), where
        assert entry.get("direction", "forward") in set(Direction), where
        assert re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)+", entry.get("reason", "info.none")), where


def test_every_reason_code_has_a_reason_and_every_status_code_a_status() -> None:
    """A status reason table without reasons, or a status table without statuses, would decide nothing."""
    assert [] == [code for code, entry in TABLES["de9013"].items() if "reason" not in entry]
    assert [] == [
        (table, code) for table in STATUS_TABLES for code, entry in TABLES[table].items() if "status" not in entry
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1", "IN_TRANSIT transit.arrived"),
        ("6", "PENDING info.booked"),
        ("7", "CANCELLED cancel.booking"),
        ("12", "IN_TRANSIT customs.cleared"),
        ("13", "PICKED_UP "),
        ("17", "EXCEPTION customs.refused"),
        ("18", "EXCEPTION damage.reported"),
        ("20", "EXCEPTION delay.in_transit"),
        ("21", "DELIVERED "),
        ("22", "DELIVERED "),
        ("23", "ATTEMPT_FAILURE attempt.not_completed"),
        ("24", "IN_TRANSIT transit.departed"),
        ("31", "IN_TRANSIT transit.en_route"),
        ("49", "LOST loss.reported"),
        ("64", "PENDING pickup.awaited"),
        ("73", "EXCEPTION delivery.partial"),
        ("82", "RETURNED return.completed"),
        ("106", "EXCEPTION refused.consignee"),
        ("109", "ATTEMPT_FAILURE attempt.notice_left"),
        ("112", "AVAILABLE_FOR_PICKUP pickup_point.ready"),
        ("113", "OUT_FOR_DELIVERY "),
        ("117", "EXCEPTION loss.missing"),
        ("130", "PICKED_UP transit.accepted"),
        ("147", "UNKNOWN info.vessel_operation"),
        ("211", "ATTEMPT_FAILURE attempt.closed"),
        ("269", "ATTEMPT_FAILURE attempt.not_home"),
        ("276", "RETURN_TO_SENDER refused.return_to_sender"),
        ("323", "RETURN_TO_SENDER return.started"),
    ],
)
def test_well_known_codes_of_recommendation_24(code: str, expected: str) -> None:
    """The codes carriers send every day mean what everybody takes them to mean."""
    entry = TABLES["rec24"][code]
    assert expected == f"{entry['status']} {entry.get('reason', '')}"


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        ("7", "attempt.closed", "ATTEMPT_FAILURE"),
        ("14", "damage.reported", "EXCEPTION"),
        ("30", "address.incorrect", "EXCEPTION"),
        ("33", "loss.reported", "LOST"),
        ("63", "delay.weather", "EXCEPTION"),
        ("96", "delivery.partial", "EXCEPTION"),
        ("52", "info.signature_not_required", None),
    ],
)
def test_well_known_reasons(code: str, reason: str, status: str | None) -> None:
    """Reasons bear the same words as status codes; a status is a hint and may be missing."""
    entry = TABLES["de9013"][code]
    assert (reason, status) == (entry["reason"], entry.get("status"))


def test_the_two_status_tables_differ_exactly_where_the_standard_drifted() -> None:
    """Codes withdrawn or given another meaning by Recommendation 24 differ; all others are decided alike."""
    rec24, de9011 = TABLES["rec24"], TABLES["de9011"]
    assert de9011.keys() - rec24.keys() == WITHDRAWN
    shared = de9011.keys() & rec24.keys()
    assert {code for code in shared if _decision(rec24[code]) != _decision(de9011[code])} == CHANGED


@pytest.mark.parametrize("table", STATUS_TABLES)
def test_only_whole_deliveries_end_a_shipment_as_delivered(table: str) -> None:
    """DELIVERED is said by few codes, and reason 96 (partially delivered) takes it back."""
    delivered = {code for code, entry in TABLES[table].items() if entry["status"] == "DELIVERED"}
    assert delivered == {"21", "22", "72", "114"} & TABLES[table].keys()
    for code in ("21", "22"):
        refined = TABLES[table][code]["reasons"]["96"]
        assert ("EXCEPTION", "delivery.partial") == (refined["status"], refined["reason"])


@pytest.mark.parametrize("table", STATUS_TABLES)
def test_returns_and_only_returns_travel_backwards(table: str) -> None:
    """RETURN_TO_SENDER and RETURNED carry the direction; nothing else does."""
    for code, entry in TABLES[table].items():
        returning = entry["status"] in {"RETURN_TO_SENDER", "RETURNED"}
        assert returning == (entry.get("direction") == "return"), code


def test_the_future_is_never_actual() -> None:
    """Scheduled and expected deliveries are PLN and EST; every other code is ACT."""
    future = {code: entry["classifier"] for code, entry in TABLES["rec24"].items() if "classifier" in entry}
    assert {"209": "PLN", "361": "EST"} == future


@pytest.mark.parametrize("table", STATUS_TABLES)
def test_unknown_is_a_decision_with_a_reason(table: str) -> None:
    """A code that says nothing of where the goods are tells why, in a namespace for such facts."""
    unknown = [entry.get("reason", "") for entry in TABLES[table].values() if entry["status"] == "UNKNOWN"]
    assert {"info", "equipment", "doc"} == {reason.split(".")[0] for reason in unknown}


def test_different_facts_of_one_status_have_different_reasons() -> None:
    """Events are told apart by status and reason: only codes known to tell the same fact may share them."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for code, entry in TABLES["rec24"].items():
        if entry.get("reason") != "info.vessel_operation":
            groups[_decision(entry)].append(code)
    same = ["18 218", "20 101", "21 22", "24 127", "29 346", "77 253", "106 325", "213 274", "224 235"]
    assert same == sorted(
        (" ".join(codes) for codes in groups.values() if len(codes) > 1), key=lambda s: int(s.split()[0])
    )


def test_the_outbound_codes_mean_what_they_are_sent_for() -> None:
    """Each Recommendation 24 code of the standard outbound file is read back as the status it was written for."""
    layout = yaml.safe_load((FOLDER / "tracking_events.yaml").read_text("utf-8"))
    for name, code in layout["statuses"].items():
        status, _, reason = name.partition("/")
        entry = TABLES["rec24"][code if isinstance(code, str) else code["code"]]
        assert status == entry["status"], name
        assert entry.get("reason", "").startswith(reason), name


X12: dict[str, dict[str, dict[str, Any]]] = {
    name: yaml.safe_load((FOLDER / "codes" / f"x12_{name}.yaml").read_text("utf-8"))["codes"]
    for name in ("1650", "1651", "1652", "157")
}


@pytest.mark.parametrize(("table", "count"), [("1650", 71), ("1651", 107), ("1652", 9), ("157", 94)])
def test_tables_of_x12_are_well_formed(table: str, count: int) -> None:
    """As many codes as we know of; each with a status or a reason, and a name of our own."""
    assert len(X12[table]) == count
    for code, entry in X12[table].items():
        assert entry["name"].strip(), code
        assert entry.get("status", "UNKNOWN") in set(Status), code
        assert ("reason" in entry) if table == "1651" else ("status" in entry), code
        returning = entry.get("status") in {"RETURN_TO_SENDER", "RETURNED"}
        assert table == "1651" or returning == (entry.get("direction") == "return"), code
        assert entry.get("status") != "UNKNOWN" or entry["reason"], code


@pytest.mark.parametrize("table", ["1650", "1652", "157"])
def test_different_facts_of_x12_have_different_reasons(table: str) -> None:
    """Events are told apart by status and reason."""
    groups = [_decision(entry) for entry in X12[table].values()]
    assert len(set(groups)) == len(groups)


def test_only_whole_deliveries_of_x12_end_a_shipment() -> None:
    """D1, CB and CD of 1650, D of 157; no appointment ends anything."""
    delivered = {(table, code) for table in X12 for code, entry in X12[table].items() if table != "1651"
                 and entry["status"] == "DELIVERED"}  # fmt: skip
    assert delivered == {("1650", "D1"), ("1650", "CB"), ("1650", "CD"), ("157", "D")}


def test_a_normal_status_is_no_reason() -> None:
    """NS and NA are left out, so that an event told with them is the same fact as one told without."""
    assert not {"NS", "NA"} & set(X12["1651"])
