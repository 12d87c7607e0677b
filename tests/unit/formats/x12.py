"""Small X12 files for the tests, written by hand: what carriers send, well and badly."""

from __future__ import annotations

from edi_gateway.formats.syntax import CutSegment
from edi_gateway.formats.x12.format import X12
from edi_gateway.model import Segment
from tests.unit.formats.edi import Read

GS = "GS*QM*SPDY*HUB*20260102*0930*17*X*004010"
BODY = ("B10*SP4711*LD88*SPDY", "L11*PO55*PO", "LX*1", "AT7*D1*NS***20260102*0815*CT", "MS1*DALLAS*TX*US")


def isa(version: str = "00401", repeats: str = "U", usage: str = "P", inner: str = ">") -> str:
    """An ISA of full width."""
    sides = f"02*{'SPDY':<15}*ZZ*{'HUB':<15}"
    return f"ISA*00*{'':10}*00*{'':10}*{sides}*260102*0930*{repeats}*{version}*000000042*0*{usage}*{inner}"


def transaction(*body: str, ref: str = "0001", kind: str = "214", count: int | None = None, se: str = "") -> list[str]:
    """The segments of a set; SE claims ``count`` segments."""
    claimed = len(body) + 2 if count is None else count
    return [f"ST*{kind}*{ref}", *body, se or f"SE*{claimed}*{ref}"]


def group(*sets: list[str], header: str = GS, trailer: str = "") -> list[str]:
    """A functional group."""
    number = header.split("*")[6]
    return [header, *(segment for each in sets for segment in each), trailer or f"GE*{len(sets)}*{number}"]


def interchange(*parts: list[str], header: str = "", trailer: str = "", after: str = "~", groups: int = 1) -> bytes:
    """One interchange in Latin-1, every segment followed by ``after``."""
    segments = [header or isa(), *(segment for each in parts for segment in each)]
    segments.append(trailer or f"IEA*{groups}*000000042")
    return "".join(segment + after for segment in segments).encode("latin-1")


def sample(after: str = "~") -> bytes:
    """A sound interchange of one set."""
    return interchange(group(transaction(*BODY)), after=after)


def read_all(content: bytes, reader: X12 | None = None) -> list[Read]:
    """Everything a document holds."""
    return [Read(found, list(found.messages)) for found in (reader or X12()).decode(content)]


def read_one(content: bytes, reader: X12 | None = None) -> Read:
    """The one interchange of a document."""
    (found,) = read_all(content, reader)
    return found


def elements_of(segment: Segment) -> list[list[str]]:
    """All elements behind the tag."""
    assert isinstance(segment, CutSegment)
    return segment.elements
