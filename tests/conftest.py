"""What every test may use: servers, databases and how hard hypothesis tries."""

from __future__ import annotations

import os
import signal

import pytest
import structlog
from hypothesis import HealthCheck, settings

# A shell that starts tests in the background lets them ignore Ctrl-C, and all they start would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The command is started hundreds of times: it is compiled once, whatever the shell says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = [
    "tests.servers",
    "tests.postgres",
    "tests.databases",
    "tests.gnupg",
    "tests.notified",
    "tests.acceptance.reporting",
]

# As the daemon does: by itself, structlog would draw the values of all variables of each traceback, for seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# "fast" is for every day; "ci" tries harder and always in the same way, so that a red build can be repeated.
settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: ARG001 -- as pytest calls it
    """Two workers a processor, as many tests wait for servers and for time to pass."""
    return min(2 * len(os.sched_getaffinity(0)), 16)
