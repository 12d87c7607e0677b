"""``edi-gateway mapping``: the mappings there are, and their samples as tests."""

from __future__ import annotations

import typer

from edi_gateway.cli.mapping_new import new_mapping
from edi_gateway.cli.output import console, show
from edi_gateway.cli.settings import Settings
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.load import Library
from edi_gateway.pipeline.samples import Sample, actual, differences, samples, write_golden

mapping = typer.Typer(no_args_is_help=True, help="The mappings there are, a first one from a sample, samples as tests.")
mapping.command("new")(new_mapping)


@mapping.command("list")
def list_mappings(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Every mapping, its file, and whether it reads, writes or cannot be used."""
    settings: Settings = context.obj
    library = settings.library()
    rows = [
        {"mapping": name, "use": library.use(name)[0], "samples": 0, "file": str(library.path(name))}
        for name in library.names()
    ]
    for row in rows:
        row["samples"] = sum(1 for _ in samples(library, str(row["mapping"])))
    show(rows, as_json=as_json, empty="There are no mappings.")


@mapping.command("test")
def run_samples(
    context: typer.Context,
    name: str = typer.Argument("", help="one mapping; all when left out"),
    update: bool = typer.Option(False, help="take what the samples give today as golden"),
) -> None:
    """Read the samples beside each mapping and compare with their golden events."""
    settings: Settings = context.obj
    library = settings.library()
    found = list(samples(library, name))
    if not found:
        raise ConfigError(f"there are no samples of {name or 'any mapping'}; they lie in <partner>/samples/<mapping>/")
    failed = sum(not _holds(library, sample, update=update) for sample in found)
    console.print(f"\n{len(found) - failed} samples hold, {failed} do not")
    raise typer.Exit(1 if failed else 0)


def _holds(library: Library, sample: Sample, *, update: bool) -> bool:
    events = actual(sample, library.reader(sample.mapping), library.format(sample.mapping))
    if update:
        write_golden(sample, events)
    problems = differences(sample, events)
    console.print(f"{'[red]differs[/]' if problems else '[green]holds[/]  '}  {sample.mapping}  {sample.path.name}")
    for problem in problems:
        console.print(f"         {problem}", markup=False)
    return not problems
