"""``edi-gateway trust HOST``: learn a server's host key, and pin it once a person has compared its fingerprint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.errors import ConfigError
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.hostkeys import fetch_host_keys
from edi_gateway.transports.sftp.opening import through_jump

_PREFERRED = "ssh-ed25519"


def trust(
    context: typer.Context,
    host: str = typer.Argument(help="the server, as HOST or HOST:PORT"),
    port: int = typer.Option(22, help="its port"),
    known_hosts: Path | None = typer.Option(None, help="file to pin it in [default: known_hosts in the config folder]"),
    replace: bool = typer.Option(False, help="pin these keys in place of other ones pinned for this host before"),
    yes: bool = typer.Option(False, "--yes", help="pin without asking; only when the fingerprint was compared before"),
    as_json: bool = typer.Option(False, "--json", help="print the keys and pin nothing"),
) -> None:
    """Show the fingerprints of a server's host keys and pin them in a known_hosts file.

    Nothing vouches for a key the first time: compare the fingerprint with the partner by another way than the network.
    A server that is configured with a jump host is asked through that.
    """
    settings: Settings = context.obj
    name, _, given = host.partition(":")
    keys = asyncio.run(_fetch(settings, name, int(given) if given.isdigit() else port))
    if as_json:
        for algorithm, fingerprint, line in keys:
            print_json({"algorithm": algorithm, "fingerprint": fingerprint, "known_hosts": line})
        return
    for algorithm, fingerprint, _ in keys:
        console.print(f"{algorithm:<22} [bold]{text(fingerprint)}[/]")
    preferred = next((line for algorithm, _, line in keys if algorithm == _PREFERRED), keys[0][2])
    console.print(f'\nTo pin it in a partner\'s file:\n  host_key: "{" ".join(preferred.split()[1:])}"', markup=False)
    file = known_hosts or settings.folder / "known_hosts"
    host_names = {line.split()[0] for _, _, line in keys}
    other = [line for line in _pinned(file) if line.split()[0] in host_names and line not in {key[2] for key in keys}]
    if other and not replace:
        console.print(f"\n[red]OTHER keys are pinned for this host in {text(file)}:[/]")
        for line in other:
            console.print(f"  {line}", markup=False)
        console.print("Somebody may be in between. Ask the partner whether its key changed; only then use --replace.")
        raise typer.Exit(1)
    if yes or typer.confirm(f"\nDoes the partner confirm these fingerprints? Pin them in {file}", default=False):
        _pin(file, [*(line for line in _pinned(file) if line not in other), *(line for _, _, line in keys)])
        console.print(f"pinned in {file}; name it in the partner's file: known_hosts: {file.name}", markup=False)
        return
    raise typer.Exit(1)


async def _fetch(settings: Settings, host: str, port: int) -> list[tuple[str, str, str]]:
    """The server's keys, through the jump host of whatever is configured for that server."""
    way = _configured(settings, host, port)
    if way is None:
        return await fetch_host_keys(host, port)
    async with through_jump(way) as jump:
        return await fetch_host_keys(host, port, jump)


def _configured(settings: Settings, host: str, port: int) -> Endpoint | None:
    with suppress(ConfigError):  # the first contact is often made before anything is configured
        config = settings.config()
        ends = [*(each.source for each in config.channels), *(each.sink for each in config.destinations)]
        ends += [each.acknowledge.outlet.sink for each in config.channels if each.acknowledge]
        for end in ends:
            if isinstance(end, Endpoint) and end.jump and (end.host, end.port) == (host, port):
                return end
    return None


def _pinned(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()] if file.is_file() else []


def _pin(file: Path, lines: list[str]) -> None:
    """Write the file anew, each line once, under another name first: a reader finds the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)), encoding="utf-8")
    fresh.replace(file)
