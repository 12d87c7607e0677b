"""A carrier's API behind TLS: whom it has to be vouched for by, and what happens where nobody does."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edi_gateway.errors import ConfigError, TransientError
from edi_gateway.store.engine import Database
from tests.carrier_api import CarrierApi
from tests.unit.pipeline.test_api_poll import Gateway, Ready
from tests.unit.pipeline.test_api_poll import gateway as gateway  # noqa: PLC0414  the fixture

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificates(folder: Path, host: str, days: str) -> Path:
    """An authority in ca.pem, and in both.pem a key with its certificate for that host."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    critical = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl(
        folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=Own", *critical, "-keyout", "ca.key", "-out", "ca.pem"
    )
    openssl(folder, "req", *key, "-subj", "/CN=api", "-keyout", "key.pem", "-out", "api.csr")
    (folder / "ext").write_text(f"subjectAltName={host}\nauthorityKeyIdentifier=keyid\n", encoding="utf-8")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", days)
    openssl(folder, "x509", "-req", "-in", "api.csr", *signed, "-out", "cert.pem")
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


@pytest.fixture
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CarrierApi]:
    """The carrier's API with a certificate for a host, which is its own unless the test says otherwise."""
    host, days = getattr(request, "param", ("IP:127.0.0.1", "2"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates(tmp_path, host, days))
    with CarrierApi(context).running() as running:
        yield running


async def connected(polled: Gateway) -> list[tuple[str, bool]]:
    return [(step.name, step.ok) async for step in polled.channel.source.check()]


async def test_an_own_authority_vouches_for_an_api(
    gateway: Ready, api: CarrierApi, tmp_path: Path, db: Database
) -> None:
    """Its certificate lies in a file, seen from the folder of the configuration."""
    del db
    polled = gateway("ca: ../ca.pem", plain=False).track("P1")
    assert [("TLS", True)] == await connected(polled)
    assert 1 == await polled.poll()
    assert ["P1"] == api.numbers
    (tmp_path / "config/none.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"speedy.yaml:\d+: .*ca: .*none.pem holds no certificates"):
        gateway("ca: none.pem", plain=False)


@pytest.mark.parametrize(
    ("api", "ca", "said"),
    [
        (("IP:127.0.0.1", "2"), "", "unable to get local issuer certificate|self-signed certificate in"),
        (("DNS:api.speedy.example", "2"), "ca: ../ca.pem", "IP address mismatch"),
        (("IP:127.0.0.1", "-1"), "ca: ../ca.pem", "certificate has expired"),
    ],
    indirect=["api"],
)
async def test_an_api_nobody_vouches_for_is_told_nothing(
    gateway: Ready, api: CarrierApi, monkeypatch: pytest.MonkeyPatch, ca: str, said: str, db: Database
) -> None:
    """An unknown authority, another host's certificate, or one that has run out: it hears no number and no key."""
    del db
    monkeypatch.setenv("KEY", "s3cret")
    auth = "auth: {type: api_key, key: '${env:KEY}', header: X-API-Key}"
    polled = gateway(f"{auth}\n{ca}", plain=False).track("P1")
    with pytest.raises(TransientError, match=said):
        await polled.poll()
    assert [("TLS", False)] == await connected(polled)
    assert [] == api.asked
    assert 1 == polled.rows()["P1"].failures
