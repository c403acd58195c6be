"""Whether a thread that does not go on is held up by what it does, or waits for a processor.

The watchdog must not blame a handler whose thread the system has put aside: without the GIL there
may be more threads that want to run than processors.
"""

from __future__ import annotations

import threading
import time

# What a thread that had a processor has used of the time since the mark, at the least.
USED_SHARE = 0.5


class Progress:
    """Of the thread that makes it; marked and asked by another one."""

    __slots__ = ("_clock", "_marked_at", "_used_seconds", "_where")

    def __init__(self) -> None:
        # Not everywhere; without it, no thread is ever seen to wait for a processor.
        self._clock: int | None = None
        if hasattr(time, "pthread_getcpuclockid"):
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._where = f"/proc/self/task/{threading.get_native_id()}/stat"
        self._used_seconds = 0.0
        self._marked_at = 0.0

    def mark(self) -> None:
        """Count from here."""
        if self._clock is not None:
            self._used_seconds = time.clock_gettime(self._clock)
            self._marked_at = time.monotonic()

    def waits_for_processor(self) -> bool:
        """Whether the thread could run, and has hardly run since the mark."""
        if self._clock is None:
            return False
        used_seconds = time.clock_gettime(self._clock) - self._used_seconds
        if used_seconds >= USED_SHARE * (time.monotonic() - self._marked_at):
            return False
        try:
            with open(self._where, "rb") as stat:
                state = stat.read().rpartition(b") ")[
                    2
                ]  # behind the name, which may hold any octet
        except OSError:
            return False
        return state.startswith(b"R")
