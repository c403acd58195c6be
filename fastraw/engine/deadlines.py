"""What happens when a phase takes too long.

Each connection has one `deadline`, set when a phase begins and not moved while it lasts. A sweep
once a second lets those whose time is over `expire`; what that means is the connection's affair.
A request pays one store: the deadlines of phases that begin now are made once every
RESOLUTION_SECONDS and shared by all connections.

1. A sweep looks at every task that there is when it begins, SLICE_TASKS at a tick: what is ready
   is answered between two slices, however many connections there are.
2. While a sweep is under way, `timeout` is 0: it waits for no event to go on.
3. One thread sweeps at a time. Another one that finds it at work leaves it alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from time import monotonic, time

from ..encode import date_field
from ..limits import Timeouts
from .task import NEVER, Task

SWEEP_SECONDS = 1.0
# Some 50 us: less than the answers to a batch of events take.
SLICE_TASKS = 1024
RESOLUTION_SECONDS = 0.1
# RFC 9112 section 9.6: how long a closing connection goes on reading, so that no reset overtakes
# the answer. About a round trip would do; a second is generous.
LINGER_SECONDS = 1.0


class Deadlines:
    """A coarse clock, the deadlines counted from it, and the sweep.

    Attributes:
        date: the Date field line of this second.
        date_and_end: the same, and the empty line that ends a head.
        handshake, head, body, write, idle, linger: the deadline of such a phase beginning now.
    """

    __slots__ = (
        "_asked", "_left", "_next_sweep", "_next_tick", "_sweeping", "_tasks", "_timeouts",
        "body", "date", "date_and_end", "handshake", "head", "idle", "linger", "now", "write",
    )  # fmt: skip

    def __init__(self, timeouts: Timeouts, tasks: Iterable[Task]) -> None:
        self._timeouts = timeouts
        self._tasks = tasks
        # Each is taken out by itself, so that none is lost that is asked for during a sweep.
        self._asked: list[float] = []
        # What the sweep under way has yet to look at.
        self._left: list[Task] = []
        self._sweeping = threading.Lock()
        self._next_tick = self._next_sweep = 0.0
        self.tick(monotonic())

    def tick(self, now: float) -> None:
        """Take note of the time; sweep when it is time to."""
        if now >= self._next_tick:
            self._next_tick = now + RESOLUTION_SECONDS
            self.now = now
            timeouts = self._timeouts
            self.handshake = now + (timeouts.handshake_seconds or NEVER)
            self.head = now + (timeouts.head_seconds or NEVER)
            self.body = now + (timeouts.body_seconds or NEVER)
            self.write = now + (timeouts.write_seconds or NEVER)
            self.idle = now + (timeouts.idle_seconds or NEVER)
            self.linger = now + LINGER_SECONDS
            self.date = date_field(time())
            self.date_and_end = self.date + b"\r\n"
        asked = self._asked and now >= min(self._asked, default=NEVER)
        if asked or self._left or now >= self._next_sweep:
            self._sweep(now)

    def ask(self, seconds: float) -> None:
        """Have the next sweep come in `seconds` at the latest."""
        self._asked.append(monotonic() + seconds)

    def timeout(self, now: float, connections: int) -> float | None:
        """Seconds until the next slice of a sweep; None when there is nothing to sweep."""
        if self._left:
            return 0.0
        until = min(self._asked, default=NEVER)
        if connections:
            until = min(until, self._next_sweep)
        return None if until == NEVER else max(0.0, until - now)

    def _sweep(self, now: float) -> None:
        """Go on with the sweep under way, or begin one."""
        if not self._sweeping.acquire(blocking=False):
            return  # another holder is at it
        try:
            if not self._left:
                self._next_sweep = now + SWEEP_SECONDS
                for asked in list(self._asked):
                    if asked <= now:
                        self._asked.remove(asked)
                self._left = list(self._tasks)
            some = self._left[-SLICE_TASKS:]
            del self._left[-SLICE_TASKS:]
            for task in some:
                # A task whose lock is taken is at work; its owner sets the next deadline.
                if task.deadline <= now and task.lock.acquire(blocking=False):
                    if task.deadline <= now:
                        task.expire()
                    else:
                        task.put_back()
        finally:
            self._sweeping.release()
