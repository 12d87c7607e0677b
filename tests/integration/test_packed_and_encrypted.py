"""Packed and encrypted files through the whole gateway: read, read again, translated, and sent."""

from __future__ import annotations

import gzip
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edi_gateway.cli.main import app
from edi_gateway.model import RawDocument
from edi_gateway.pipeline.intake import ChannelMemory, poll
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import deliveries, findings, inbox, interchanges, shipments
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DocumentState, InterchangeState
from edi_gateway.wiring import Wired
from tests import configured
from tests.acceptance.gateway import FOLDERS, Gateway, wait_until
from tests.gnupg import Key, gpg_home
from tests.guards.project import ROOT
from tests.servers import own_server
from tests.unit.pipeline.iftsta import interchange, message, sts

NOW = datetime(2026, 10, 12, 12, tzinfo=UTC)
FIRST = interchange(message(sts("K1", "13", 0)))
SECOND = interchange(message(sts("K2", "21", 5)), ref="I2")
SAMPLE = ROOT / "mappings/nordlog/samples/iftsta/rail_and_delivery.edi"


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    return configured.wired(tmp_path / "config")


def zipped(*members: tuple[str, bytes]) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def take(db: Database, wired: Wired, content: bytes, name: str = "a.zip") -> int:
    """Receive and process one file; returns its document's id."""
    (received,) = inbox.receive(db, "speedy", [RawDocument("speedy/files", name, content, NOW)])
    process_pending(db, wired.channels, wired.destinations)
    return received.document_id


def told(db: Database, *numbers: str) -> list[tuple[str, str, int, int]]:
    """Number, status and place of every event."""
    return [
        (number, event.event.status, source.provenance.start, source.provenance.end)
        for number in numbers
        for shipment in shipments.history(db, number)
        for event in shipment.events
        for source in event.sources
    ]


def test_a_zip_is_read_member_by_member_and_kept_as_it_came(db: Database, wired: Wired) -> None:
    """Offsets count in the members one behind the other; the archive holds the zip."""
    packed = zipped(("a.edi", FIRST), ("b.edi", SECOND))
    document = inbox.document(db, take(db, wired, packed))
    assert (document.state, document.events_new) == (DocumentState.PROCESSED, 2)
    assert inbox.load(db, document.digest) == packed
    for number, _, start, end in told(db, "K1", "K2"):
        assert b"STS+1+" in (FIRST + SECOND)[start:end], number
    assert next(start for _, _, start, _ in told(db, "K2")) > len(FIRST)


def test_an_interchange_within_a_zip_is_the_same_as_without(db: Database, wired: Wired) -> None:
    """Its reference and content are compared unpacked, so it counts once."""
    take(db, wired, FIRST, "a.edi")
    again = take(db, wired, zipped(("b.edi", SECOND), ("a.edi", FIRST)))
    states = [each.state for each in interchanges.of_document(db, again)]
    assert states == [InterchangeState.ACCEPTED, InterchangeState.DUPLICATE]


def test_a_broken_member_behind_a_repeat_is_not_lost(db: Database, wired: Wired) -> None:
    """The interchange before it is dropped as a duplicate; the member's finding stands all the same."""
    take(db, wired, FIRST, "a.edi")
    packed = zipped(("a.edi", FIRST), ("../x.edi", SECOND), ("no.edi", b"<html>504</html>"))
    assert inbox.document(db, take(db, wired, packed)).state is DocumentState.QUARANTINED
    assert sorted(finding.name for finding in findings.quarantine(db)) == ["../x.edi", "no.edi"]


def test_reading_again_gives_the_same_events(db: Database, wired: Wired) -> None:
    """A compressed document that is retried says what it said."""
    document = take(db, wired, gzip.compress(FIRST + SECOND), "a.gz")
    before = told(db, "K1", "K2")
    with db.write() as connection:
        inbox.reopen(connection, document)
    process_pending(db, wired.channels, wired.destinations)
    assert told(db, "K1", "K2") == before
    assert (inbox.document(db, document).events_new, inbox.document(db, document).events_retracted) == (2, 0)
    assert findings.of_document(db, document) == []


def test_a_file_that_was_cut_short_is_read_when_it_comes_whole(db: Database, wired: Wired) -> None:
    """The truncated one is set aside, and nothing of it stands in the way."""
    whole = gzip.compress(FIRST)
    cut = take(db, wired, whole[:-5], "a.gz")
    assert inbox.document(db, cut).state is DocumentState.QUARANTINED
    assert inbox.document(db, take(db, wired, whole, "a.gz")).events_new == 1


def test_translate_reads_a_packed_file(tmp_path: Path) -> None:
    """As it reads the plain one."""
    (tmp_path / "a.edi").write_bytes(FIRST)
    (tmp_path / "a.edi.gz").write_bytes(gzip.compress(FIRST))
    said = [
        CliRunner().invoke(app, ["translate", str(tmp_path / name), "--mapping", "standard/iftsta", "--json"]).stdout
        for name in ("a.edi", "a.edi.gz")
    ]
    assert '"tracking_number": "K1"' in said[0]
    assert said[0] == said[1]


async def test_a_packed_file_without_its_end_waits(tmp_path: Path, db: Database) -> None:
    """It is neither taken nor cleared before it is whole."""
    with own_server(tmp_path / "remote", ("out",)) as server:
        key = server.known_hosts_line.split(maxsplit=1)[1]
        source = (
            f'type: sftp, host: {server.host}, port: {server.port}, username: {server.username}, host_key: "{key}",'
            f' private_key: "${{file:{server.private_key}}}", path: /out, after: delete'
        )
        carrier = f"carrier: speedy\nchannels:\n  files:\n    source: {{{source}}}\n    mapping: standard/iftsta\n"
        channel = configured.wired(tmp_path / "config", carriers__speedy=carrier).channels["speedy/files"]
        memory = ChannelMemory(db, channel.name)
        whole = gzip.compress(FIRST)
        (server.root / "out/a.gz").write_bytes(whole[:-4])
        assert [await poll(db, channel, memory) for _ in range(3)] == [0, 0, 0]
        assert (server.root / "out/a.gz").exists()
        (server.root / "out/a.gz").write_bytes(whole)
        assert sum([await poll(db, channel, memory) for _ in range(2)]) == 1
        assert not (server.root / "out/a.gz").exists()
        await channel.source.close()


def test_a_file_is_encrypted_when_it_is_sealed(db: Database, tmp_path: Path, hub_key: Key, partner_key: Key) -> None:
    """Every attempt sends the sealed bytes; the customer's gpg opens them and knows our signature."""
    for name, text in (("to", partner_key.public), ("sign", hub_key.private), ("word", "open sesame")):
        (tmp_path / name).write_text(text)
    encrypt = (
        f'{{to: "${{file:{tmp_path}/to}}", sign: "${{file:{tmp_path}/sign}}", passphrase: "${{file:{tmp_path}/word}}"}}'
    )
    wired = configured.wired(tmp_path / "config", customers__globex=f"{configured.GLOBEX}    encrypt: {encrypt}\n")
    take(db, wired, FIRST, "a.edi")
    for destination in wired.destinations:
        seal_due(db, destination, datetime.now(UTC) + timedelta(seconds=1))
    (delivery,) = deliveries.deliveries(db)
    sealed = deliveries.document(db, delivery).content
    assert sealed.startswith(b"-----BEGIN PGP MESSAGE-----")
    with gpg_home() as gpg:
        gpg("--import", content=(partner_key.private + hub_key.public).encode())
        opened = gpg("--status-fd", "1", "--decrypt", content=sealed)
    assert b"CNI+1+K1'" in opened
    assert b"GOODSIG" in opened


def test_pgp_in_and_pgp_out_through_the_daemon(tmp_path: Path, hub_key: Key, partner_key: Key) -> None:
    """A carrier's encrypted file becomes a customer's encrypted file, and `check` proves the keys."""
    for name, text in (("hub", hub_key.private), ("word", "open sesame"), ("partner", partner_key.public)):
        (tmp_path / name).write_text(text)
    ours = f'"${{file:{tmp_path}/hub}}", passphrase: "${{file:{tmp_path}/word}}"'
    theirs = f'"${{file:{tmp_path}/partner}}"'
    with own_server(tmp_path / "remote", FOLDERS) as server, Gateway(tmp_path, server) as gateway:
        carrier, customer = gateway.config / "carriers/nordlog.yaml", gateway.config / "customers/globex.yaml"
        carrier.write_text(f"{carrier.read_text()}    decrypt: {{private_key: {ours}, verify: {theirs}}}\n")
        everything = customer.read_text().replace('carrier: nordlog, account: "4402*"', "carrier: nordlog")
        customer.write_text(f"{everything}    encrypt: {{to: {theirs}, sign: {ours}}}\n")
        assert "sound" in gateway.command("check")
        with gpg_home() as gpg:
            gpg("--import", content=(partner_key.private + hub_key.public).encode())
            file = gpg("--encrypt", "--sign", "-u", "partner", "-r", "hub", content=gzip.compress(SAMPLE.read_bytes()))
            (server.root / "nordlog/out/a.pgp").write_bytes(file)
            gateway.start()
            wait_until(lambda: "delivery.delivered" in gateway.events(), 60, "anything delivered")
            assert gateway.stop() == 0
            received = [path.read_bytes() for path in (server.root / "globex/in").iterdir()]
            assert received
            assert all(gpg("--decrypt", content=each).startswith(b"UNA") for each in received)
        (document,) = gateway.ask("documents", "list")
        assert (document["state"], document["findings"]) == ("processed", 0)
        assert "open sesame" not in gateway.log.read_text()
