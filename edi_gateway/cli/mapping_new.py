"""``edi-gateway mapping new``: a first mapping from a carrier's sample."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

import typer

from edi_gateway.cli.output import console, text
from edi_gateway.cli.settings import Settings
from edi_gateway.config.load import SHIPPED_MAPPINGS
from edi_gateway.discovery.discover import discover
from edi_gateway.discovery.draft import Draft
from edi_gateway.discovery.sample import Sample, read_sample
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import utc_now
from edi_gateway.pipeline.reading import read

_NAME = re.compile(r"[a-z0-9][\w-]*(?:/[\w-]+)+", re.ASCII)
_MOST_SAID = 12


def new_mapping(
    context: typer.Context,
    name: str = typer.Argument(help="CARRIER/NAME, such as speedy/status"),
    sample: Path = typer.Option(..., "--from", help="a file as the carrier sends it"),
    out: Path | None = typer.Option(None, help="the folder of mappings; left out: that of the configuration"),
    force: bool = typer.Option(False, "--force", help="overwrite a mapping that is there"),
) -> None:
    """Look at a file and write a first mapping, every guess marked for review."""
    settings: Settings = context.obj
    name = name.removesuffix(".yaml")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a mapping, expected CARRIER/NAME such as speedy/status")
    library = settings.library()
    folder = out or _own_folder(library)
    target = folder / f"{name}.yaml"
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already; add --force to overwrite it")
    looked_at = read_sample(sample)
    draft = discover(looked_at, name, library)
    counts = _tried(draft, looked_at, name, library)
    _write(target, draft.text)
    _say(draft, target, counts, f"edi-gateway translate {sample} --mapping {name}", name)


def _own_folder(library: Library) -> Path:
    """Where mappings of one's own belong: not beside the shipped ones, unless this is the folder they lie in."""
    here = Path("mappings").resolve()
    own = [folder for folder in library.folders if folder == here or folder not in SHIPPED_MAPPINGS]
    return own[0] if own else Path("mappings")


def _tried(draft: Draft, sample: Sample, name: str, library: Library) -> Counter[str] | None:
    """What the mapping makes of the sample; None when only its beginning was looked at.

    Raises ConfigError when it does not load: then nothing is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / f"{name}.yaml", draft.text)
        trial = Library([Path(folder), *library.folders])
        mapping, syntax = trial.reader(name), trial.format(name)
    if not sample.whole:
        return None
    counts: Counter[str] = Counter()
    for reading in read(sample.content, syntax, mapping, Partner(""), utc_now()):
        counts["events"] += len(reading.said.events) if reading.said else 0
        counts["unknown"] += sum(not event.mapped for event in reading.said.events) if reading.said else 0
        counts["set aside"] += sum(str(finding.severity) == "quarantine" for finding in reading.findings)
    return counts


def _write(target: Path, content: str) -> None:
    """All of it or nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_text(content, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}") from error


def _say(draft: Draft, target: Path, counts: Counter[str] | None, command: str, name: str) -> None:
    console.print(f"[green]wrote[/]  {text(target)}\n")
    console.print("[bold]Recognised[/]")
    for line in draft.recognised:
        console.print(f"  {text(line)}")
    if counts is not None:
        console.print(
            f"  with this mapping the sample gives {counts['events']} events ({counts['unknown']} of them UNKNOWN),"
            f" {counts['set aside']} set aside"
        )
    console.print("\n[bold]To decide[/]  (each place is marked 'review' in the file)")
    for line in draft.decide[:_MOST_SAID]:
        console.print(f"  - {text(line)}")
    console.print("\n[bold]Next[/]")
    console.print(f"  {text(command)}")
    console.print(
        f"  put the sample into {text(target.parent / 'samples' / target.stem)}/ and take its events as golden:"
    )
    console.print(f"  edi-gateway mapping test {text(name)} --update")
