"""What is measured with more than wrk alone: crowds, slow clients, idleness, life cycle."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import loads
from loads import Load, Place
from peers import BENCH, PEERS
from process import Server, ServerFailed
from servers import files

CROWD = 8000
DRIPPING = 1000
IDLE = 100

READY_SECONDS = 120.0
SETTLE_SECONDS = 2.0
"""After this a server that has become idle should be quiet."""

FILE = Load("file-1g", "a file of 1 GiB", "/1g.bin", connections=1)
BUSY = Load("crowd", "64 busy connections", connections=64)


class Crowd:
    """crowd.py, running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def last_told(self) -> float:
        """When the last subscriber had its event, on the monotonic clock."""
        assert self._process.stdout is not None
        return float(json.loads(self._process.stdout.readline())["told"])

    def leave(self) -> int:
        """How many connections were still open; they close. Raises ServerFailed."""
        output = self._process.communicate("", timeout=READY_SECONDS)[0]
        last = (output.splitlines() or [""])[-1]
        if not last.startswith("{"):
            raise ServerFailed(f"the crowd broke up: {last}")
        return int(json.loads(last)["open"])


@contextlib.contextmanager
def crowd(server: Server, place: Place, *arguments: str) -> Iterator[Crowd]:
    """Connect a crowd; it has gone at the end. Raises ServerFailed if not all get in."""
    process = subprocess.Popen(
        [sys.executable, "crowd.py", str(server.port), *arguments],
        cwd=BENCH,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, place.load_cpus),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line != "ready\n":
            rest = (line + process.stdout.read()).strip().splitlines() or ["no reason given"]
            raise ServerFailed(f"the crowd did not get in: {rest[-1]}")
        yield Crowd(process)
    finally:
        process.kill()
        process.communicate()


def measure_crowd(server: Server, place: Place, seconds: float, size: int) -> dict[str, float]:
    """64 busy connections alone, then while a crowd of `size` idle and as many half-sent ones is
    connected to the bare loop, which has nothing to do, then with such a crowd of its own."""
    alone = loads.measure(BUSY, server, place, seconds)
    with (
        Server(next(peer for peer in PEERS if peer.name == "bare"), place.server_cpus) as bystander,
        crowd(bystander, place, "--idle", str(size)) as idle,
        crowd(bystander, place, "--half", str(size)) as half,
    ):
        beside = loads.sample(BUSY, server, place, seconds)
        half.leave()
        idle.leave()
    before = server.memory_bytes()
    with crowd(server, place, "--idle", str(size)) as idle:
        idle_bytes = (settled_memory(server) - before) / size
        before = server.memory_bytes()
        with crowd(server, place, "--half", str(size)) as half:
            half_bytes = (settled_memory(server) - before) / size
            among = loads.sample(BUSY, server, place, seconds)
            still_open = half.leave()
        still_open += idle.leave()
    return {
        "rate_alone": alone["rate"],
        "rate": among["rate"],
        "rate_ratio": among["rate"] / alone["rate"],
        "p99_alone_us": alone["p99_us"],
        "p99_beside_us": beside["p99_us"],
        "p99_us": among["p99_us"],
        "p99_ratio": among["p99_us"] / alone["p99_us"],
        "p99_beside_ratio": among["p99_us"] / beside["p99_us"],
        "idle_bytes": idle_bytes,
        "half_bytes": half_bytes,
        "open": still_open,
    }


def measure_file(server: Server, place: Place, seconds: float) -> dict[str, float]:
    """A file of 1 GiB again and again; the first time to see that all of it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=READY_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/1g.bin")
        answer = connection.getresponse()
        received = 0
        while piece := answer.read(1 << 20):
            received += len(piece)
        if (answer.status, received) != (200, files.LARGE_BYTES):
            raise ServerFailed(f"/1g.bin: {answer.status}, {received} octets")
    memory, cpu = server.memory_bytes(), server.cpu_seconds()
    # At least one whole file, or wrk says that nothing came.
    result = loads.put(FILE, server, place, max(seconds, 3.0))
    cpu_seconds = server.cpu_seconds() - cpu
    after = server.memory_bytes()
    return {
        "rate": result.received_bytes / result.seconds / loads.MIB,
        "cpu_us": cpu_seconds / (result.received_bytes / files.LARGE_BYTES) * 1e6,
        "memory_mib": after / loads.MIB,
        "growth_mib": (after - memory) / loads.MIB,
    }


def settled_memory(server: Server) -> int:
    """Resident memory once it has stopped growing: the last connections may not be in yet."""
    last, memory = -1, server.memory_bytes()
    while memory != last:
        time.sleep(0.3)
        last, memory = memory, server.memory_bytes()
    return memory


def measure_drip(server: Server, place: Place, seconds: float, size: int) -> dict[str, float]:
    """`GET /` on new connections while `size` clients send an octet a second each."""
    loads.check(server, BUSY, place)
    times = []
    with crowd(server, place, "--drip", str(size)) as dripping:
        time.sleep(min(1.0, seconds))
        cpu, begin = server.cpu_seconds(), time.perf_counter()
        while time.perf_counter() < begin + seconds:
            asked = time.perf_counter()
            try:
                server.ask("/")
            except (OSError, http.client.HTTPException) as error:
                raise ServerFailed(f"GET / while they drip: {error!r}") from error
            times.append((time.perf_counter() - asked) * 1e3)
            time.sleep(0.05)
        cpu_seconds = server.cpu_seconds() - cpu
        wall_seconds = time.perf_counter() - begin
        still_open = dripping.leave()
    return {
        "p50_ms": statistics.median(times),
        "worst_ms": max(times),
        "cpu_percent": cpu_seconds / wall_seconds * 100,
        "open": still_open,
    }


def measure_idle(server: Server, place: Place, seconds: float, size: int) -> dict[str, float]:
    """System calls and wake-ups a second without a connection, and with `size` silent ones."""
    # What happens once a second falls twice into a second and a half, and not once into half a one.
    seconds = math.ceil(seconds) if seconds > 1 else seconds
    loads.put(BUSY, server, place, min(loads.WARM_UP_SECONDS, seconds))
    time.sleep(min(SETTLE_SECONDS, seconds))
    calls, wake_ups = watch(server, seconds)
    with crowd(server, place, "--idle", str(size)):
        time.sleep(min(SETTLE_SECONDS, seconds))
        crowd_calls, crowd_wake_ups = watch(server, seconds)
    return {
        "calls": calls,
        "wake_ups": wake_ups,
        "crowd_calls": crowd_calls,
        "crowd_wake_ups": crowd_wake_ups,
    }


def watch(server: Server, seconds: float) -> tuple[float, float]:
    """System calls and wake-ups a second; the calls are NaN without strace.

    The wake-ups are counted first and apart, because strace itself wakes each thread.
    """
    wake_ups = server.wake_ups()
    time.sleep(seconds)
    wake_ups = server.wake_ups() - wake_ups
    if shutil.which("strace") is None:
        return float("nan"), wake_ups / seconds
    return system_calls(server.process_ids(), seconds) / seconds, wake_ups / seconds


def system_calls(pids: Sequence[int], seconds: float) -> int:
    """How many system calls the processes begin in that time, after strace has taken hold."""
    with tempfile.NamedTemporaryFile("r") as output:
        command = ["strace", "-f", "-qq", "-ttt", "-o", output.name]
        process = subprocess.Popen([*command, *(f"-p{pid}" for pid in pids)])
        time.sleep(min(1.0, seconds))
        begin = time.time()
        time.sleep(seconds)
        process.terminate()
        process.wait()
        # Each line: thread, time, call. A call that had begun before is not one of these.
        lines = [line.split(None, 2) for line in output]
    return sum(
        len(line) == 3
        and begin <= float(line[1]) < begin + seconds
        and not line[2].startswith(("<...", "---", "+++"))
        for line in lines
    )


def measure_lifecycle(place: Place, times: int) -> dict[str, float]:
    """Milliseconds that fastraw's start() and stop() take. Raises ServerFailed."""
    run = subprocess.run(
        [sys.executable, "lifecycle.py", str(times)],
        cwd=BENCH,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, place.server_cpus),
    )
    if run.returncode:
        raise ServerFailed((run.stderr.strip().splitlines() or ["no reason given"])[-1])
    found: dict[str, float] = json.loads(run.stdout)
    return found
