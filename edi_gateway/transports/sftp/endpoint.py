"""What sources and sinks ask of a server: how it is reached, how long anything may take, how much at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field

from edi_gateway.quantities import Duration
from edi_gateway.restraint import Circuit
from edi_gateway.transports.sftp.login import Login

_SECOND: Final = timedelta(seconds=1)
_NONE: Final = timedelta(0)


class Endpoint(Login):
    """A login, directly or through a jump host, and its limits."""

    jump: Login | None = Field(
        None, description="host that leads to the server: host, username, how to log in there, and its host_key"
    )
    connect_timeout: Duration = Field(15 * _SECOND, gt=_NONE, description="time for connecting and logging in")
    request_timeout: Duration = Field(
        60 * _SECOND, gt=_NONE, description="longest silence while an answer is awaited; then the connection is cut"
    )
    transfer_timeout: Duration = Field(
        900 * _SECOND, gt=_NONE, description="time for one whole file or listing, however busily its bytes trickle"
    )
    keepalive: Duration = Field(15 * _SECOND, ge=_NONE, description="silence after which to ask for a sign of life")
    in_flight: int = Field(
        64, ge=1, le=1024, description="requests the server has to answer at a time; 1 or 2 for servers that stall"
    )
    circuit: Circuit = Field(Circuit(), description="when a server that cannot be reached is left alone for a while")
