"""``edi-gateway check``: is the configuration sound, and does each channel's connection hold."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from edi_gateway.cli.output import console, print_json, text
from edi_gateway.cli.settings import Settings
from edi_gateway.errors import ConfigError
from edi_gateway.plugins import Receiver, Sink, Source
from edi_gateway.web.certificate import tls_context
from edi_gateway.wiring import Wired, prove_keys, wire


def check(
    context: typer.Context,
    connect: bool = typer.Option(False, help="prove every connection: DNS, TCP, host key, login, list, write"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object a line"),
) -> None:
    """Validate configuration and mappings, every mistake at its file and line; exit code 2 when there is one."""
    settings: Settings = context.obj
    config = settings.config()
    wired = wire(config)
    library = config.installation.library
    broken = [problem for name in library.names() for problem in library.use(name)[1]]
    if broken:
        raise ConfigError(*broken)
    prove_keys(config)
    if tls := config.installation.gateway.http.tls:
        tls_context(tls, config.installation.folder)
    if not as_json:
        counted = f"{len(wired.channels)} channels, {len(wired.destinations)} destinations"
        console.print(f"[green]sound[/]  {settings.folder}: {counted}")
    if connect and not asyncio.run(_connect(wired, as_json=as_json)):
        raise typer.Exit(1)


async def _connect(wired: Wired, *, as_json: bool) -> bool:
    ends: list[tuple[str, Source | Receiver | Sink]] = [
        (name, channel.source) for name, channel in wired.channels.items()
    ]
    ends += [(receiver.name, receiver.sink) for receiver in wired.receivers]
    try:
        outcomes = await asyncio.gather(*(_prove(name, end) for name, end in ends))
    finally:
        await wired.close()
    for steps in outcomes:
        for step in steps:
            _say(step, as_json=as_json)
    return all(step["ok"] for steps in outcomes for step in steps)


async def _prove(name: str, end: Source | Receiver | Sink) -> list[dict[str, Any]]:
    return [{"name": name, "step": step.name, "ok": step.ok, "detail": step.detail} async for step in end.check()]


def _say(step: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(step)
        return
    verdict = "[green]holds[/]" if step["ok"] else "[red]fails[/]"
    console.print(f"{verdict}  {text(step['name'])}  {step['step']}: {text(step['detail'])}")
