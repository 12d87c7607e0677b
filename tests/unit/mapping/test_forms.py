"""Messages read by their form say what following every path would say, whatever was read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.mapping.harmonize import Harmonized, Mapping, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import Message
from tests.unit.formats import edi, x12

MAPPINGS = Path(__file__).parents[3] / "mappings"
STANDARD = Library([MAPPINGS]).reader("standard/x12-214")
NOW = datetime(2026, 11, 1, tzinfo=UTC)

# Each tag in several wordings, so that sets of one form say different things, some of them amiss.
WORDINGS = {
    "B10": ("B10*SP 1*LD1*SPDY", "B10**LD2*SPDY", "B10**LD3*SPDY**CN*K3", "B10*4.3E+15", f"B10*{'9' * 300}", "B10"),
    "L11": ("L11*R1*PO", "L11*R2*CN", "L11*R1*BM", "L11**PO", "L11*R3", "L11*R4* PO ", "L11*R:4>x*PO"),
    "N1": ("N1*SH*ACME", "N1*AP*J SMITH", "N1*EY*K ROE", "N1"),
    "K1": ("K1*LEFT AT DOCK", "K1"),
    "LX": ("LX*1", "LX*2"),
    "AT7": (
        *("AT7*D1*NS***20261012*0815*CT", "AT7*X6*A1***20261013*0000", "AT7***AA*NS*20261014*1615", "AT7*ZZ"),
        *("AT7*D1**20261012*0815", "AT7*AF*NS***20261341*0815*CT", "AT7*X3*NS***20271012*0815*ET", "AT7*AF*NS"),
        *("AT7*QQ*NS***20261012*0815*LT", "AT7*AF*NS***20261101*0130*CT", "AT7*AF*NS***19991012*0815*ES"),
    ),
    "MS1": ("MS1*DALLAS*TX*US", "MS1*SAN ANTONIO*TX", "MS1**ON", "MS1", "MS1****0970000W*0323000N", "MS1*A>B*ZZ*USA"),
    "MS2": ("MS2*SPDY*TR1", "MS2"),
    "Q7": ("Q7*D*1", "Q7"),
}
OWN_YAML = """\
extends: standard/x12-214
event:
  tracking_number: ["^L11[2=PO|CN]@1", {path: B10@1, convert: upper}, "^B10[1!=SP 1]@2"]
  piece: ["^L11[2!=BM]@1"]
  text: [{path: "^K1@1", values: {LEFT AT DOCK: DOCK, "*": ""}}, {const: none}]
  account: [{path: "^N1@1", join: ["^N1@2"]}]
  references:
    - {of: ^L11, qualifier: "@2", value: "@1"}
    - {SHIPMENT: ["^B10@2", "^B10@5"], PLACE: [MS1@1, MS1@1.2]}
"""
PAIRS = (("CN", "PO"), ("PO", "CN"), ("BM", "CN"), ("BM", "PO"))
ZONES = ("America/New_York", "America/Denver")
FORM = st.lists(st.sampled_from([*WORDINGS, "L11", "LX", "AT7", "MS1"]), max_size=8).map(
    lambda tags: ["B10", *tags[: len(tags) // 2], "AT7", "MS1", *tags[len(tags) // 2 :]]
)


def sets(bodies: Sequence[Sequence[str]], version: str = "004010") -> list[Message]:
    """One set for each body; those that are put aside are left out."""
    parts = [x12.transaction(*body, ref=f"{number:04}") for number, body in enumerate(bodies, 1)]
    content = x12.interchange(x12.group(*parts, header=f"GS*QM*SPDY*HUB*20260102*0930*17*X*{version}"))
    return [message for message in x12.read_one(content).messages if message.body is not None]


def read(mapping: Mapping, message: Message, timezone: str = "America/New_York") -> Harmonized:
    """What the mapping makes of a message of the carrier speedy."""
    return mapping.harmonize(message, Partner("speedy", timezone), NOW)


def alone(message: Message, mapping: Mapping = STANDARD, timezone: str = "America/New_York") -> Harmonized:
    """What a mapping says that has read nothing before, so that every event is read by itself."""
    return read(replace(mapping), message, timezone)


def _own() -> Mapping:
    with TemporaryDirectory() as folder:
        Path(folder, "own.yaml").write_text(OWN_YAML, encoding="utf-8")
        return Library([Path(folder), MAPPINGS]).reader("own")


OWN = _own()


def told(said: Harmonized) -> tuple[Harmonized, list[list[str]]]:
    """What is said, and in which order the references are."""
    return said, [list(event.references) for event in said.events]


def often(mapping: Mapping, bodies: Sequence[Sequence[str]]) -> list[Harmonized]:
    """What a mapping says of sets once it has read each of them often enough to know their forms."""
    for message in sets([*bodies, *bodies, *bodies]):
        read(mapping, message)
    return [read(mapping, message) for message in sets(bodies)]


def own(folder: Path, text: str) -> Mapping:
    """A carrier's own mapping."""
    folder.joinpath("own.yaml").write_text(f"extends: standard/x12-214\n{text}\n", encoding="utf-8")
    return Library([folder, MAPPINGS]).reader("own")


@given(st.lists(FORM, min_size=1, max_size=2), st.data())
def test_a_set_is_read_the_same_whatever_was_read_before(forms: list[list[str]], data: st.DataObject) -> None:
    """A mapping that has read many sets of the same form and one that has read nothing agree on each."""
    bodies = [[data.draw(st.sampled_from(WORDINGS[tag])) for tag in form] for form in forms for _ in range(8)]
    used = replace(STANDARD)
    for message in sets(bodies):
        assert told(read(used, message)) == told(alone(message))


@given(st.lists(FORM, min_size=1, max_size=1), st.data())
def test_a_mapping_with_conditions_of_its_own_reads_the_same_by_form(
    forms: list[list[str]], data: st.DataObject
) -> None:
    """Conditions on any element, converters, joined texts and places without a segment of their own are kept."""
    bodies = [[data.draw(st.sampled_from(WORDINGS[tag])) for tag in form] for form in forms for _ in range(8)]
    used = replace(OWN)
    for message in sets(bodies):
        assert told(read(used, message)) == told(alone(message, OWN))


def test_sets_of_one_form_are_told_apart_by_the_qualifiers_that_paths_ask_for() -> None:
    """Who signed is not who ships, though both stand in the same segment of the same form."""
    body = ("B10*S1*LD*SPDY", "{}*NAME", "AT7*D1*NS***20261012*0815*CT", "MS1*DALLAS*TX*US")
    kinds = ("N1*AP", "N1*SH", "N1*EY", "N1*CN")
    bodies = [[each.format(kind) for each in body] for kind in kinds]
    signed = [said.events[0].signatory for said in often(replace(STANDARD), bodies)]
    assert signed == ["NAME", "", "NAME", ""]


def test_sets_of_one_form_are_told_apart_by_conditions_on_any_element() -> None:
    """The carrier's number is that behind its qualifier, wherever the mapping looks for the qualifier."""
    body = ("B10***SPDY", "L11*A*{}", "L11*B*{}", "AT7*D1*NS***20261012*0815*CT", "MS1*DALLAS*TX*US")
    bodies = [[body[0], body[1].format(one), body[2].format(other), *body[3:]] for one, other in PAIRS]
    assert [said.events[0].tracking_number for said in often(replace(STANDARD), bodies)] == ["A", "B", "B", "A"]


def test_the_zone_of_the_partner_is_not_part_of_what_is_remembered() -> None:
    """Two channels of one mapping keep their own zones."""
    (message,) = sets([("B10*S1*LD*SPDY", "AT7*D1*NS***20261012*0815*LT")])
    used = replace(STANDARD)
    hours = [read(used, message, zone).events[0].occurred_at.hour for zone in ZONES * 3]
    offsets = [read(used, message, zone).events[0].occurred_at.utcoffset() for zone in ZONES]
    assert set(hours) == {8}
    assert len(set(offsets)) == len(ZONES)


def test_what_has_to_be_remarked_is_remarked_each_time() -> None:
    """A code no table knows, a time that cannot be, a place never heard of: the hundredth set says so, too."""
    body = ["B10*S1*LD*SPDY", "AT7*QQ*NS***20261012*0815*CT", "AT7*D1*NS***20261341*0815*CT", "MS1*DALLAS*TX*US"]
    found = [[finding.found for finding in said.findings] for said in often(replace(STANDARD), [body, body])]
    assert found == [["QQ", "20261341"]] * 2


def test_an_event_that_for_each_does_not_reach_is_told_each_time(tmp_path: Path) -> None:
    """Which events are reached may follow from the form, or from what they say: none is passed over in silence."""
    for for_each in ("//AT7[1=D1]", "AT7"):
        mapping = own(tmp_path, f'for_each: "{for_each}"')
        body = ["B10*S1*LD*SPDY", "AT7*D1*NS***20261012*0815*CT", "LX*1", "AT7*X6*NS***20261012*0815*CT"]
        for said in often(mapping, [body, body]):
            assert (len(said.events), [finding.found for finding in said.findings]) == (1, ["a AT7 outside it"])


def test_a_place_the_mapping_names_itself_stays(tmp_path: Path) -> None:
    """A location without a segment of its own is read from the event, or is what the mapping says."""
    mapping = own(tmp_path, "event: {location: {of: [], name: {const: DOCK 7}, country: [], subdivision: []}}")
    body = ["B10*S1*LD*SPDY", "AT7*D1*NS***20261012*0815*CT"]
    assert [said.events[0].location.name for said in often(mapping, [body, body])] == ["DOCK 7"] * 2


def test_a_code_means_what_it_means_in_the_directory_of_its_message_however_often() -> None:
    """Equal segments of two directories are two things, also when both have been read before."""
    kinds = ("IFTSTA:D:96A:UN", "IFTSTA:D:01B:UN") * 4
    body = ("CNI+1+K1", "STS+1+51", "DTM+334:202610120815:203")
    parts = [edi.message(*body, ref=f"M{number}", kind=kind) for number, kind in enumerate(kinds)]
    mapping = Library([MAPPINGS]).reader("standard/iftsta")
    events = [read(mapping, each).events[0] for each in edi.read_one(edi.interchange(*parts)).messages]
    rules = [event.provenance.rule.partition(":")[0] for event in events]
    assert rules == ["codes/de9011.yaml", "codes/rec24.yaml"] * 4


def test_each_event_has_the_provenance_of_its_own_set() -> None:
    """Message, segment and bytes are those of the set, not of the first of its form."""
    body = ["B10*S1*LD*SPDY", "AT7*D1*NS***20261012*0815*CT", "MS1*DALLAS*TX*US"]
    messages = sets([body] * 5)
    used = replace(STANDARD)
    places = [read(used, message).events[0].provenance for message in messages]
    assert places == [alone(message).events[0].provenance for message in messages]
    assert len({(place.message, place.start, place.end) for place in places}) == 5


def test_which_segments_are_events_may_follow_from_what_they_say(tmp_path: Path) -> None:
    """A set in which all statuses are wanted has the form of one in which one of them is not."""
    mapping = own(tmp_path, 'for_each: "//AT7[1=D1]"')
    body = ["B10*S1*LD*SPDY", "AT7*{}*NS***20261012*0815*CT", "AT7*{}*NS***20261012*0915*CT"]
    wanted, others = ([each.format(code) for each in body] for code in ("D1", "X6"))
    said = [read(mapping, message) for message in sets([wanted, wanted, wanted, others])]
    assert [len(each.events) for each in said] == [2, 2, 2, 0]


def test_the_first_segment_that_names_a_place_counts() -> None:
    """A place of which nothing is said is none, and the next one may say more."""
    body = ["B10*S1*LD*SPDY", "AT7*D1*NS***20261012*0815*CT", "MS1", "MS1*{}*TX*US"]
    bodies = [[each.format(town) for each in body] for town in ("DALLAS", "AUSTIN")]
    assert [said.events[0].location.name for said in often(replace(STANDARD), bodies)] == ["DALLAS", "AUSTIN"]


def test_references_under_a_condition_are_looked_for_in_every_set(tmp_path: Path) -> None:
    """What only the text of a segment decides is not taken from another set of the same form."""
    mapping = own(tmp_path, 'event: {references: [{CARRIER: ["^L11[2=CN]@1"]}]}')
    body = ["B10*S1*LD*SPDY", "L11*A*{}", "AT7*D1*NS***20261012*0815*CT"]
    bodies = [[each.format(kind) for each in body] for kind in ("CN", "PO")]
    assert [said.events[0].references for said in often(mapping, bodies)] == [{"CARRIER": ("A",)}, {}]


def test_released_and_repeated_texts_are_read_as_they_are_meant() -> None:
    """A separator that is data, a repetition and a component behind a text are no part of what is beside them."""
    body = ("CNI+1+K?+{}", "STS+1+21", "DTM+334:202610120815:203")
    parts = [edi.message(*[each.format(number) for each in body], ref=f"M{number}") for number in range(5)]
    mapping = Library([MAPPINGS]).reader("standard/iftsta")
    events = [read(mapping, each).events[0] for each in edi.read_one(edi.interchange(*parts)).messages]
    assert [event.tracking_number for event in events] == [f"K+{number}" for number in range(5)]
    at7 = "AT7*D1*NS***20261012*0815*CT"
    parts = [
        x12.transaction(f"B10*S{number}^T*LD*SPDY", "L11*P>X*PO", "L11*Q * QN ", at7, ref=f"{number:04}")
        for number in range(5)
    ]
    content = x12.interchange(x12.group(*parts), header=x12.isa(repeats="^", version="00501"))
    used = replace(STANDARD)
    events = [read(used, each).events[0] for each in x12.read_one(content).messages]
    assert [event.tracking_number for event in events] == [f"S{number}" for number in range(5)]
    assert {(*event.references["PO"], *event.references["QN"]) for event in events} == {("P", "Q")}
