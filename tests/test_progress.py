"""What engine/progress.py says of threads that block, that run, and that are put aside."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fastraw.engine.progress import Progress
from tests.waiting import eventually

BURN = """
import os
os.sched_setaffinity(0, {%d})
print("burning", flush=True)
while True:
    pass
"""


@contextmanager
def thread(what: Callable[[], object]) -> Iterator[Progress]:
    """A thread that does something, and then it is waited for."""
    made: list[Progress] = []
    ready = threading.Event()

    def run() -> None:
        made.append(Progress())
        ready.set()
        what()

    worker = threading.Thread(target=run)
    worker.start()
    try:
        assert ready.wait(10)
        yield made[0]
    finally:
        worker.join()


def test_a_thread_that_blocks_waits_for_no_processor() -> None:
    end = threading.Event()
    with thread(end.wait) as progress:
        try:
            # It may be on its way to the lock yet.
            assert eventually(lambda: not progress.waits_for_processor())
            progress.mark()
            assert not progress.waits_for_processor()
        finally:
            end.set()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="threads are put aside on Linux only")
def test_a_thread_that_is_put_aside_waits_for_a_processor() -> None:
    """It hashes, without the GIL, on a processor that somebody else has the better right to."""
    processor = min(os.sched_getaffinity(0))
    hashing = threading.Event()
    end = threading.Event()

    def hash_on() -> None:
        me = threading.get_native_id()
        os.sched_setaffinity(me, {processor})
        os.sched_setscheduler(me, os.SCHED_IDLE, os.sched_param(0))
        while not end.is_set():
            hashing.set()
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10_000)

    command = [sys.executable, "-c", BURN % processor]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as burner:
        try:
            assert burner.stdout is not None
            assert burner.stdout.readline()
            with thread(hash_on) as progress:
                try:
                    assert hashing.wait(10)
                    progress.mark()
                    assert eventually(progress.waits_for_processor)
                finally:
                    end.set()
                    burner.kill()
        finally:
            burner.kill()
