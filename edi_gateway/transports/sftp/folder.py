"""A remote folder: its files, listed in pieces small enough for the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from edi_gateway.transports.sftp.listing import Entry, chooser, entry
from edi_gateway.transports.sftp.session import Session


class Folder:
    """The files of one folder whose names fit."""

    def __init__(self, path: str, pattern: Sequence[str], ignore: Sequence[str]) -> None:
        self._path = path
        self._wanted = chooser(pattern, ignore)
        self._listing = asyncio.Lock()
        self._again: dict[str, Entry] = {}  # what a later listing showed
        self._begun = 0.0  # and when that began

    async def list(self, session: Session, *, all_names: bool) -> tuple[list[Entry], set[str]]:
        """The files that are wanted, in no order, and with ``all_names`` the names of all files.

        Raises TransientError.
        """
        found: list[Entry] = []
        names: set[str] = set()
        with session.transfer():
            async with session.request("list the folder", self._path):
                async for listed in session.sftp.scandir(self._path):
                    session.heard()  # one answer of many, as a large folder takes long
                    file = entry(listed)
                    if file and all_names:
                        names.add(file.name)
                    if file and self._wanted(file.name):
                        found.append(file)
        return found, names

    async def still_lists(self, session: Session, listed: Entry) -> bool:
        """Whether a listing from now on shows the file as it was; whoever asks at the same time shares it.

        Raises TransientError.
        """
        asked = asyncio.get_running_loop().time()
        async with self._listing:
            if self._begun < asked:
                self._begun = asyncio.get_running_loop().time()
                found, _ = await self.list(session, all_names=False)
                self._again = {each.name: each for each in found}
            now = self._again.get(listed.name)
        return now is not None and now == listed
