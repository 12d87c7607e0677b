"""A round trip with a simulated partner: he plants errors and is told each; he acknowledges, and the ledger knows."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydifact.segmentcollection import RawSegmentCollection

from tests.acceptance.dropping import FULL
from tests.acceptance.gateway import Gateway, wait_until
from tests.acceptance.partners import drop
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest, own_server

INTERCHANGES: Final = 1_000 if FULL else 40
_SEED: Final = 20261012
_PATIENCE: Final = 600 if FULL else 90  # seconds
FOLDERS: Final = ("edi/out", "edi/acks", "x12/out", "x12/acks", "globex/in", "globex/acks")
_GATEWAY: Final = 'data: {data}\nmappings: {mappings}\nidentity: "HUB:ZZ"\nlog: {{format: json, level: info}}\n'
_CARRIER: Final = """\
carrier: {name}
channels:
  scans:
    every: 1s
    source: {{{server}, path: "{root}/{name}/out", after: delete}}
    format: {{type: {syntax}}}
    mapping: {mapping}
    acknowledge: {{send: {send}, sink: {{{server}, path: "{root}/{name}/acks"}}}}
"""
_CUSTOMER: Final = """\
customer: globex
receives: [{{carrier: "*"}}]
destinations:
  edi:
    sink: {{{server}, path: "{root}/globex/in"}}
    format: {{type: edifact, recipient: "GLOBEX:14"}}
    mapping: standard/tracking_events
    batch: {{every: 0s, at_most: 1}}
    file_name: "{{control:06}}.edi"
    acknowledgement: {{expect: contrl, within: 1h}}
channels:
  acks:
    every: 1s
    source: {{{server}, path: "{root}/globex/acks", after: delete}}
    format: {{type: edifact}}
"""


@dataclass(frozen=True)
class Dropped:
    """One interchange of the partner, and what he has to be told of it."""

    number: int
    content: bytes
    expected: str  # action and code, as the acknowledgement has them
    planted: bool


def edifact(number: int, flaw: str) -> Dropped:
    """An interchange of one message, sound or with that flaw."""
    body = f"BGM+23+R{number}+9'CNI+1+E{number}'STS+1+21'DTM+334:2026101208{number % 60:02}:203'"
    kind, closes, ends = "IFTSTA", "1", str(number)
    expected = {"": "7", "type": "7 4/14", "trailer": "7 4/28", "tag": "7 4/18", "end": "4/28"}[flaw]
    if flaw == "type":
        kind = "ORDERS"
    elif flaw == "trailer":
        closes = "9"
    elif flaw == "tag":
        body += "?A+1'"
    elif flaw == "end":
        ends = "77777777"
    count = body.count("'") + 2
    message = f"UNH+1+{kind}:D:01B:UN'{body}UNT+{count}+{closes}'"
    text = f"UNB+UNOC:3+EDI:ZZ+HUB:ZZ+261012:0900+{number}'{message}UNZ+1+{ends}'"
    return Dropped(number, text.encode(), expected, bool(flaw))


def x12(number: int, flaw: str) -> Dropped:
    """The same in X12."""
    body = f"B10*X{number}*S1*SCAC~LX*1~AT7*X6*NS***20261012*08{number % 60:02}*LT~MS1*MEMPHIS*TN*US~"
    kind, closes, ge, iea = "214", "0001", number, number
    expected = {"": "A A", "type": "R R/1", "trailer": "R R/3", "group": "R/4", "end": "R"}[flaw]
    if flaw == "type":
        kind = "850"
    elif flaw == "trailer":
        closes = "0009"
    elif flaw == "group":
        ge += 1
    elif flaw == "end":
        iea += 1
    parties = "*ZZ*X12            *ZZ*HUB            "
    isa = f"ISA*00*          *00*          {parties}*261012*0900*U*00401*{number:09}*0*P*>~"
    group = f"GS*QM*X12*HUB*20261012*0900*{number}*X*004010~ST*{kind}*0001~{body}SE*6*{closes}~GE*1*{ge}~"
    return Dropped(number, f"{isa}{group}IEA*1*{iea:09}~".encode(), expected, bool(flaw))


FLAWS: Final = {edifact: ("type", "trailer", "tag", "end"), x12: ("type", "trailer", "group", "end")}


def world(rng: random.Random) -> dict[str, list[Dropped]]:
    """What the partner sends in each syntax; errors are planted in a tenth."""
    sent: dict[str, list[Dropped]] = {}
    for name, make in (("edi", edifact), ("x12", x12)):
        count = INTERCHANGES // 2
        planted = set(rng.sample(range(1, count + 1), count // 10))
        sent[name] = [make(n, rng.choice(FLAWS[make]) if n in planted else "") for n in range(1, count + 1)]
    return sent


def test_every_acknowledgement_says_what_was_planted_and_the_ledger_is_complete(tmp_path: Path) -> None:
    """Interchanges in two syntaxes, a tenth of them with an error; the customer rejects a tenth of what he gets."""
    rng = random.Random(_SEED)
    sent = world(rng)
    with own_server(tmp_path / "remote", FOLDERS) as server, Gateway(tmp_path, server, _configure) as gateway:
        for name, interchanges in sent.items():
            for one in interchanges:
                drop(server.root / name / "out", f"{one.number:05}.edi", one.content)
        gateway.start()
        for name, interchanges in sent.items():
            acks = server.root / name / "acks"
            _wait_for(acks, len(interchanges), f"{name} answered")
            told = _told(acks, contrl_said if name == "edi" else functional_said)
            assert told == {one.number: one.expected for one in interchanges}
        sound = sum(not one.planted for interchanges in sent.values() for one in interchanges)
        inbox = server.root / "globex" / "in"
        _wait_for(inbox, sound, "delivered")
        rejected = _acknowledge(server, rng)
        wait_until(lambda: _settled(gateway) == sound, _PATIENCE, "acknowledged")
        _check_ledger(gateway, sent, sound, rejected)


def _configure(folder: Path, server: ServerUnderTest) -> Path:
    key = server.known_hosts_line.partition(" ")[2]
    place = f"type: sftp, host: {server.host}, port: {server.port}, username: {server.username}"
    values = {
        "data": folder / "data",
        "mappings": ROOT / "mappings",
        "root": server.remote_root,
        "server": f'{place}, host_key: "{key}", private_key: "${{file:{server.private_key}}}"',
    }
    edi = {"name": "edi", "syntax": "edifact", "mapping": "standard/iftsta", "send": "contrl"}
    other = {"name": "x12", "syntax": "x12", "mapping": "standard/x12-214", "send": "997"}
    files = {
        "gateway": _GATEWAY.format(**values),
        "carriers/edi": _CARRIER.format(**values, **edi),
        "carriers/x12": _CARRIER.format(**values, **other),
        "customers/globex": _CUSTOMER.format(**values),
    }
    for name, text in files.items():
        path = folder / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "config"


def _wait_for(folder: Path, count: int, what: str) -> None:
    wait_until(lambda: len(list(folder.glob("*.edi"))) == count, _PATIENCE, what)


def _told(folder: Path, said: object) -> dict[int, str]:
    """Number → what the acknowledgement says; every one is a file of its own, numbered without a gap."""
    assert callable(said)
    files = sorted(folder.glob("*.edi"))
    told = [said(path.read_text("latin-1")) for path in files]
    assert [control for control, _, _ in told] == list(range(1, len(files) + 1))
    return {number: verdict for _, number, verdict in told}


def contrl_said(text: str) -> tuple[int, int, str]:
    """Control number, subject and verdict of a CONTRL, by a reader that is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        segments = list(RawSegmentCollection.from_str(text).segments)
    header = next(one for one in segments if one.tag == "UNB")
    subject = next(one for one in segments if one.tag == "UCI")
    verdicts = [_action(subject.elements[3:])]
    verdicts += [_action(one.elements[2:]) for one in segments if one.tag == "UCM"]
    return int(str(header.elements[4])), int(str(subject.elements[0])), " ".join(verdicts)


def _action(elements: Sequence[object]) -> str:
    return "/".join(str(element) for element in elements[:2])


def functional_said(text: str) -> tuple[int, int, str]:
    """The same of a 997, cut by hand."""
    segments = [line.split("*") for line in text.split("~")]
    header = next(one for one in segments if one[0] == "ISA")
    subject = next(one for one in segments if one[0] == "AK1")
    group = next(one for one in segments if one[0] == "AK9")
    sets = ["/".join(one[1:3]) for one in segments if one[0] == "AK5"]
    return int(header[13]), int(subject[2]), " ".join(["/".join([group[1], *group[5:6]]), *sets])


def _acknowledge(server: ServerUnderTest, rng: random.Random) -> list[int]:
    """The customer answers each of his files, and rejects a tenth; returns those."""
    files = sorted((server.root / "globex" / "in").glob("*.edi"))
    rejected = sorted(rng.sample(range(1, len(files) + 1), len(files) // 10))
    for index, path in enumerate(files, 1):
        found = re.search(r"UNB\+UNOC:3\+HUB:ZZ\+GLOBEX:14\+\d+:\d+\+(\d+)'", path.read_text("latin-1"))
        assert found is not None
        assert int(found[1]) == index
        verdict = "4+12" if index in rejected else "7"
        body = f"UNH+1+CONTRL:D:3:UN'UCI+{index:06}+HUB:ZZ+GLOBEX:14+{verdict}'UNT+3+1'"
        text = f"UNB+UNOC:3+GLOBEX:14+HUB:ZZ+261012:1000+{index}'{body}UNZ+1+{index}'"
        drop(server.root / "globex" / "acks", f"{index:06}.edi", text.encode())
    return rejected


def _settled(gateway: Gateway) -> int:
    [went] = [row for row in gateway.ask("ledger", "globex") if row["direction"] == "out"]
    return int(went["acknowledged"]) + len(went["rejected"])


def _check_ledger(gateway: Gateway, sent: dict[str, list[Dropped]], sound: int, rejected: list[int]) -> None:
    """Nothing is missing in any direction, and every number is accounted for."""
    came, went = gateway.ask("ledger", "globex")
    assert (went["sent"], went["acknowledged"], went["rejected"]) == (sound, sound - len(rejected), rejected)
    assert (went["overdue"], went["waiting"], went["unsent"], went["missing"]) == ([], 0, 0, [])
    assert (came["accepted"], came["missing"], came["repeated"]) == (sound, [], [])
    for name, interchanges in sent.items():
        came, answers = gateway.ask("ledger", name)
        planted = sum(one.planted for one in interchanges)
        assert (came["accepted"], came["failed"]) == (len(interchanges) - planted, planted)
        assert (came["missing"], came["repeated"]) == ([], [])
        assert (answers["destination"], answers["sent"]) == (f"{name}/scans/acknowledgements", len(interchanges))
        assert answers["missing"] == []
