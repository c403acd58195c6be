"""The tasks of a scheduler, and which of them are ready: by an event, or because they said so.

An event is reported to one of the permit holders that poll; so is a task of the ready queue, which
has been resumed and is owned by whoever takes it out.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any, Protocol

from .jobqueue import JobQueue
from .permit import CAN_LOOK, LOOK_SECONDS, OUTBOX_SECONDS, SHORT_SLEEP_SECONDS, Permit
from .poller import EVENTS_AT_ONCE, Poller
from .task import Task
from .tasks import Tasks


class Housekeeping(Protocol):
    """What happens as time goes by."""

    def tick(self, now: float) -> None:
        """Called after each poll."""

    def timeout(self, now: float) -> float | None:
        """Seconds until there is something to do; None for never."""


class Readiness:
    """What permit holders ask for something to do. See Scheduler for the arguments."""

    def __init__(
        self,
        poller: Poller,
        tasks: Tasks,
        housekeeping: Housekeeping,
        queue: JobQueue,
        permits: int,
    ) -> None:
        self.tasks = tasks
        self.poller = poller
        self.stopping = False
        self._housekeeping = housekeeping
        self._queue = queue
        self._permits = [Permit() for _ in range(permits)]
        self._ready: deque[Task] = deque()

    # What Scheduler adds.

    def _shed(self, now: float) -> None:
        """Refuse the queued jobs whose time is over."""
        raise NotImplementedError

    # From any thread.

    def resume(self, task: Task) -> None:
        """Have `task.resume()` called by a permit holder. The caller holds, and gives, its lock."""
        self._ready.append(task)
        if self.stopping:
            self._close_ready()
            return
        for permit in self._permits:
            if permit.sleeping:
                self.poller.wake()
                return

    def add(self, task: Task) -> None:
        """Report `task` from now on.

        The caller holds its lock: an event that was meant for the last owner of the descriptor
        may come before the poller knows of it.
        """
        self.tasks.add(task)
        self.poller.add(task.fd)

    def forget(self, task: Task) -> None:
        """Report `task` no more; called before its descriptor is closed."""
        self.tasks.remove(task)
        if self.poller.needs_rearm:
            self.poller.remove(task.fd)

    def release(self, task: Task) -> None:
        """Let the descriptor of `task` live on without us."""
        self.tasks.remove(task)
        self.poller.remove(task.fd)

    def wake(self) -> None:
        """Have a permit holder look at the time, and so at the housekeeping."""
        self.poller.wake()

    # For who owns a permit.

    def _poll(self, permit: Permit) -> list[tuple[Any, int]]:
        """What is ready: (descriptor, mask) of events, (task, 0) of the ready queue."""
        ready = self._ready
        events: list[tuple[Any, int]] = []
        if ready or permit.looks:
            events = self.poller.poll(0, EVENTS_AT_ONCE)
        if not events and not ready:
            events = self._wait(permit)
        now = monotonic()
        permit.due = now + OUTBOX_SECONDS
        self._housekeeping.tick(now)
        if self._queue.new:
            self._shed(now)
        for _ in range(len(ready)):
            try:
                events.append((ready.popleft(), 0))
            except IndexError:
                break  # another holder took it
        return events

    def _wait(self, permit: Permit) -> list[tuple[int, int]]:
        """Look for a moment if that has been worth it lately, then sleep."""
        now = monotonic()
        if permit.looks:
            enough = now + LOOK_SECONDS
            while now < enough:
                events = self.poller.poll(0, EVENTS_AT_ONCE)
                if events or self._ready:
                    permit.looked(found=True)
                    return events
                now = monotonic()
            permit.looked(found=False)
        # First say that we sleep, then look whether there is reason not to: `resume` and the
        # scheduler's `stop` do it the other way round.
        permit.sleeping = True
        timeout = self._housekeeping.timeout(now)
        overdue = self._queue.timeout(now)
        if overdue is not None:
            timeout = overdue if timeout is None else min(timeout, overdue)
        if self._ready or self.stopping:
            timeout = 0
        events = self.poller.poll(timeout, EVENTS_AT_ONCE)
        permit.sleeping = False
        if CAN_LOOK and not permit.looks:
            permit.slept(short=bool(events) and monotonic() - now < SHORT_SLEEP_SECONDS)
        return events

    def _leave_events(self, permit: Permit) -> None:
        """Put what is left of the ready queue's part of a batch back; the rest are hints."""
        self._ready.extend(task for task, mask in permit.events if not mask)

    def _close_ready(self) -> None:
        try:
            while True:
                self._ready.popleft().close()
        except IndexError:
            pass
