"""What systemd is told (sd_notify(3)); nothing happens where there is none."""

from __future__ import annotations

import os
import socket
import time


def notify(state: str) -> None:
    """Send one message, such as ``READY=1``."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.connect("\0" + address[1:] if address.startswith("@") else address)
        link.send(state.encode())


def notify_reloading() -> None:
    """Say that a reload has begun; ``READY=1`` says that it is over."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
