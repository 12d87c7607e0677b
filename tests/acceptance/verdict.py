"""Whether a finished run came out as the world demands: everything that deviates, by kind and in words."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

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
_CUSTOMERS: Final = {"globex/edi": "globex", "initech/edi": "initech", "initech/status": "initech status"}
_SHOWN: Final = 5  # of many deviations of one sort
_STANDING: Final = re.compile(r"R")
_AMENDED_STANDING: Final = re.compile(r"R(CR)?")  # the cancellation came before or after the first file was sealed
_WITHDRAWN: Final = re.compile(r"RC")
_STATUS_OF: Final = {scan.initech: scan.status for scans in SCANS.values() for scan in scans.values()}


Kind = Literal[
    "envelope",  # of a file a customer received
    "control numbers",  # a gap, or one used twice
    "never told",  # an event a customer had to hear of
    "told wrongly",  # twice, or what is not for that customer, or not taken back
    "place",
    "status",  # what a customer of status changes knows
    "lost document",  # a carrier's file of which nothing is known
    "document",  # its state
    "quarantine",
    "event count",  # events the gateway knows
    "books",  # what else it says of itself
    "changed bytes",  # a file that was not the same whenever it was sent
    "carrier's mailbox",
    "log",
]


class Deviation(NamedTuple):
    """Something that is not as it has to be."""

    kind: Kind
    said: str


def deviations(world: World, gateway: Gateway, root: Path) -> list[Deviation]:
    """Everything that is not as it has to be, once the daemon has stopped; ``root`` holds all mailboxes."""
    documents = gateway.ask("documents", "list", "--limit", "100000")
    (status,) = gateway.ask("status")
    received = {name: read_mailbox(root / folder, ZONES[name]) for name, folder in MAILBOXES.items()}
    found: list[tuple[Kind, Iterable[str]]] = [
        *(("envelope", _envelopes(name, files)) for name, files in received.items()),
        *(("control numbers", _control_numbers(name, files)) for name, files in received.items()),
        *(("never told", _untold(world, name, received[name])) for name in ("globex", "initech")),
        *(("told wrongly", _histories(world, name, received[name])) for name in ("globex", "initech")),
        ("place", _places(world, received["globex"])),
        ("status", _status_changes(world, received["initech status"])),
        ("lost document", _listed("no document of", _names(world) - {document["name"] for document in documents})),
        ("document", _documents(world, documents)),
        ("quarantine", _quarantine(world, documents, gateway)),
        ("event count", _event_count(world, status)),
        ("books", _books(world, gateway, status, received)),
        ("changed bytes", _changed(gateway, root)),
        ("carrier's mailbox", _carriers_mailboxes(world, root)),
        ("log", gateway.complaints()[:_SHOWN]),
    ]
    return [Deviation(kind, each) for kind, said in found for each in said]


def _envelopes(name: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """UNB to UNZ hold, names are those agreed on."""
    for file in files:
        yield from (f"{file.name}: {defect}" for defect in file.defects)
        if not _NAMES[name].fullmatch(file.name) or int(re.sub(r"\D", "", file.name)) != file.control:
            yield f"{name}: a file called {file.name} with control number {file.control}"
        if file.recipient != _RECIPIENTS[name]:
            yield f"{name}: {file.name} is for {file.recipient}"


def _control_numbers(name: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """From one on, none left out and none used twice."""
    numbers = [file.control for file in files]
    if numbers != list(range(1, len(files) + 1)):
        yield f"{name}: control numbers {numbers}"


def _untold(world: World, customer: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    yield from _listed(f"{customer} was never told", world.standing(customer) - histories(files).keys())


def _histories(world: World, customer: str, files: Sequence[ReceivedFile]) -> Iterator[str]:
    """Nothing but what stands, each once; what was taken back is not there, or was and was cancelled."""
    said = histories(files)
    standing, amended = world.standing(customer), world.amended(customer)
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


def _names(world: World) -> set[str]:
    return {file.name for file in world.files}


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


def _event_count(world: World, status: Json) -> Iterator[str]:
    if status["events"] != len(world.facts):
        yield f"{status['events']} events are known, {len(world.facts)} facts were reported"


def _books(
    world: World, gateway: Gateway, status: Json, received: Mapping[str, Sequence[ReceivedFile]]
) -> Iterator[str]:
    """What the gateway says of itself agrees with what the world and the mailboxes show."""
    if status["outbox"] != {"pending": {}, "refused": {}}:
        yield f"outbox: {status['outbox']}"
    delivered = {each["destination"]: (each["state"], each["count"]) for each in status["deliveries"]}
    expected = {destination: ("delivered", len(received[name])) for destination, name in _CUSTOMERS.items()}
    if delivered != expected:
        yield f"deliveries {delivered}, in the mailboxes {expected}"
    unmapped: Counter[tuple[str, str]] = Counter()
    for each in gateway.ask("unmapped"):  # a line for each agency of a code
        unmapped[each["carrier"], each["code"]] += each["count"]
    if unmapped != world.unmapped():
        yield f"unmapped codes {unmapped}, expected {world.unmapped()}"


def _changed(gateway: Gateway, root: Path) -> Iterator[str]:
    """What lies in the mailboxes is what was sealed."""
    for delivery in gateway.ask("deliveries", "list", "--limit", "100000"):
        path = root / MAILBOXES[_CUSTOMERS[delivery["destination"]]] / delivery["name"]
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != delivery["digest"]:
            yield f"{delivery['destination']}: {delivery['name']} is not what was sealed"


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
