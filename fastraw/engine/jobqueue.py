"""Jobs that wait for a worker: first come, first served, but what has begun goes first.

The scheduler calls these methods with its lock held; the length may be read at any time.
"""

from __future__ import annotations

from collections import deque

from .task import NEVER, Job, Task


class JobQueue:
    """Two queues, so that an answer which a client has seen the beginning of is never refused.

    Args:
        seconds: what a job that has not begun may wait; None for no end.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = NEVER if seconds is None else seconds
        self.new: deque[tuple[float, Task, Job]] = deque()
        """Jobs that have not begun, and until when they may wait."""
        self._begun: deque[tuple[Task, Job]] = deque()

    def __len__(self) -> int:
        return len(self.new) + len(self._begun)

    def put(self, task: Task, job: Job, now: float) -> None:
        """A job that no worker has time for."""
        if task.begun:
            self._begun.append((task, job))
        else:
            self.new.append((now + self._seconds, task, job))

    def take(self) -> tuple[Task, Job] | None:
        """The next job; None when there is none."""
        if self._begun:
            return self._begun.popleft()
        if self.new:
            _, task, job = self.new.popleft()
            return task, job
        return None

    def take_overdue(self, now: float) -> tuple[Task, Job] | None:
        """A job whose time is over; None when there is none."""
        if self.new and self.new[0][0] <= now:
            _, task, job = self.new.popleft()
            return task, job
        return None

    def timeout(self, now: float) -> float | None:
        """Seconds until a job's time is over; None for never."""
        try:
            until = self.new[0][0]
        except IndexError:
            return None
        return None if until == NEVER else max(0.0, until - now)

    def clear(self) -> list[Task]:
        """Take all out; their tasks."""
        tasks = [task for task, _ in self._begun] + [task for _, task, _ in self.new]
        self._begun.clear()
        self.new.clear()
        return tasks
