"""--reload: a process that watches the code, and a process that serves it.

    change -> SIGTERM to the one that serves, which drains -> start it again

It is for development: while it starts again, connections are refused.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

try:
    import watchfiles
except ImportError:  # the extra `reload` is not installed
    watchfiles = None  # type: ignore[assignment]

MISSING = "--reload needs watchfiles: pip install 'fastraw[reload]'"


def available() -> bool:
    """Whether there is something to watch with."""
    return watchfiles is not None


def serve_and_reload(arguments: Sequence[str]) -> int:
    """Serve with these arguments of the command, again after each change below the working
    directory; the exit status, after SIGINT or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    serving = _start(arguments)
    try:
        for _ in watchfiles.watch(
            os.getcwd(),
            watch_filter=watchfiles.PythonFilter(),
            stop_event=over,
            raise_interrupt=False,
        ):
            _end(serving)
            serving = _start(arguments)
    finally:
        status = _end(serving)
    return status


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # Not `-c` or a fork: the module is imported afresh, as it would be without --reload.
    return subprocess.Popen([sys.executable, *_flags(), "-m", "fastraw", *arguments])


def _flags() -> list[str]:
    """What this interpreter was started with, for the other one."""
    warnings = [part for option in sys.warnoptions for part in ("-W", option)]
    return [*warnings, *(("-X", "dev") if sys.flags.dev_mode else ())]


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.terminate()
    return process.wait()
