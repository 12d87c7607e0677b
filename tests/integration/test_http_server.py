"""The HTTP server: what it bears, whom it believes, and what it says when it takes nothing."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import documents
from tests import command
from tests.webhooks import BEARER, SCAN, Server, scan, serving, write_webhook

POST = "/inbound/ups/alerts"
HEAD = b"POST /inbound/ups/alerts HTTP/1.1\r\nhost: gateway\r\n"
KNOWN = b"".join(f"{name}: {value}\r\n".encode() for name, value in BEARER.items())

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@asynccontextmanager
async def asking(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that server."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
        yield client


async def heard(server: Server, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything the server says to these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def speak() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)  # a slow client is one that takes its time

    speaking = asyncio.create_task(speak())
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        writer.close()


async def test_nobody_learns_which_channels_there_are(db: Database, tmp_path: Path) -> None:
    """A wrong token and a channel that is not there get the same answer, which says nothing."""
    async with serving(db, tmp_path) as server, asking(server) as client:
        wrong = await client.post(POST, content=SCAN, headers={"authorization": "Bearer nonsense"})
        without = await client.post(POST, content=SCAN)
        nowhere = await client.post("/inbound/ups/other", content=SCAN, headers=BEARER)
        answers = {(each.status_code, each.content, *sorted(each.headers)) for each in (wrong, without, nowhere)}
        assert len(answers) == 1
        assert (wrong.status_code, wrong.json()) == (401, {"error": "unauthorized"})
        assert wrong.headers["www-authenticate"].startswith("Basic ")  # some clients show a password only when asked
        assert [(await client.get(path)).status_code for path in (POST, "/inbound/ups/other")] == [405, 405]
        assert [(await client.request(method, POST)).status_code for method in ("PUT", "DELETE")] == [405, 405]
        assert (await client.post("/elsewhere")).status_code == 404
    assert documents(db) == []


@pytest.mark.parametrize(("trusted", "codes"), [("[127.0.0.1]", [200, 401, 401]), ("[]", [401, 401, 401])])
async def test_a_proxy_is_believed_only_where_it_is_named(
    db: Database, tmp_path: Path, trusted: str, codes: list[int]
) -> None:
    """X-Forwarded-For is read from its end; what a client wrote before the proxy's entry does not count."""
    auth, http = "{type: ip, networks: [198.51.100.0/24]}", f"trusted_proxies: {trusted}"
    async with serving(db, tmp_path, auth=auth, http=http) as server, asking(server) as client:
        chains = ("198.51.100.7", "203.0.113.9", "198.51.100.7, 203.0.113.9")
        asked = [await client.post(POST, content=SCAN, headers={"x-forwarded-for": chain}) for chain in chains]
        assert [answer.status_code for answer in asked] == codes


async def test_a_body_over_the_limit_is_refused_with_and_without_its_length(db: Database, tmp_path: Path) -> None:
    """413 before it is read where the client says how long it is, else as soon as it is too long."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(1000)

    async with serving(db, tmp_path, source="max_size: 20KB") as server, asking(server) as client:
        assert (await client.post(POST, content=bytes(20_000), headers=BEARER)).status_code == 200
        assert (await client.post(POST, content=bytes(20_001), headers=BEARER)).status_code == 413
        assert (await client.post(POST, content=pieces(), headers=BEARER)).status_code == 413
        said = await heard(server, HEAD, KNOWN, b"expect: 100-continue\r\ncontent-length: 999999999\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in said.lower()
    assert [document.size for document in documents(db)] == [20_000]


async def test_a_body_that_drips_is_given_up(db: Database, tmp_path: Path) -> None:
    """408 when its time is over, however busily it trickles; others are answered meanwhile."""
    async with serving(db, tmp_path, http="body_timeout: 500ms") as server, asking(server) as client:
        drops = [b"x"] * 20  # for a second; who sends on when the connection is closed may not hear why
        slow = asyncio.create_task(heard(server, HEAD + KNOWN + b"content-length: 200\r\n\r\n", *drops, pause=0.05))
        assert (await client.post(POST, content=SCAN, headers=BEARER)).status_code == 200
        assert (await slow).startswith(b"HTTP/1.1 408 ")
    assert len(documents(db)) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"POST /inb"],
        [HEAD, *[b"x: y\r\n"] * 200],
        [b"POST /nowhere HTTP/1.1\r\nhost: gateway\r\ncontent-length: 500\r\n\r\n", *[b"x"] * 200],
    ],
    ids=["silent", "cut", "dripping", "unread body"],
)
async def test_a_client_that_takes_its_time_is_cut_off(db: Database, tmp_path: Path, pieces: list[bytes]) -> None:
    """Headers have to come to their end, and so has a body that nobody waits for any more."""
    async with serving(db, tmp_path, http="header_timeout: 300ms") as server:
        begun = time.monotonic()
        await heard(server, *pieces, pause=0.05)
        assert time.monotonic() - begun < 8


async def test_huge_headers_are_refused(db: Database, tmp_path: Path) -> None:
    """They are not gathered without end."""
    async with serving(db, tmp_path) as server:
        said = await heard(server, HEAD, *[b"x-more: " + b"y" * 1000 + b"\r\n"] * 400)
        assert said == b"" or said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert documents(db) == []


async def test_more_connections_than_allowed_are_turned_away(db: Database, tmp_path: Path) -> None:
    """503 at once, and room again as soon as another one is closed."""
    async with serving(db, tmp_path, http="max_connections: 2") as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in held:  # both are known to the server once it has answered them
            writer.write(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
        for reader, _ in held:
            await reader.readuntil(b"\r\n\r\n")
        said = await heard(server)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After" in said
        held[0][1].close()
        async with asyncio.timeout(20), asking(server) as client:
            while True:
                answer = await client.post(POST, content=SCAN, headers=BEARER)
                if answer.status_code == 200:
                    break
        held[1][1].close()


async def test_one_client_does_not_take_up_all_connections(db: Database, tmp_path: Path) -> None:
    """503 for its third, while another address gets in; and room again once one of its own is closed."""
    async with serving(db, tmp_path, http="max_per_address: 2") as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for reader, writer in held:
            writer.write(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        assert (await heard(server)).startswith(b"HTTP/1.1 503 ")
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(base_url=server.listener.address, transport=transport) as other:
            assert (await other.post(POST, content=scan(1), headers=BEARER)).status_code == 200
        held[0][1].close()
        async with asyncio.timeout(20), asking(server) as client:
            while (await client.post(POST, content=SCAN, headers=BEARER)).status_code != 200:
                pass  # its end is not known yet
        held[1][1].close()


async def test_behind_a_proxy_who_it_forwards_for_is_counted(db: Database, tmp_path: Path) -> None:
    """429 for the second request at a time of one client; the proxy's own connections are as many as it wants."""
    options = 'max_per_address: 1, trusted_proxies: ["127.0.0.1"]'
    async with serving(db, tmp_path, http=options) as server, asking(server) as client:
        mine, yours = ({**BEARER, "x-forwarded-for": f"1.2.3.4, 203.0.113.{number}"} for number in (1, 2))
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield SCAN[:10]
            begun.set()
            await ended.wait()
            yield SCAN[10:]

        first = asyncio.create_task(client.post(POST, content=slowly(), headers=mine))
        await begun.wait()
        async with asyncio.timeout(20):
            while (refused := await client.post(POST, content=scan(2), headers=mine)).status_code == 200:
                pass  # the first is not there yet
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await client.post(POST, content=scan(3), headers=yours)).status_code == 200
        ended.set()
        assert (await first).status_code == 200
        assert (await client.post(POST, content=scan(4), headers=mine)).status_code == 200


async def test_bodies_do_not_fill_the_memory(db: Database, tmp_path: Path) -> None:
    """503 for what is more than may wait in all; what was given up makes room again."""
    async with serving(db, tmp_path, http="max_waiting: 30KB") as server, asking(server) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HEAD + KNOWN + b"content-length: 25000\r\n\r\n" + bytes(20_000))
        async with asyncio.timeout(20):
            while (await client.post(POST, content=bytes(15_000), headers=BEARER)).status_code == 200:
                pass  # the other's bytes are not there yet
        refused = await client.post(POST, content=bytes(15_000), headers=BEARER)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        writer.close()
        async with asyncio.timeout(20):
            while (await client.post(POST, content=bytes(15_001), headers=BEARER)).status_code != 200:
                pass  # the other's end is not known yet
        del reader


@contextmanager
def locked(db_file: Path) -> Iterator[None]:
    """Another program holds the database."""
    engine = create_engine(f"sqlite:///{db_file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        yield
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


async def test_while_the_database_is_locked_carriers_are_told_to_come_again(db: Database, tmp_path: Path) -> None:
    """503 with Retry-After within the patience of a carrier; once it is free, requests are taken again."""
    async with serving(db, tmp_path, patience=0.3) as server, asking(server) as client:
        with locked(tmp_path / "gateway.sqlite"):
            refused = await client.post(POST, content=scan(1), headers=BEARER)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            assert documents(db) == []
        again = await client.post(POST, content=scan(1), headers=BEARER)
        assert again.status_code == 200
        originals = [document for document in documents(db) if document.duplicate_of is None]
        assert len(originals) == 1


async def test_what_the_database_refuses_is_not_half_stored(db: Database, tmp_path: Path) -> None:
    """A full disk: 503, no bytes and no row; intake pauses, so that the next is refused at once."""
    async with serving(db, tmp_path) as server, asking(server) as client:
        with db.write() as connection:
            connection.execute(text("PRAGMA max_page_count=1"))
        bodies = [scan(number) + bytes(2_000_000) for number in range(3)]
        answers = await asyncio.gather(*(client.post(POST, content=body, headers=BEARER) for body in bodies))
        assert {answer.status_code for answer in answers} == {503}
        assert not server.gate.open
        with db.write() as connection:
            connection.execute(text("PRAGMA max_page_count=4294967294"))
        assert documents(db) == []
        with db.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM content").scalar() == 0
        assert (await client.post(POST, content=SCAN, headers=BEARER)).status_code == 503
        await server.gate.look()
        assert (await client.post(POST, content=SCAN, headers=BEARER)).status_code == 200


async def test_those_who_wait_share_a_transaction(db: Database, tmp_path: Path) -> None:
    """Sixty requests at once are committed in a few turns, each answered with the id of its own document."""
    async with serving(db, tmp_path) as server, asking(server) as client:
        with db.write():  # the first has to wait for this, and the others come meanwhile
            asked = [asyncio.create_task(client.post(POST, content=scan(n), headers=BEARER)) for n in range(60)]
            await asyncio.sleep(0.5)
        answers = [(await each).json()["document"] for each in asked]
        assert 0 < len(server.woken) < 10
        assert set(server.woken) == {"ups/alerts"}
        kept = {document.id: document.digest for document in documents(db)}
        assert len(kept) == 60
        assert [kept[number] for number in answers] == [sha256(scan(n)).hexdigest() for n in range(60)]


def certificate(folder: Path, name: str) -> None:
    """A certificate for localhost that vouches for itself, as cert.pem and key.pem."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


async def test_it_speaks_tls_with_its_own_certificate_and_renews_it(db: Database, tmp_path: Path) -> None:
    """A new certificate in place of the old one is shown from the reload on, without a restart."""

    async def code() -> int:
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        async with httpx.AsyncClient(verify=trusted, timeout=20) as client:
            return (await client.post(server.listener.address + POST, content=SCAN, headers=BEARER)).status_code

    certificate(tmp_path, "first")
    tls = f"tls: {{certificate: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}"
    async with serving(db, tmp_path, http=tls) as server:
        assert server.listener.address.startswith("https://")
        assert await code() == 200
        certificate(tmp_path, "second")
        with pytest.raises(httpx.ConnectError):
            await code()
        server.listener.renew()
        assert await code() == 200


def test_check_tells_that_a_certificate_cannot_be_used(db: Database, tmp_path: Path) -> None:  # noqa: ARG001  its file's
    """A key of another certificate is found before the restart that would need it."""
    certificate(tmp_path, "first")
    (tmp_path / "cert.pem").rename(tmp_path / "other.pem")
    certificate(tmp_path, "second")
    config = write_webhook(tmp_path, http=f"tls: {{certificate: {tmp_path}/other.pem, key: {tmp_path}/key.pem}}")
    done = command.run(["--config", config, "check"])
    assert done.returncode == 2
    assert "gateway.yaml: http.tls: cannot use" in done.stderr
