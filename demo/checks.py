"""The claims the demo makes, each held against what was expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from demo import expected
from demo.outcome import Outcome
from demo.scene import POSTS, UPLOADS

_OF_FILES: Final = {"nordlog/status-files", "kurier/scans"}


class Check(NamedTuple):
    """A claim, and what speaks against it: nothing, when it holds."""

    claim: str
    deviations: list[str]


def checks(outcome: Outcome) -> list[Check]:
    """Every claim, in the order of a file's way through the gateway."""
    return [
        Check("every file was taken whole and cleared from the carriers' mailboxes", list(_taken(outcome))),
        Check("the file being written was taken only after its last byte", list(_patient(outcome))),
        Check("the file sent twice was recognised and its copy dropped", list(_copies(outcome))),
        Check("every fact became one event, and the one told twice in other words none", list(_events(outcome))),
        Check("the bad message was set aside, its neighbours went on", list(_quarantine(outcome))),
        Check("the code nobody mapped is in the inbox for it", list(_unmapped(outcome))),
        *(
            Check(f"{name} received what it asked for, each event once", list(_told(outcome, name)))
            for name in expected.TOLD
        ),
        Check("every request of velopost was answered, its copy dropped", list(_answered(outcome))),
        Check("umbra was notified of each change of status once, signed and in order", list(_notified(outcome))),
        Check("every outbound file is sound EDIFACT, numbered without a gap", list(_sound(outcome))),
        Check("every delivery needed one attempt, and nothing is left waiting", list(_attempts(outcome))),
        Check("the daemon stopped cleanly", [f"exit code {outcome.exit_code}"] if outcome.exit_code else []),
    ]


def _taken(outcome: Outcome) -> Iterator[str]:
    for upload in UPLOADS:
        size = outcome.document(upload.name).get("size")
        if size != len(upload.content):
            yield f"{upload.name}: {size or 'no'} bytes, expected {len(upload.content)}"
    yield from (f"{name} is still in its carrier's mailbox" for name in outcome.left)
    files = [document for document in outcome.documents if document["channel"] in _OF_FILES]
    if len(files) != len(UPLOADS):
        yield f"{len(files)} files, expected {len(UPLOADS)}"


def _patient(outcome: Outcome) -> Iterator[str]:
    for name, completed in outcome.completed.items():
        taken = outcome.taken.get(name)
        if taken is None or taken < completed:
            yield f"{name}: taken {taken or 'never'}, complete {completed}"


def _copies(outcome: Outcome) -> Iterator[str]:
    for upload in UPLOADS:
        original = outcome.document(upload.copy_of).get("id") if upload.copy_of else None
        said = outcome.document(upload.name).get("duplicate_of")
        if said != original:
            yield f"{upload.name}: copy of document {said}, expected {original}"


def _events(outcome: Outcome) -> Iterator[str]:
    for key, wanted in (("events_new", expected.EVENTS), ("events_duplicate", expected.EVENTS_TOLD_TWICE)):
        counted = sum(document[key] for document in outcome.documents)
        if counted != wanted:
            yield f"{key} {counted}, expected {wanted}"


def _quarantine(outcome: Outcome) -> Iterator[str]:
    file, message, segment, tag, found = expected.QUARANTINED
    place = f"message {message}, segment {segment} {tag}"
    wanted = (outcome.document(file).get("id"), found)
    seen = [(finding["document"], finding["found"]) for finding in outcome.quarantine]
    if seen != [wanted] or place not in outcome.quarantine[0]["at"]:
        yield f"{seen} at {[finding['at'] for finding in outcome.quarantine]}, expected {wanted} at {place}"
    if outcome.document(file).get("state") != "partly_processed":
        yield f"{file} is {outcome.document(file).get('state')}, expected partly_processed"


def _unmapped(outcome: Outcome) -> Iterator[str]:
    seen = [(code["carrier"], code["code"], code["count"]) for code in outcome.unmapped]
    if seen != [expected.UNMAPPED]:
        yield f"{seen}, expected {expected.UNMAPPED}"


def _told(outcome: Outcome, customer: str) -> Iterator[str]:
    told = Counter(event for file in outcome.received[customer] for event in file.told)
    wanted = Counter(expected.TOLD[customer])
    yield from (f"missing {' '.join(event)}" for event in (wanted - told).elements())
    yield from (f"too much: {' '.join(event)}" for event in (told - wanted).elements())


def _answered(outcome: Outcome) -> Iterator[str]:
    if list(outcome.answered) != [200] * len(POSTS):
        yield f"answered {outcome.answered}"
    posted = [document for document in outcome.documents if document["channel"] == "velopost/scans"]
    copies = sum(document["duplicate_of"] is not None for document in posted)
    if (len(posted), copies) != (len(POSTS), 1):
        yield f"{len(posted)} documents, {copies} of them copies, expected {len(POSTS)} and 1"


def _notified(outcome: Outcome) -> Iterator[str]:
    yield from outcome.forged
    said = [(one["shipment"]["tracking_number"], one["status"]) for one in outcome.notified]
    for number in {number for number, _ in expected.NOTIFIED}:
        seen = [status for name, status in said if name == number]
        wanted = [status for name, status in expected.NOTIFIED if name == number]
        if seen != wanted:
            yield f"{number}: notified of {seen}, expected {wanted}"
    if len(said) != len(expected.NOTIFIED):
        yield f"{len(said)} notifications, expected {len(expected.NOTIFIED)}"


def _sound(outcome: Outcome) -> Iterator[str]:
    for customer, files in outcome.received.items():
        if not files:
            yield f"{customer} has no file"
        for number, file in enumerate(files, 1):
            yield from (f"{file.name}: {defect}" for defect in file.defects)
            seen = (file.recipient, file.directory)
            if seen != expected.RECIPIENTS[customer]:
                yield f"{file.name}: {seen}, expected {expected.RECIPIENTS[customer]}"
            if file.control != str(number) or f"{number:05}." not in file.name:
                yield f"{file.name}: control reference {file.control}, expected {number}"


def _attempts(outcome: Outcome) -> Iterator[str]:
    files = {file.name for files in outcome.received.values() for file in files}
    for delivery in outcome.deliveries:
        if (delivery["state"], delivery["attempts"]) != ("delivered", 1):
            yield f"{delivery['name']}: {delivery['state']} after {delivery['attempts']} attempts"
    if outcome.outbox["pending"] or outcome.outbox["refused"]:
        yield f"in the outbox: {outcome.outbox}"
    sent = {delivery["name"] for delivery in outcome.deliveries if delivery["destination"] != "umbra/shop"}
    if sent != files:
        yield f"{len(outcome.deliveries)} deliveries, {len(files)} files at the customers"
