"""With FASTRAW_FAIL_ON_SKIP=1 a skipped test fails the run: on a machine that has everything, a
skip hides something.

On a free-threaded Python the GIL stays off to the end.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

import fastraw
from fastraw.engine import deadlines
from tests.authority import Authority, CertificateMaker

FAIL_ON_SKIP = os.environ.get("FASTRAW_FAIL_ON_SKIP", "") not in ("", "0")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_is_on() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def faults(reporter: TerminalReporter) -> list[str]:
    """What is wrong with the run as a whole, one line each."""
    found = []
    if FAIL_ON_SKIP and reporter.stats.get("skipped"):
        found.append("FASTRAW_FAIL_ON_SKIP is set, and tests were skipped.")
    if FREE_THREADED and gil_is_on():
        found.append("Something that was imported has switched the GIL on.")
    return found


@pytest.fixture
def quick_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at ten times as often, so that a test need not wait for the sweep."""
    monkeypatch.setattr(deadlines, "SWEEP_SECONDS", 0.1)


@pytest.fixture(scope="session")
def new_authority() -> Iterator[Callable[[Path], Authority]]:
    """Makes one that issues into a folder."""
    with closing(CertificateMaker()) as make:
        yield partial(Authority, make=make)


@pytest.fixture(scope="module")
def authority(
    new_authority: Callable[[Path], Authority], tmp_path_factory: pytest.TempPathFactory
) -> Authority:
    """Of a module's certificates."""
    return new_authority(tmp_path_factory.mktemp("certificates"))


def pytest_report_header() -> str:
    return f"fastraw: parser: {fastraw.IMPLEMENTATION}; GIL: {'on' if gil_is_on() else 'off'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and faults(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for fault in faults(terminalreporter):
        terminalreporter.line(fault, red=True)
