"""What a descriptor's events are for: something that one thread at a time owns.

A task is owned by whoever holds its lock. An event for a task that is owned is noted in
`stirred`. The owner looks there after it has let go:

    poller's thread:  acquire fails -> stirred = True -> acquire again, or leave
    owner:            release -> stirred? -> acquire again -> resume

Each side writes before it reads, so one of the two always sees the other, and the lock lets only
one of them go on: no event is lost and none is handled twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from .poller import READABLE, Poller

NEVER = float("inf")

Job = Any
"""What a task has to be run: the scheduler hands it on without a look."""


class Resumer(Protocol):
    """What a task needs of the scheduler."""

    poller: Poller
    stopping: bool

    def resume(self, task: Task) -> None:
        """Have `task.resume()` called by whoever polls. The caller gives the task's lock."""

    def forget(self, task: Task) -> None:
        """Report `task` no more."""

    def release(self, task: Task) -> None:
        """Report `task` no more; its descriptor lives on."""

    def add(self, task: Task) -> None:
        """Report `task` from now on."""


class Task:
    """A connection, or a listener. Where a method says that the caller gives the lock, it holds
    the lock before and owns nothing after."""

    __slots__ = ("after", "deadline", "fd", "lock", "scheduler", "stirred")

    def __init__(self, fd: int, scheduler: Resumer) -> None:
        self.fd = fd
        self.lock = threading.Lock()
        self.stirred = False
        self.deadline = NEVER
        self.scheduler = scheduler
        self.after: Callable[[], object] | None = None
        """What the job that has just returned an answer left to do, on the same thread."""

    @property
    def begun(self) -> bool:
        """Whether its job goes on with what a client has seen the beginning of."""
        return False

    def ready(self, mask: int) -> Any | None:
        """The descriptor is ready; a job when there is one to run. The caller gives the lock."""
        raise NotImplementedError

    def resume(self) -> Any | None:
        """Go on without an event; a job, as above. The caller gives the lock."""
        raise NotImplementedError

    def run(self, job: Any) -> bytes | None:
        """Run a job, on whatever thread. An answer, which the caller hands to `deliver` sooner or
        later; None when there is none, and then the caller has given the lock."""
        raise NotImplementedError

    def deliver(self, job: Any, answer: bytes) -> None:
        """Send the answer to a job, without waiting. The caller gives the lock."""
        raise NotImplementedError

    def queued(self, job: Any, now: float) -> None:
        """A job has to wait for a worker; told, whoever owns the task, before it waits."""

    def overload(self, job: Any) -> None:
        """Refuse a job that no worker had time for; must not block. The caller gives the lock."""
        raise NotImplementedError

    def expire(self) -> None:
        """The deadline has passed. The caller gives the lock."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the descriptor. The caller gives the lock, for ever."""
        raise NotImplementedError

    def let_go(self, mask: int = READABLE) -> None:
        """Give up the task until it is READABLE or WRITABLE as `mask` says."""
        scheduler = self.scheduler
        if scheduler.stopping:
            self.close()  # nobody would hear of it
            return
        if scheduler.poller.needs_rearm:
            scheduler.poller.rearm(self.fd, mask)
        self.put_back()

    def put_back(self) -> None:
        """Give up the task, which goes on waiting for what it waited for."""
        self.lock.release()
        if self.stirred:
            self.look_again()

    def nudge(self) -> None:
        """From any thread, owning nothing: have the task resumed, now or when its owner lets go."""
        self.stirred = True
        self.look_again()

    def look_again(self) -> None:
        """After letting go: something came meanwhile, so take the task up unless another did."""
        if self.lock.acquire(blocking=False):
            self.stirred = False
            self.scheduler.resume(self)
