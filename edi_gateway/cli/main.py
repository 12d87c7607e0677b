"""The command line: ``edi-gateway COMMAND``."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import typer
from typer.core import TyperGroup
from typer.main import get_command

from edi_gateway.cli.settings import Settings
from edi_gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    from typer._click import Command, Context

_COMMANDS: Final = {
    name: f"edi_gateway.cli.{module or name}"
    for name, module in {
        **dict.fromkeys(("run", "check", "trust", "translate", "replay", "status", "ledger"), ""),
        **dict.fromkeys(("events", "unmapped", "subscribe", "unsubscribe"), "events"),
        **dict.fromkeys(("track", "untrack"), "tracking"),
        **dict.fromkeys(("callback", "missed"), ""),
        **dict.fromkeys(("schema", "documents", "quarantine", "deliveries", "destinations"), ""),
        **dict.fromkeys(("outbox", "mapping", "keys", "simulate"), ""),
    }.items()
}


class _Commands(TyperGroup):
    """The commands, each imported when it is called: no other's needs keep a person waiting."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002  as typer calls it
        """The commands in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002  as typer calls it
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            found = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
            if not isinstance(found, typer.Typer):
                alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
                alone.command(cmd_name)(found)
                found = alone
            self.commands[cmd_name] = get_command(found)
        return self.commands[cmd_name]


app = typer.Typer(
    cls=_Commands,
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
