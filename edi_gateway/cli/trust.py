"""``edi-gateway trust HOST``: learn a server's host key, and pin it once a person has compared its fingerprint."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.transports.sftp.hostkeys import fetch_host_keys

_PREFERRED = "ssh-ed25519"


def trust(
    context: typer.Context,
    host: str = typer.Argument(help="the server, as HOST or HOST:PORT"),
    port: int = typer.Option(22, help="its port"),
    known_hosts: Path | None = typer.Option(None, help="file to pin it in [default: known_hosts in the config folder]"),
    yes: bool = typer.Option(False, "--yes", help="pin without asking; only when the fingerprint was compared before"),
    as_json: bool = typer.Option(False, "--json", help="print the keys and pin nothing"),
) -> None:
    """Show the fingerprints of a server's host keys and pin them in a known_hosts file.

    Nothing vouches for a key the first time: compare the fingerprint with the partner by another way than the network.
    """
    settings: Settings = context.obj
    name, _, given = host.partition(":")
    keys = asyncio.run(fetch_host_keys(name, int(given) if given.isdigit() else port))
    if as_json:
        for algorithm, fingerprint, line in keys:
            print_json({"algorithm": algorithm, "fingerprint": fingerprint, "known_hosts": line})
        return
    for algorithm, fingerprint, _ in keys:
        console.print(f"{algorithm:<22} [bold]{text(fingerprint)}[/]")
    preferred = next((line for algorithm, _, line in keys if algorithm == _PREFERRED), keys[0][2])
    console.print(f'\nTo pin it in a partner\'s file:\n  host_key: "{" ".join(preferred.split()[1:])}"', markup=False)
    file = known_hosts or settings.folder / "known_hosts"
    if yes or typer.confirm(f"\nDoes the partner confirm these fingerprints? Pin them in {file}", default=False):
        console.print(f"pinned in {file}: {_pin(file, [line for _, _, line in keys])} new keys", markup=False)
        return
    raise typer.Exit(1)


def _pin(file: Path, lines: list[str]) -> int:
    """Append what is not there yet, in one write, readable by all and writable by us."""
    there = file.read_text(encoding="ascii").splitlines() if file.is_file() else []
    new = [line for line in lines if line not in there]
    if new:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            begin = "\n" if there and not file.read_text(encoding="ascii").endswith("\n") else ""
            out.write(begin + "".join(f"{line}\n" for line in new))
    return len(new)
