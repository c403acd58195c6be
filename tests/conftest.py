"""With FASTRAW_FAIL_ON_SKIP=1 a skipped test fails the run: on a machine that has everything, a
skip hides something."""

from __future__ import annotations

import os

import pytest

FAIL_ON_SKIP = os.environ.get("FASTRAW_FAIL_ON_SKIP", "") not in ("", "0")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if FAIL_ON_SKIP and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAIL_ON_SKIP and terminalreporter.stats.get("skipped"):
        terminalreporter.line("FASTRAW_FAIL_ON_SKIP is set, and tests were skipped.", red=True)
