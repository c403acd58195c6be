"""Runs wrk and reads what its script prints."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from peers import BENCH

INSTALL = "wrk is missing; on Debian and Ubuntu: apt-get install wrk"
TIMEOUT_SECONDS = 10
"""wrk counts an answer that takes longer as an error."""


class LoadFailed(Exception):
    """The load met errors; the text counts them."""


@dataclass(frozen=True)
class Result:
    """One run of wrk."""

    requests: int
    seconds: float
    received_bytes: int
    """Heads included, and what has come of an answer that is not complete."""
    p50_us: float
    p99_us: float


def available() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def run(
    url: str,
    connections: int,
    seconds: float,
    cpus: Sequence[int],
    script: str = "report",
    arguments: Sequence[str] = (),
    headers: Sequence[str] = (),
) -> Result:
    """Put a load on url. Raises LoadFailed for an error on a socket or a status of 400 or more."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s"]
    command += [f"--timeout={TIMEOUT_SECONDS}s", "-s", f"lua/{script}.lua"]
    for header in headers:
        command += ["-H", header]
    process = subprocess.Popen(
        [*command, url, "--", *arguments],
        cwd=BENCH,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )
    output = _output(process, seconds)
    last = (output.splitlines() or ["nothing"])[-1]
    if process.returncode != 0 or not last.startswith("{"):
        raise LoadFailed(f"wrk said: {last}")
    found = json.loads(last)
    kinds = ("connect", "read", "write", "status", "timeout")
    errors = [f"{found[kind]} {kind}" for kind in kinds if found[kind]]
    if errors:
        raise LoadFailed(f"errors: {', '.join(errors)}; {found['requests']} requests")
    if not found["requests"]:
        raise LoadFailed("no request was answered")
    return Result(
        found["requests"], found["seconds"], found["bytes"], found["p50_us"], found["p99_us"]
    )


def _output(process: subprocess.Popen[str], seconds: float) -> str:
    """All that wrk prints; it is stopped early when its whole seconds are too long."""
    try:
        whole = float(seconds).is_integer()
        return process.communicate(timeout=seconds + 30 if whole else seconds)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=30)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise LoadFailed("wrk did not end") from None
