"""``edi-gateway callback``: what a carrier is told, and that it is true."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from pathlib import Path

import pytest

from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import documents
from tests import command
from tests.webhooks import SECRET, TOKEN, scan, serving, write_webhook

PUBLIC = "https://hub.example/edi"
KEY = "whsec_" + base64.b64encode(b"a key that nobody may see").decode()
pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are what a technician has"
)
WAYS = {
    "bearer": 'type: bearer, token: "${file:FOLDER/token}"',
    "basic": 'type: basic, username: "ups o\'neil", password: "${file:FOLDER/secret}"',
    "api_key": 'type: api_key, header: x-api-key, key: "${file:FOLDER/token}"',
    "api_key_in_query": 'type: api_key, query: key, key: "${file:FOLDER/token}"',
    "url_token": 'type: url_token, token: "${file:FOLDER/token}"',
    "standard_webhooks": 'type: standard_webhooks, secret: "${file:FOLDER/standard}"',
    "hmac_hex": 'type: hmac, header: x-hub-signature-256, prefix: "sha256=", secret: "${file:FOLDER/secret}"',
    "hmac_base64_sha512": "type: hmac, header: x-sig, algorithm: sha512, encoding: base64, "
    'secret: "${file:FOLDER/old}"',
    "hmac_timestamp_same_header": 'type: hmac, header: x-sig, prefix: "v1=", signed: "{timestamp}.{body}", '
    'timestamp: {header: x-sig, prefix: "t="}, secret: ["${file:FOLDER/secret}", "${file:FOLDER/old}"]',
    "hmac_everything": 'type: hmac, header: x-sig, signed: "{method} {target}\'s\\n{timestamp}%d{body}end", '
    'timestamp: {header: x-time}, secret: "${file:FOLDER/secret}"',
    "all": 'type: all, of: [{type: api_key, query: k, key: "${file:FOLDER/token}"}, {type: ip, networks: 127.0.0.1}, '
    '{type: url_token, token: "${file:FOLDER/standard-token}"}, '
    '{type: hmac, header: x-sig, signed: "{target}{body}", secret: "${file:FOLDER/secret}"}]',
}


def told(config: Path, *options: str) -> str:
    done = command.run(["--config", config, "callback", "ups/alerts", *options])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("way", WAYS)
async def test_the_example_is_let_in_and_nobody_without_its_secret(db: Database, tmp_path: Path, way: str) -> None:
    """Each way, as it is shown: the lines work in a shell, and with another secret they are refused."""
    (tmp_path / "standard").write_text(KEY, encoding="utf-8")
    (tmp_path / "standard-token").write_text("a-token-in-the-address", encoding="utf-8")
    body = tmp_path / "body"
    body.write_bytes(scan(1))
    auth = f"{{{WAYS[way].replace('FOLDER', str(tmp_path))}}}"
    http = f'public_url: "{PUBLIC}/"'
    config = write_webhook(tmp_path, auth=auth, http=http)
    async with serving(db, tmp_path, auth=auth, http=http) as server:
        shown = json.loads(await asyncio.to_thread(told, config, "--show-secrets", "--json"))
        [proof] = shown["authentication"]
        assert proof["secrets"]
        example = proof["example"].replace(PUBLIC, f"http://127.0.0.1:{server.port}")
        wrong = example
        for secret in proof["secrets"].values():
            wrong = wrong.replace(secret["value"].removeprefix("whsec_"), base64.b64encode(b"another").decode())

        async def run(script: str, sent: Path | None) -> bytes:
            environment = os.environ | ({"BODY": str(sent)} if sent else {})
            shell = await asyncio.create_subprocess_exec("sh", "-c", script, env=environment, stdout=-1, stderr=-1)
            said, _ = await shell.communicate()
            return said.partition(b"\r\n")[0]

        assert b"HTTP/1.1 200 OK" == await run(example, body)
        assert b"HTTP/1.1 204 No Content" == await run(example, None)
        assert b"HTTP/1.1 401 Unauthorized" == await run(wrong, body)
    assert 1 == len(documents(db))


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_a_secret_is_shown_only_on_demand(tmp_path: Path, json_too: tuple[str, ...]) -> None:
    """By itself the command says where it is kept; the URL's token counts as one."""
    ways = '[{type: url_token, token: "${file:FOLDER/token}"}, {type: bearer, token: "${file:FOLDER/secret}"}]'
    auth = ways.replace("FOLDER", str(tmp_path))
    config = write_webhook(tmp_path, auth=auth, http=f'public_url: "{PUBLIC}"')
    covered = told(config, *json_too)
    assert TOKEN not in covered
    assert SECRET not in covered
    assert f"${{file:{tmp_path}/token}}" in covered
    assert f"{PUBLIC}/inbound/ups/alerts/SECRET" in covered
    assert covered.count(f"{PUBLIC}/inbound/ups/alerts/SECRET") == 1  # of two ways one
    shown = told(config, "--show-secrets", *json_too)
    assert f"{PUBLIC}/inbound/ups/alerts/{TOKEN}" in shown
    assert SECRET in shown


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """Without the server's address nobody can be told where to send; another channel's name is helped along."""
    config = write_webhook(tmp_path)
    done = command.run(["--config", config, "callback", "ups/alerts"])
    assert (2, True) == (done.returncode, "http: {public_url: https://hub.example}" in done.stderr)
    config = write_webhook(tmp_path, http=f'public_url: "{PUBLIC}"')
    done = command.run(["--config", config, "callback", "ups/alert"])
    assert (2, True) == (done.returncode, "did you mean 'ups/alerts'?" in done.stderr)


def test_another_partners_secret_is_not_needed(tmp_path: Path) -> None:
    """Who tells a carrier where to send need not be able to read what belongs to others."""
    config = write_webhook(tmp_path, http=f'public_url: "{PUBLIC}"')
    text = (config / "carriers/ups.yaml").read_text(encoding="utf-8")
    other = text.replace("carrier: ups", "carrier: dpd").replace("/token}", "/not-there}")
    (config / "carriers/dpd.yaml").write_text(other, encoding="utf-8")
    assert f"{PUBLIC}/inbound/ups/alerts" in told(config)
