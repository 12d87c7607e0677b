"""``edi-gateway run``: the daemon, its log, and its exit code."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Literal

import structlog
import typer

from edi_gateway.cli.settings import Settings
from edi_gateway.daemon import Daemon
from edi_gateway.wiring import wire


def run(context: typer.Context) -> None:
    """Run the daemon until it is told to stop (SIGTERM or Ctrl-C)."""
    settings: Settings = context.obj
    config = settings.config()
    gateway = config.installation.gateway
    configure_log(gateway.log.format, gateway.log.level)
    wired = wire(config)
    with settings.database() as db:
        asyncio.run(Daemon(db, wired, gateway.stop_timeout).run())


def configure_log(form: Literal["auto", "json", "console"], level: str) -> None:
    """Log to standard error: JSON for machines, aligned text for a terminal."""
    least = logging.getLevelNamesMapping()[level.upper()]
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak only when something is wrong: their chatter names peers and keys at every connect, and every poll
    # that outlasts its interval.
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    for library in ("asyncssh", "apscheduler"):
        logging.getLogger(library).setLevel(logging.ERROR)
