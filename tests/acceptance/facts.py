"""What the acceptance tests' world is made of: places, the two carriers' scans, shipments, and who is to hear of them.

The tables are written down here a second time on purpose: what is expected must not come from the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo


class Place(NamedTuple):
    """A place under its two spellings; ``zone`` is the one its clocks show."""

    unlocode: str
    country: str
    names: tuple[str, str]
    zone: str


PLACES: Final = (
    Place("DEHAM", "DE", ("HAMBURG", "HAMBURG HAFEN"), "Europe/Berlin"),
    Place("DEMUC", "DE", ("MÜNCHEN", "MUENCHEN"), "Europe/Berlin"),
    Place("SEGOT", "SE", ("GÖTEBORG", "GOTHENBURG"), "Europe/Stockholm"),
    Place("DKAAR", "DK", ("ÅRHUS", "AARHUS"), "Europe/Copenhagen"),
    Place("GBFXT", "GB", ("FELIXSTOWE: TRINITY?", "FELIXSTOWE"), "Europe/London"),
    Place("FIHEL", "FI", ("HELSINKI+VUOSAARI", "HELSINGFORS"), "Europe/Helsinki"),
    Place("FRLEH", "FR", ("QUAI DE L'ÎLE", "LE HAVRE"), "Europe/Paris"),
    Place("CZPRG", "CZ", ("PRAHA", "PRAGUE"), "Europe/Prague"),
)


class Code(NamedTuple):
    """A status code in one customer's vocabulary."""

    code: str
    reason: str = ""


class Scan(NamedTuple):
    """One code of a carrier: what it means, what each customer calls it, and the carrier's two wordings."""

    status: str
    globex: Code
    initech: Code
    texts: tuple[str, str]


def _exception(kind: str, initech: Code, *texts: str) -> Scan:
    return Scan("EXCEPTION", Code("EXC", kind), initech, (texts[0], texts[1]))


UNMAPPED: Final = Scan("UNKNOWN", Code("UNK"), Code("UNK"), ("INTERNAL SCAN", "NO STATEMENT"))
SCANS: Final = {
    "nordlog": {
        "BK": Scan("PENDING", Code("ADV"), Code("68"), ("BOOKING CONFIRMED", "BOOKED")),
        "GI": Scan("PICKED_UP", Code("PUP"), Code("13"), ("GATE IN FULL", "ARRIVED AT TERMINAL GATE")),
        "LO": Scan("IN_TRANSIT", Code("TRA"), Code("31"), ("LOADED ON VESSEL", "LADEN ON BOARD")),
        "DP": Scan("IN_TRANSIT", Code("TRA"), Code("31"), ("DEPARTED", "LEFT PORT")),
        "AR": Scan("IN_TRANSIT", Code("ARR"), Code("31"), ("ARRIVED", "BERTHED")),
        "CH": _exception("CUS", Code("90"), "HELD BY CUSTOMS", "CUSTOMS HOLD"),
        "DL": _exception("DLY", Code("20"), "DELAYED", "LATE"),
        "DM": _exception("DMG", Code("18"), "DAMAGED", "DAMAGE SEEN"),
        "AV": Scan("AVAILABLE_FOR_PICKUP", Code("AVL"), Code("AFP"), ("AVAILABLE AT TERMINAL", "READY")),
        "GO": Scan("OUT_FOR_DELIVERY", Code("OFD"), Code("OFD"), ("GATE OUT", "ON TRUCK")),
        "D": Scan("DELIVERED", Code("DEL"), Code("21"), ("DELIVERED TO CONSIGNEE", "RECEIVED BY CONSIGNEE")),
        "QX": UNMAPPED,
    },
    "kurier": {
        "M1": Scan("PENDING", Code("ADV"), Code("68"), ("DATA RECEIVED", "ANNOUNCED")),
        "P1": Scan("PICKED_UP", Code("PUP"), Code("13"), ("COLLECTED", "PICKED UP")),
        "O1": Scan("IN_TRANSIT", Code("TRA"), Code("31"), ("LEFT DEPOT", "LINE HAUL")),
        "A1": Scan("IN_TRANSIT", Code("TRA"), Code("31"), ("AT DEPOT", "ARRIVED")),
        "F1": Scan("OUT_FOR_DELIVERY", Code("OFD"), Code("OFD"), ("ON THE VEHICLE", "OUT FOR DELIVERY")),
        "E4": Scan("ATTEMPT_FAILURE", Code("NDL", "NHO"), Code("23"), ("NOBODY AT HOME.", "NOT AT HOME")),
        "E7": _exception("ADR", Code("90", "1"), "ADDRESS INCOMPLETE", "NO SUCH STREET"),
        "D2": Scan("DELIVERED", Code("DEL"), Code("21"), ("DELIVERED", "HANDED OVER")),
        "D3": Scan("DELIVERED", Code("DEL"), Code("21"), ("WITH NEIGHBOUR", "NEIGHBOUR")),
        "R1": Scan("RETURN_TO_SENDER", Code("RTS"), Code("RTS"), ("ON THE WAY BACK", "RETURNING")),
        "R9": Scan("RETURNED", Code("RET"), Code("82"), ("BACK AT SENDER", "RETURNED")),
        "X9": UNMAPPED,
    },
}
JOURNEYS: Final = {
    "nordlog": (
        ("BK", "GI", "LO", "AR?", "DP", "AR", "AV", "GO", "D"),
        ("GI", "LO", "DP", "DL", "AR?", "AR", "CH!", "GO", "D"),
        ("BK", "GI", "QX", "DP", "AR", "DM", "AV"),
        ("BK", "GI", "LO", "DP"),
    ),
    "kurier": (
        ("M1", "P1", "O1", "A1", "F1", "D2"),
        ("P1", "O1", "A1", "F1", "E4", "F1", "D3"),
        ("M1", "P1", "X9", "A1", "E7", "R1", "R9"),
        ("M1", "P1", "O1"),
    ),
}
"""Scans of a shipment in the order they happen: ``?`` is an estimate, ``!`` names the day without a time."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """What all reports of a shipment agree on."""

    carrier: str
    number: str
    account: str
    bill: str  # bill of lading, of nordlog only
    order: str  # the customer's own reference


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to a shipment, or will; no shipment has two in one minute."""

    shipment: Shipment
    code: str
    at: datetime  # UTC, whole minutes
    place: Place
    estimated: bool = False
    day_only: bool = False

    @property
    def scan(self) -> Scan:
        """What the code means."""
        return SCANS[self.shipment.carrier][self.code]

    @property
    def local(self) -> datetime:
        """The time on the clocks of its place."""
        return self.at.astimezone(ZoneInfo(self.place.zone))

    @property
    def moves(self) -> bool:
        """Whether it can be where the shipment stands."""
        return not self.estimated and self.scan is not UNMAPPED


class Told(NamedTuple):
    """A fact as a customer reads it, whatever its file's zone, codes for kinds of time, and texts are."""

    carrier: str
    number: str
    code: str
    reason: str
    kind: str  # ACT or EST
    when: str  # CCYYMMDDHHMM in UTC, or CCYYMMDD where only the day is known
    order: str


CUSTOMERS: Final = ("globex", "initech")
SUBSCRIBED: Final = "9000S"
"""Account of kurier's parcels that no rule fits; Globex subscribes to their numbers one by one."""
ACCOUNTS: Final = {
    "nordlog": ("44021", "44022", "55180", "90001"),
    "kurier": ("4711A", "8150", "6000", SUBSCRIBED, "90002"),
}
INITECH_BILLS: Final = "INI"
_TROUBLE: Final = {"DELIVERED", "ATTEMPT_FAILURE", "EXCEPTION"}


def hears(customer: str, fact: Fact) -> bool:
    """Whether the customer is to receive it: the rules of `gateway.CUSTOMERS` in other words, and the subscription."""
    shipment = fact.shipment
    if customer == "globex":
        return shipment.account.startswith(("4402", "4711")) or shipment.account == SUBSCRIBED
    if shipment.carrier == "nordlog":
        return shipment.bill.startswith(INITECH_BILLS)
    return shipment.account == "8150" or (shipment.account == "6000" and fact.scan.status in _TROUBLE)


def told(customer: str, fact: Fact) -> Told:
    """The fact in that customer's words."""
    named = fact.scan.globex if customer == "globex" else fact.scan.initech
    shipment = fact.shipment
    kind = "EST" if fact.estimated else "ACT"
    when = f"{fact.local:%Y%m%d}" if fact.day_only else f"{fact.at.astimezone(UTC):%Y%m%d%H%M}"
    return Told(shipment.carrier, shipment.number, named.code, named.reason, kind, when, shipment.order)
