"""Whether a finished run came out as the world demands: everything that deviates, in words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.acceptance.facts import SCANS, Code, Told
from tests.acceptance.gateway import MAILBOXES, ZONES, Gateway, Json
from tests.acceptance.readback import ReceivedFile, histories, read_mailbox
from tests.acceptance.world import World

_NAMES: Final = {
    "globex": re.compile(r"tracking_events_\d{9}\.edi"),
    "initech": re.compile(r"INI\d{5}\.edi"),
    "initech status": re.compile(r"INS\d{5}\.edi"),
}
_RECIPIENTS: Final = {"globex": "GLOBEX", "initech": "INITECH", "initech status": "INITECH-STATUS"}
_SHOWN: Final = 5  # of many deviations of one sort
_STANDING: Final = re.compile(r"R")
_AMENDED_STANDING: Final = re.compile(r"R(CR)?")  # the cancellation came before or after the first file was sealed
_WITHDRAWN: Final = re.compile(r"RC")
_STATUS_OF: Final = {scan.initech: scan.status for scans in SCANS.values() for scan in scans.values()}


def deviations(world: World, gateway: Gateway, root: Path) -> list[str]:
    """Everything that is not as it has to be, once the daemon has stopped; ``root`` holds all mailboxes."""
    documents = gateway.ask("documents", "list", "--limit", "100000")
    received = {name: read_mailbox(root / folder, ZONES[name]) for name, folder in MAILBOXES.items()}
    return [
        *(defect for name, files in received.items() for defect in _envelopes(name, files)),
        *(wrong for name in ("globex", "initech") for wrong in _facts(world, name, received[name])),
        *_places(world, received["globex"]),
        *_status_changes(world, received["initech status"]),
        *_documents(world, documents),
        *_quarantine(world, documents, gateway),
        *_books(world, gateway, received),
        *_carriers_mailboxes(world, root),
        *(f"log: {line}" for line in gateway.complaints()[:_SHOWN]),
    ]


def _envelopes(name: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """UNB to UNZ hold, control numbers leave no gap, names are those agreed on."""
    for file in files:
        yield from (f"{file.name}: {defect}" for defect in file.defects)
        if not _NAMES[name].fullmatch(file.name) or int(re.sub(r"\D", "", file.name)) != file.control:
            yield f"{name}: a file called {file.name} with control number {file.control}"
        if file.recipient != _RECIPIENTS[name]:
            yield f"{name}: {file.name} is for {file.recipient}"
    numbers = [file.control for file in files]
    if numbers != list(range(1, len(files) + 1)):
        yield f"{name}: control numbers {numbers}"


def _facts(world: World, customer: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """Exactly what stands, each once; what was taken back is not there, or was and was cancelled."""
    said = histories(files)
    standing, amended = world.standing(customer), world.amended(customer)
    yield from _listed(f"{customer} was never told", standing - said.keys())
    yield from _listed(f"{customer} has no business with", said.keys() - standing - amended)
    wrong = {}
    for told, history in said.items():
        allowed = _WITHDRAWN
        if told in standing:
            allowed = _AMENDED_STANDING if told in amended else _STANDING
        if not allowed.fullmatch(history):
            wrong[told] = history
    yield from _listed(f"{customer} was told (R) and cancelled (C)", wrong.items())


def _places(world: World, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """Names arrive as one of the carriers' spellings, every character of them."""
    spellings = world.names_of_places()
    for file in files:
        for told, _, place in file.statements:
            if place not in spellings.get(told, {place}):
                yield f"{file.name}: {told.number} at {place!r}, expected one of {sorted(spellings[told])}"


def _status_changes(world: World, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """Which changes are seen depends on the order of arrival; in any order the latest one told is where it stands."""
    said = histories(files)
    yield from _listed("status: no business with", said.keys() - world.standing("initech") - world.amended("initech"))
    yield from _listed("status: does not change it", [told for told in said if _moves_nothing(told)])
    latest: dict[str, Told] = {}
    for told, history in said.items():
        if told not in world.amended("initech") and history != "R":
            yield f"status: {told} was told {history}"
        if told.number not in latest or latest[told.number].when < told.when:
            latest[told.number] = told
    for number, status in world.current().items():
        last = latest.get(number)
        if last is None or _status(last) != status:
            yield f"status: {number} is {status}, the last that was told is {last}"


def _status(told: Told) -> str:
    return _STATUS_OF[Code(told.code, told.reason)]


def _moves_nothing(told: Told) -> bool:
    return told.kind != "ACT" or _status(told) == "UNKNOWN"


def _documents(world: World, documents: Sequence[Json]) -> Iterator[str]:
    """Of each content one document counts, in the state its file deserves; every other one is ignored as its copy."""
    originals = world.originals()
    groups: dict[str, list[Json]] = defaultdict(list)
    for document in documents:
        groups[originals[document["name"]]].append(document)
    for name, state in world.states.items():
        counted = [document for document in groups[name] if document["state"] != "ignored"]
        if [document["state"] for document in counted] != [state]:
            yield f"{name}: documents {[(each['id'], each['state']) for each in groups[name]]}, expected one {state}"
        for document in groups[name]:
            if document["state"] == "ignored" and document["duplicate_of"] not in {each["id"] for each in counted}:
                yield f"{name}: document {document['id']} is ignored as a copy of {document['duplicate_of']}"
    missing = {file.name for file in world.files} - {document["name"] for document in documents}
    yield from _listed("no document of", missing)
    most = len(world.files) + len(world.again)
    if len(documents) > most:
        yield f"{len(documents)} documents, expected at most {most}"


def _quarantine(world: World, documents: Sequence[Json], gateway: Gateway) -> Iterator[str]:
    """Each bad place is named, with what stood there and what belongs there; nothing else is set aside."""
    names = {each["id"]: each["name"] for each in documents}
    originals = world.originals()
    found = [(originals[names[each["document"]]], each) for each in gateway.ask("quarantine", "list")]
    for spoilt in world.spoilt:
        fits = [
            finding
            for finding in found
            if finding[0] == spoilt.file
            and finding[1]["at"].endswith(spoilt.at)
            and spoilt.found in finding[1]["found"]
            and spoilt.expected in finding[1]["expected"]
        ]
        if not fits:
            yield f"not in quarantine: {spoilt}"
        else:
            found.remove(fits[0])
    yield from (f"in quarantine: {name}: {each['at']}: found {each['found']}" for name, each in found)


def _books(world: World, gateway: Gateway, received: Mapping[str, Sequence[ReceivedFile]]) -> Iterator[str]:
    """What the gateway says of itself agrees with what the world and the mailboxes show."""
    (status,) = gateway.ask("status")
    if status["events"] != len(world.facts):
        yield f"{status['events']} events are known, {len(world.facts)} facts were reported"
    if status["outbox"] != {"pending": {}, "refused": {}}:
        yield f"outbox: {status['outbox']}"
    delivered = {each["destination"]: (each["state"], each["count"]) for each in status["deliveries"]}
    expected = {
        destination: ("delivered", len(received[name]))
        for destination, name in {
            "globex/edi": "globex",
            "initech/edi": "initech",
            "initech/status": "initech status",
        }.items()
    }
    if delivered != expected:
        yield f"deliveries {delivered}, in the mailboxes {expected}"
    unmapped: Counter[tuple[str, str]] = Counter()
    for each in gateway.ask("unmapped"):  # a line for each agency of a code
        unmapped[each["carrier"], each["code"]] += each["count"]
    if unmapped != world.unmapped():
        yield f"unmapped codes {unmapped}, expected {world.unmapped()}"


def _carriers_mailboxes(world: World, root: Path) -> Iterator[str]:
    """Nordlog's files were moved, Kurier's deleted; nothing else lies about."""
    left = [
        path.name for carrier in ("nordlog", "kurier") for path in (root / carrier / "out").iterdir() if path.is_file()
    ]
    yield from _listed("not cleared", left)
    moved = {path.name for path in (root / "nordlog/out/done").iterdir()}
    yield from _listed("not moved", {file.name for file in world.files if file.carrier == "nordlog"} - moved)
    if [path.name for path in (root / "kurier/out").iterdir()]:
        yield "kurier's folder is not empty"


def _listed(what: str, items: Iterable[object]) -> Iterator[str]:
    found = sorted(map(str, items))
    yield from (f"{what}: {item}" for item in found[:_SHOWN])
    if len(found) > _SHOWN:
        yield f"{what}: {len(found) - _SHOWN} more"
