"""The gateway's configuration folder, written as a person would write it, and the users of the sFTP server."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sftp_test_server.server import SftpTestServer
from sftp_test_server.users import User

_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_SHIPPED: Final = (_CHECKOUT / "mappings", _CHECKOUT / "edi_gateway" / "shipped_mappings")  # the latter in a wheel
_FOLDERS: Final = {"nordlog": ("out",), "kurier": ("out",), "globex": ("in/tracking",), "initech": ("from_hub",)}
MAILBOXES: Final = {"globex": "in/tracking", "initech": "from_hub"}  # where customers find their files

_GATEWAY: Final = """\
# Every key there is, with its meaning: config/reference/gateway.yaml
identity: "HUB:ZZZ"
stop_timeout: 10s
http: {address: "127.0.0.1:0"}
log: {format: json}
"""

_NORDLOG: Final = """\
carrier: nordlog
timezone: Europe/Copenhagen
channels:
  status-files:
    every: 1s
    source:
      type: sftp
      host: {host}
      port: {port}
      host_key: "{host_key}"
      username: nordlog
      password: "${{file:{secrets}/nordlog}}"
      path: /out
      pattern: "NL_IFTSTA_*.edi"
      after: {{move: done}}
    format: {{type: edifact}}
    mapping: nordlog/iftsta
"""

_KURIER: Final = """\
carrier: kurier
timezone: Europe/Berlin
channels:
  scans:
    every: 2s
    source:
      type: sftp
      host: {host}
      port: {port}
      host_key: "{host_key}"
      username: kurier
      password: "${{file:{secrets}/kurier}}"
      path: /out
      pattern: "KU_*.edi"
      after: delete
    format: {{type: edifact}}
    mapping: kurier/iftsta
"""

_VELOPOST: Final = """\
carrier: velopost
timezone: Europe/Zurich
channels:
  scans:
    source:
      type: webhook
      auth: {{type: hmac, header: X-Velopost-Signature, secret: "${{file:{secrets}/velopost}}"}}
    mapping: velopost/events
"""

_FJORDPAK: Final = """\
carrier: fjordpak
timezone: Europe/Oslo
channels:
  api:
    every: 1s
    source:
      type: api_poll
      request: {{url: "http://{api}/v2/parcels/{{number}}"}}
      allow_http: true
      auth: {{type: api_key, header: X-API-Key, key: "${{file:{secrets}/fjordpak}}"}}
      schedule: {{phases: [{{every: 2s}}]}}
    mapping: fjordpak/track
"""

_GLOBEX: Final = """\
customer: globex
receives:
  - {{carrier: nordlog, account: "4402"}}
  - {{carrier: kurier, account: "4711*"}}
destinations:
  edi:
    sink:
      type: sftp
      host: {host}
      port: {port}
      host_key: "{host_key}"
      username: globex
      password: "${{file:{secrets}/globex}}"
      path: /in/tracking
    format: {{type: edifact, version: "D:01B", syntax: "UNOC:3", recipient: "GLOBEX:14"}}
    mapping: globex/tracking_events
    batch: {{every: 2s}}
    file_name: "tracking_events_{{control:09}}.edi"
"""

_INITECH: Final = """\
customer: initech
receives:
  - {{carrier: nordlog, account: "5518"}}
  - {{carrier: kurier, account: "8150"}}
destinations:
  edi:
    events: status_changes
    sink:
      type: sftp
      host: {host}
      port: {port}
      host_key: "{host_key}"
      username: initech
      password: "${{file:{secrets}/initech}}"
      path: /from_hub
    format:
      type: edifact
      version: "D:96A"
      syntax: "UNOB:2"
      recipient: "INITECH:ZZZ"
      una: false
      line_breaks: crlf
    mapping: initech/tracking_events
    unencodable: replace
    batch: {{every: 2s}}
    file_name: "INI{{control:05}}.edi"
"""

_UMBRA: Final = """\
customer: umbra
receives:
  - {{carrier: velopost, account: "7100"}}
destinations:
  shop:
    sink:
      type: webhook
      url: "http://{shop}"
      secret: "${{file:{secrets}/umbra}}"
      allow: [http, private]
    layout: canonical
    vocabulary: nine_status
    order: shipment
"""


def users() -> list[User]:
    """The logins of the partners that use sFTP, with passwords made for this run."""
    return [User(name, secrets.token_urlsafe(12), folders=folders) for name, folders in _FOLDERS.items()]


def keys() -> dict[str, str]:
    """What the partners that use HTTP know, made for this run."""
    signing = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"velopost": secrets.token_urlsafe(24), "fjordpak": secrets.token_urlsafe(24), "umbra": f"whsec_{signing}"}


def write_configuration(
    folder: Path, server: SftpTestServer, logins: list[User], hidden_keys: Mapping[str, str], api: str, shop: str
) -> Path:
    """Write configuration, secrets and a copy of the mappings below ``folder``; return the configuration's folder.

    ``api`` and ``shop`` are the addresses of the carrier that is asked and of the customer that is posted to.
    """
    shutil.copytree(next(path for path in _SHIPPED if path.is_dir()), folder / "mappings")
    hidden = folder / "secrets"
    hidden.mkdir(mode=0o700)
    for name, secret in {**{user.name: user.password or "" for user in logins}, **hidden_keys}.items():
        (hidden / name).write_text(secret, encoding="utf-8")
    values = {
        "host": server.host,
        "port": server.port,
        "host_key": server.host_key_line.partition(" ")[2],
        "secrets": hidden,
        "api": api,
        "shop": shop,
    }
    config = folder / "config"
    files = {
        "gateway.yaml": _GATEWAY,
        "carriers/nordlog.yaml": _NORDLOG.format(**values),
        "carriers/kurier.yaml": _KURIER.format(**values),
        "carriers/velopost.yaml": _VELOPOST.format(**values),
        "carriers/fjordpak.yaml": _FJORDPAK.format(**values),
        "customers/umbra.yaml": _UMBRA.format(**values),
        "customers/globex.yaml": _GLOBEX.format(**values),
        "customers/initech.yaml": _INITECH.format(**values),
    }
    for name, text in files.items():
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_text(text, encoding="utf-8")
    return config
