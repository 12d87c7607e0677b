"""What went wrong at a server, said to the person who must act: where, at what, the server's words, what to do."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

import asyncssh

_ADVICE: Final[Sequence[tuple[tuple[type[Exception], ...], str]]] = (
    ((asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath), "check the path, or have the folder made"),
    ((asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect), "ask the other side for this right"),
    ((asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded), "the other side has to make room"),
    ((asyncssh.SFTPFailure,), "the server gives no reason: often a full disk, a quota or a name that is taken"),
    ((asyncssh.PermissionDenied,), "check username and key or password, and that the other side knows them"),
    (
        (asyncssh.KeyExchangeFailed,),
        "the server knows only outdated algorithms: have it updated, or name them in legacy_algorithms",
    ),
    ((socket.gaierror,), "check host, and the name service of this machine"),
    ((ConnectionRefusedError,), "nothing listens there: check host and port, and whether the server is up"),
    ((TimeoutError,), "check host, port and the firewalls in between"),
    ((asyncssh.ChannelOpenError,), "the account may not use sFTP, or has too many sessions open"),
    ((asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection), "it is tried again"),
)


def complain(where: str, doing: str, error: BaseException, words: str = "") -> str:
    """One sentence about a failure; ``words`` stand for the error's own where they say more."""
    said = words or _words(error)
    advice = next((advice for kinds, advice in _ADVICE if isinstance(error, kinds)), "")
    return f"{where}: cannot {doing}: {said}" + (f"; {advice}" if advice else "")


def _words(error: BaseException) -> str:
    text = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return str(text).strip().rstrip(".") or type(error).__name__
