"""What embedders ask for: events to many clients, health checks under load, a quick import."""

from __future__ import annotations

import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import threading
import time

from loads import Place
from peers import BENCH
from process import Server, ServerFailed
from special import crowd, settled_memory

SUBSCRIBERS = 5000
CONTROL_ASKED = 50
BLOCK_SECONDS = 3


def measure_broadcast(server: Server, place: Place, seconds: float, size: int) -> dict[str, float]:
    """From `Broadcast.send` until the last of `size` subscribers has the event."""
    before = server.memory_bytes()
    times = []
    memory = 0
    for _ in range(max(1, round(seconds))):
        with crowd(server, place, "--events", str(size)) as subscribers:
            memory = settled_memory(server) - before
            begin = time.monotonic()
            _, _, reached = server.ask("/announce")
            if int(reached) != size:
                raise ServerFailed(f"{size} subscribers, but {reached.decode()} were told")
            times.append(subscribers.last_told() - begin)
    return {
        "reached_ms": statistics.median(times) * 1e3,
        "worst_ms": max(times) * 1e3,
        "subscriber_bytes": memory / size,
    }


def measure_control(server: Server, place: Place, seconds: float) -> dict[str, float]:
    """A route of the control lane, while every worker blocks and others wait."""
    del place, seconds
    path = f"/slow?ms={BLOCK_SECONDS * 1000}"

    def block() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.ask(path)

    blocked = [threading.Thread(target=block) for _ in range(16)]
    for thread in blocked:
        thread.start()
    time.sleep(0.5)  # until all are in: handlers, and the queue
    times = []
    for _ in range(CONTROL_ASKED):
        begin = time.perf_counter()
        status = server.ask("/health")[0]
        times.append((time.perf_counter() - begin) * 1e3)
        if status != 200:
            raise ServerFailed(f"/health: {status}")
    still_blocked = sum(thread.is_alive() for thread in blocked)
    for thread in blocked:
        thread.join()
    if still_blocked != len(blocked):
        raise ServerFailed("the workers did not block for as long as it took")
    return {"p50_ms": statistics.median(times), "worst_ms": max(times)}


def measure_import(rounds: int) -> dict[str, float]:
    """Milliseconds that importing takes, what an interpreter needs to start left out."""
    codes = {
        "nothing": "pass",
        "package_ms": "import fastraw",
        "server_ms": "from fastraw import FastServer",
        "http_server_ms": "import http.server",
    }
    # As installed: with the byte code in place.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=BENCH, env=environment, check=True)
            times[name].append((time.perf_counter() - begin) * 1e3)
    nothing = min(times.pop("nothing"))
    found = {name: min(values) - nothing for name, values in times.items()}
    return {
        **found,
        "package_ratio": found["package_ms"] / found["http_server_ms"],
        "server_ratio": found["server_ms"] / found["http_server_ms"],
    }
