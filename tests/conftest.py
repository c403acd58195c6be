"""With FASTRAW_FAIL_ON_SKIP=1 a skipped test fails the run: on a machine that has everything, a
skip hides something. FASTRAW_MAY_SKIP lists words, with commas between them; a skip whose reason
has one of them is no failure.

On a free-threaded Python the GIL stays off to the end.
"""

from __future__ import annotations

import os
import sys
import sysconfig

import pytest
from _pytest.terminal import TerminalReporter

import fastraw
from fastraw.engine import deadlines

FAIL_ON_SKIP = os.environ.get("FASTRAW_FAIL_ON_SKIP", "") not in ("", "0")
MAY_SKIP = [word for word in os.environ.get("FASTRAW_MAY_SKIP", "").split(",") if word]
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_is_on() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def faults(reporter: TerminalReporter) -> list[str]:
    """What is wrong with the run as a whole, one line each."""
    found = []
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", ())]
    if FAIL_ON_SKIP and any(not any(word in why for word in MAY_SKIP) for why in skipped):
        found.append("FASTRAW_FAIL_ON_SKIP is set, and tests were skipped.")
    if FREE_THREADED and gil_is_on():
        found.append("Something that was imported has switched the GIL on.")
    return found


@pytest.fixture
def quick_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at ten times as often, so that a test need not wait for the sweep."""
    monkeypatch.setattr(deadlines, "SWEEP_SECONDS", 0.1)


def pytest_report_header() -> str:
    return f"fastraw: parser: {fastraw.IMPLEMENTATION}; GIL: {'on' if gil_is_on() else 'off'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and faults(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for fault in faults(terminalreporter):
        terminalreporter.line(fault, red=True)
