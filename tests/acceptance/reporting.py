"""A line for each run under fire at the end of the test session: how many kills there were, and where they hit."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the crash tests recorded in this process or any worker's."""
    lines = {
        f"{report.nodeid.rpartition('::')[2]}: {said}"
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, said in getattr(report, "user_properties", ())
        if name == "crash"
    }
    if lines:
        terminalreporter.section("crash tests")
        terminalreporter.write_line("\n".join(sorted(lines)))
