"""``POST /v1/track`` with 200 numbers, eight clients at once: 1,000,000 shipments stored beside 100,000."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from sqlalchemy import NullPool, create_engine

from benchmarks import shipments
from benchmarks.contest import Contest, MissingError, Sides
from benchmarks.inbound import free_port, server
from edi_gateway.store import api_keys
from edi_gateway.store.engine import Database
from tests.postgres import postgres_server

_FEW: Final = 100_000
_MANY: Final = 1_000_000
_SECONDS: Final = 10
_CLIENTS: Final = 8
_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
log: {{format: json}}
http: {{address: "127.0.0.1:{port}"}}
database: {database}
"""
_CUSTOMER: Final = "customer: globex\napi: {per_second: 1000000, burst: 1000000}\n"


@dataclass(frozen=True, slots=True)
class _Stored:
    """A daemon over that many shipments."""

    shipments: int
    port: int
    key: str
    seen: list[dict[str, float]]

    def p95(self) -> float:
        """Milliseconds within which 95 of 100 requests were answered."""
        command = ["-m", "benchmarks.track_load", str(self.port), str(self.shipments), str(_SECONDS), str(_CLIENTS)]
        done = subprocess.run(  # noqa: S603  ours
            [sys.executable, *command, self.key], cwd=_CHECKOUT, stdout=subprocess.PIPE, text=True, check=True
        )
        figures: dict[str, float] = json.loads(done.stdout)
        self.seen.append(figures)
        return figures["p95"]

    def told(self) -> str:
        """The medians of all runs."""
        said = (f"{name} {median(each[name] for each in self.seen):,.1f}" for name in ("p50", "p95", "p99"))
        rate = median(each["per_second"] for each in self.seen)
        return f"    {self.shipments:>9,} shipments: {', '.join(said)} ms; {rate:.1f} requests/s"


@contextmanager
def _stored(folder: Path, url: str, count: int) -> Iterator[_Stored]:
    """Raises ConfigError and StorageError as the database does."""
    port = free_port()
    (folder / "config/customers").mkdir(parents=True)
    gateway = _GATEWAY.format(data=folder / "data", mappings=_CHECKOUT / "mappings", port=port, database=url)
    (folder / "config/gateway.yaml").write_text(gateway, encoding="utf-8")
    (folder / "config/customers/globex.yaml").write_text(_CUSTOMER, encoding="utf-8")
    db = Database(url)
    try:
        db.migrate()
        shipments.store(db, count)
        key = api_keys.create(db, "globex", "benchmark")
    finally:
        db.close()
    with server(["edi_gateway.cli.main", "--config", str(folder / "config"), "run"], port):
        yield _Stored(count, port, key, [])


@contextmanager
def _open(urls: Callable[[Path], Iterator[list[str]]]) -> Iterator[Sides]:
    with TemporaryDirectory() as name:
        folders = [Path(name) / "few", Path(name) / "many"]
        for folder in folders:
            folder.mkdir()
        with (
            contextmanager(urls)(Path(name)) as (small, large),
            _stored(folders[0], small, _FEW) as few,
            _stored(folders[1], large, _MANY) as many,
        ):
            yield Sides(many.p95, few.p95)
            print(few.told(), many.told(), sep="\n", flush=True)


def _sqlite(folder: Path) -> Iterator[list[str]]:
    yield [f"sqlite:///{folder}/{name}.db" for name in ("few", "many")]


def _postgres(_folder: Path) -> Iterator[list[str]]:
    try:
        running = postgres_server()
        with running as url:
            engine = create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
            for name in ("few", "many"):
                with engine.connect() as connection:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
            yield [f"{url}/{name}" for name in ("few", "many")]
    except pytest.skip.Exception as error:
        raise MissingError(str(error.msg)) from error


CONTESTS: Final = tuple(
    Contest(
        f"track_200_of_1m_time_vs_100k_{name}",
        "ms (p95)",
        "the same with 100,000 shipments stored; 8 clients",
        partial(_open, urls),
        runs=5,
    )
    for name, urls in (("sqlite", _sqlite), ("postgres", _postgres))
)
