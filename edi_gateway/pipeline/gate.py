"""No work while the database takes nothing: what could not be committed must not be fetched, read or sent."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from edi_gateway.errors import GatewayError, StorageError
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.engine import Database
from edi_gateway.store.room import prove_room

log = structlog.get_logger()
_EVERY: Final = 5.0  # seconds between two looks at the disk, and between the first tries while closed
_LONGEST: Final = 60.0  # seconds between two tries where opening never helped for long
_SUBJECT: Final = "database"


class Gate:
    """Open while there is room and the database takes what it is given; closed until the first look.

    ``folder`` is where an embedded database lies: with less than ``least_free`` bytes on its disk the gate closes
    before anything fails. It opens by itself once there is room again and a commit went through.
    """

    def __init__(self, db: Database, folder: Path | None, least_free: int) -> None:
        self._db = db
        self._folder = folder
        self._least_free = least_free
        self._open = asyncio.Event()
        self._opened_at = 0.0
        self._pause = _EVERY
        self._complained = False

    @property
    def open(self) -> bool:
        """Whether work may begin."""
        return self._open.is_set()

    async def wait(self) -> None:
        """Return once work may begin."""
        await self._open.wait()

    async def close(self, error: StorageError) -> None:
        """Hold everything back: the database has just refused."""
        if self.open:
            helped = asyncio.get_running_loop().time() - self._opened_at > _LONGEST
            self._pause = _EVERY if helped else min(self._pause * 2, _LONGEST)
        await self._hold(str(error))

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # whatever it is, nobody else would ever open the gate again
                log.exception("gate.defect")
            await asyncio.sleep(_EVERY if self.open else self._pause)

    async def look(self) -> None:
        """Open or close by what is true now."""
        proving = not self.open
        why = await asyncio.to_thread(self._complaint, proving=proving)
        if why:
            await self._hold(why)
        elif proving and not self.open:
            self._opened_at = asyncio.get_running_loop().time()
            self._open.set()
            if self._complained:
                log.info("intake.resumed")
            self._complained = False

    async def _hold(self, why: str) -> None:
        self._open.clear()
        if not self._complained:
            log.error("intake.paused", why=why)
        self._complained = True
        with suppress(GatewayError):  # where there is no room, there is none for an alarm either
            await asyncio.to_thread(raise_alarm, self._db, AlarmKind.INTAKE_PAUSED, _SUBJECT, why)

    def _complaint(self, *, proving: bool) -> str:
        """What speaks against working; asked of the disk always, of the database only while closed."""
        if self._folder and (free := shutil.disk_usage(self._folder).free) < self._least_free:
            return (
                f"{free:,} bytes are free on the disk of {self._folder}, expected at least {self._least_free:,}"
                " (least_free in gateway.yaml): make room; work goes on by itself then"
            )
        try:
            if proving:
                prove_room(self._db)
            clear_alarm(self._db, AlarmKind.INTAKE_PAUSED, _SUBJECT)
        except GatewayError as error:
            return str(error)
        return ""
