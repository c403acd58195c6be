"""A server in a process of its own, pinned, and what /proc says about it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from peers import BENCH, Peer

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 20_000, 30_000
"""Below the range that outgoing connections take their ports from."""

START_SECONDS = 20.0
STOP_SECONDS = 5.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_ports = itertools.cycle(range(FIRST_PORT, LAST_PORT))


class ServerFailed(Exception):
    """A server did not start, ended early or gave a wrong answer; the text says which."""


class Server:
    """A launcher that runs. As a context manager it is stopped at the end."""

    def __init__(
        self,
        peer: Peer,
        cpus: Sequence[int],
        arguments: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        self.peer = peer
        self.port = free_port()
        self._tls = ssl._create_unverified_context() if "--tls" in arguments else None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        command = [python, "-m", f"servers.{peer.launcher}", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, *peer.arguments, *arguments],
            cwd=BENCH,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            # A session of its own, by which its processes are found again.
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )

    def __enter__(self) -> Server:
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started; there may be others below it."""
        return self._process.pid

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise ServerFailed(f"ended at once: {self.last_line()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("/")[0] == 200:
                    return
            time.sleep(0.02)
        raise ServerFailed(f"did not answer within {START_SECONDS:g} s: {self.last_line()}")

    def ask(
        self, target: str, body: bytes | None = None, timeout: float = 5.0
    ) -> tuple[int, str | None, bytes]:
        """Status, Content-Type and body of one request on a connection of its own.

        Raises OSError or http.client.HTTPException.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        if self._tls is not None:
            connection = http.client.HTTPSConnection(
                HOST, self.port, timeout=timeout, context=self._tls
            )
        with contextlib.closing(connection):
            connection.request("GET" if body is None else "POST", target, body)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()

    def last_line(self) -> str:
        """The last line the server printed."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used, system calls included."""
        ticks = 0
        for fields in self._stats():
            # utime and stime, and those of children that ended: proc(5), fields 14 to 17.
            ticks += sum(int(field) for field in fields[11:15])
        return ticks / TICKS

    def memory_bytes(self) -> int:
        """Resident memory of its processes."""
        return sum(int(fields[21]) for fields in self._stats()) * PAGE_BYTES

    def wake_ups(self) -> int:
        """How often its threads have gone to sleep of their own will."""
        count = 0
        for process in self._processes():
            for status in process.glob("task/*/status"):
                with contextlib.suppress(OSError):
                    for line in status.read_text().splitlines():
                        if line.startswith("voluntary_ctxt_switches"):
                            count += int(line.split()[1])
        return count

    def process_ids(self) -> list[int]:
        """Its processes."""
        return [int(process.name) for process in self._processes()]

    def _processes(self) -> Iterator[Path]:
        for process in Path("/proc").glob("[0-9]*"):
            # The sixth field of stat is the session; the first two end at the last bracket.
            with contextlib.suppress(OSError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.pid:
                    yield process

    def _stats(self) -> Iterator[list[str]]:
        for process in self._processes():
            with contextlib.suppress(OSError):
                yield (process / "stat").read_text().rpartition(")")[2].split()

    def stop(self) -> None:
        """End it: politely, and after STOP_SECONDS by force."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()


def free_port() -> int:
    """A port that nobody listens on, and that the last server did not have."""
    while True:
        port = next(_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
