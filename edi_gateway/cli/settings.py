"""What every command needs: the configuration folder, and what is read from it only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edi_gateway.config.load import SHIPPED_MAPPINGS, Config, Installation, load_config, load_installation
from edi_gateway.errors import ConfigError
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.plugins import Format
from edi_gateway.store.engine import Database
from edi_gateway.wiring import wire_channel


@dataclass(frozen=True, slots=True)
class Settings:
    """The call's configuration folder."""

    folder: Path

    def config(self) -> Config:
        """The whole configuration, every secret resolved; raises ConfigError."""
        self._require_folder()
        return load_config(self.folder)

    def installation(self) -> Installation:
        """What gateway.yaml says; raises ConfigError."""
        self._require_folder()
        return load_installation(self.folder)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, brought to this version's shape."""
        installation = self.installation()
        installation.data.mkdir(parents=True, exist_ok=True)
        db = Database(installation.database.get_secret_value())
        try:
            db.migrate()
            yield db
        finally:
            db.close()

    def library(self) -> Library:
        """Where mappings lie: as configured, or the shipped ones when nothing is."""
        if (self.folder / "gateway.yaml").is_file():
            return self.installation().library
        folders = dict.fromkeys((Path("mappings").resolve(), *SHIPPED_MAPPINGS))
        return Library([folder for folder in folders if folder.is_dir()])

    def _require_folder(self) -> None:
        if not (self.folder / "gateway.yaml").is_file():
            raise ConfigError(
                f"{self.folder}/gateway.yaml: there is no such file; name the configuration folder before the command,"
                " edi-gateway --config DIR ..., or in EDI_GATEWAY_CONFIG"
            )

    def reader_of(self, carrier: str, channel: str) -> tuple[Format, Mapping, Partner]:
        """Format, mapping and partner of a carrier's channel; raises ConfigError when it has none or several."""
        config = self.config()
        theirs = [each for each in config.channels if each.carrier == carrier and each.mapping]
        found = [each for each in theirs if channel in {"", each.name.partition("/")[2]}]
        if not found:
            known = ", ".join(sorted({each.name for each in config.channels})) or "none"
            raise ConfigError(f"there is no channel {carrier}/{channel or '*'}; configured channels: {known}")
        if len(found) > 1:
            names = ", ".join(each.name.partition("/")[2] for each in found)
            raise ConfigError(f"{carrier} has several channels: choose one of {names} with --channel")
        wired = wire_channel(config, found[0])
        assert wired.mapping is not None  # it has the name of one
        return wired.format, wired.mapping, wired.partner
