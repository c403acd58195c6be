"""A server program in a process of its own, that says where it listens.

with Program(sys.executable, "-m", "fastraw", "--port", "0") as program:
    urlopen(program.url)
    assert program.stop() == 0
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
# Strict: what the development mode warns of becomes an error.
PYTHON = (sys.executable, "-X", "dev", "-W", "error")
# Long enough for a busy machine: a test that waits this long has failed.
PATIENCE_SECONDS = 30.0

_URL = r"https?://(\[[^]]+\]|[^:/\s]+):(\d+)"


class Program:
    """The process; what it writes, on either output, is collected in `output`."""

    def __init__(self, *command: str | Path, folder: Path = ROOT, **environment: str) -> None:
        self.output = ""
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self.output += line
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in the output, once it is there."""

        def found() -> bool:
            return self._ended or re.search(pattern, self.output) is not None

        with self._more:
            self._more.wait_for(found, PATIENCE_SECONDS)
            match = re.search(pattern, self.output)
        assert match is not None, f"no {pattern!r} in {self.output!r}"
        return match

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens, without a final slash."""
        return self.wait_for(_URL)[0]

    @property
    def address(self) -> tuple[str, int]:
        """The same as host and port."""
        match = self.wait_for(_URL)
        return match[1].strip("[]"), int(match[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, once it is heeded; the exit status, once all output is there."""
        assert eventually(self._heeds_signals), "serve_forever() has not begun"
        self._process.send_signal(number)
        return self.wait()

    def _heeds_signals(self) -> bool:
        """Whether serve_forever() has taken the signals over: a server answers before it does.

        SIGTERM is the second that it takes; SIGINT is caught by Python from the beginning.
        """
        status = Path(f"/proc/{self.pid}/status")
        if self._process.poll() is not None or not status.exists():
            return True  # it has ended, or this is not Linux
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)

    def wait(self) -> int:
        """The exit status, once it ends by itself and all output is there."""
        status = self._process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return status

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
