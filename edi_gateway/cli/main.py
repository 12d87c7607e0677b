"""The command line: ``edi-gateway COMMAND``."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from pathlib import Path

import structlog
import typer

from edi_gateway.cli.check import check
from edi_gateway.cli.deliveries import deliveries
from edi_gateway.cli.documents import documents
from edi_gateway.cli.events import events, subscribe, unmapped, unsubscribe
from edi_gateway.cli.ledger import ledger
from edi_gateway.cli.mapping import mapping
from edi_gateway.cli.outbox import outbox
from edi_gateway.cli.quarantine import quarantine
from edi_gateway.cli.replay import replay
from edi_gateway.cli.run import run
from edi_gateway.cli.schema import schema
from edi_gateway.cli.settings import Settings
from edi_gateway.cli.status import status
from edi_gateway.cli.translate import translate
from edi_gateway.cli.trust import trust
from edi_gateway.errors import ConfigError, GatewayError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Gateway between carriers and their customers: EDI files in and out, one status vocabulary, no event twice.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("edi-gateway"))
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    config: Path = typer.Option(Path("config"), envvar="EDI_GATEWAY_CONFIG", help="the configuration folder"),
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="say the version"),
) -> None:
    context.obj = Settings(config)


for command in (run, check, trust, translate, replay, status, ledger, events, unmapped, subscribe, unsubscribe, schema):
    app.command()(command)
app.add_typer(documents, name="documents")
app.add_typer(quarantine, name="quarantine")
app.add_typer(deliveries, name="deliveries")
app.add_typer(outbox, name="outbox")
app.add_typer(mapping, name="mapping")


def main() -> None:
    """Run the command; what a person can mend is said without a traceback. Exit code 2: the call or files are wrong."""
    # What a command has to say it prints; `run` sets up a log of its own.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
    except (GatewayError, LookupError) as error:
        print(error.args[0] if error.args else error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
