"""``edi-gateway run``: the daemon, its log, and its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from typing import Final, Literal, TextIO, cast

import structlog
import typer

from edi_gateway.cli.settings import Settings
from edi_gateway.config.load import Config
from edi_gateway.daemon.garbage import spare_the_collector
from edi_gateway.daemon.service import Daemon, Loaded
from edi_gateway.errors import ConfigError, StorageError
from edi_gateway.pipeline.gate import Gate
from edi_gateway.store import checks, claims
from edi_gateway.store.lock import file_of, only_daemon
from edi_gateway.web.listener import Place
from edi_gateway.wiring import wire

log = structlog.get_logger()
_TURN: Final = 0.001  # seconds a working thread may keep the loop waiting; with Python's 5 ms they add up to stalls


def run(context: typer.Context) -> None:
    """Run the daemon until it is told to stop (SIGTERM or Ctrl-C); SIGHUP makes it load its configuration anew."""
    settings: Settings = context.obj
    config = settings.config()
    installation = config.installation
    configure_log(installation.gateway.log.format, installation.gateway.log.level)
    loaded = _loaded(config)
    installation.data.mkdir(parents=True, exist_ok=True)
    url = installation.database.get_secret_value()
    with only_daemon(url), settings.database() as db:
        file = file_of(url)
        if file:
            with suppress(StorageError):  # otherwise they run out by themselves
                claims.release_all(db)
                checks.release_all(db)
        sys.setswitchinterval(_TURN)
        spare_the_collector()
        gate = Gate(db, file and file.parent, installation.gateway.least_free)
        asyncio.run(_run(Daemon(db, gate, lambda: _loaded(_unmoved(settings.config(), config))), loaded))


async def _run(daemon: Daemon, loaded: Loaded) -> None:
    if not await daemon.run(loaded):
        os._exit(0)  # a thread that cannot be cut off must not hold up the end: what it was writing is undone


def _loaded(config: Config) -> Loaded:
    gateway = config.installation.gateway
    return Loaded(wire(config), gateway.stop_timeout, Place(gateway.http, config.installation.folder))


def _unmoved(config: Config, begun_with: Config) -> Config:
    """The configuration, if a running daemon can change to it; raises ConfigError where that takes a restart."""
    now, then = config.installation, begun_with.installation
    if now.database != then.database:
        raise ConfigError(f"{now.folder / 'gateway.yaml'}: the database is another one now: that takes a restart")
    for key in ("log", "least_free"):
        if getattr(now.gateway, key) != getattr(then.gateway, key):
            log.warning("daemon.restart_needed", changed=key)
    return config


class _Log:
    """Standard error, but a log that cannot be written (its disk is full, its reader has gone) stops no work."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


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
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Log())),
        cache_logger_on_first_use=True,
    )
    # Libraries speak only when something is wrong: their chatter names peers and keys at every connect, and every poll
    # that outlasts its interval.
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    for library in ("asyncssh", "apscheduler", "uvicorn"):
        logging.getLogger(library).setLevel(logging.ERROR)
