"""Permits, and the workers that hold them one after the other.

What a permit's holders share lies in the permit, not on a stack, so that whoever has it goes on
where the last one stopped. Only its owner may touch it (scheduler.py, invariants 1 and 2).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from .progress import Progress
from .task import Job, Task

# What an answer may wait for, so that those of several jobs are sent together: most of what there
# is to gain by that, and less than what the watchdog lets a job hold everybody up.
OUTBOX_ANSWERS = 32
OUTBOX_SECONDS = 1e-3

# Waking a sleeping core costs more than to look this long whether something comes at once.
LOOK_SECONDS = 50e-6
# A sleep as short as this, waking included, is one that looking would have saved.
SHORT_SLEEP_SECONDS = 100e-6
# Looks in vain, one after the other, before a holder stops looking.
VAIN_LOOKS = 4
# Short sleeps in a row before it starts again; from one to this many, doubled each time it stops.
MAX_SHORT_SLEEPS = 64

CAN_LOOK = (os.cpu_count() or 1) > 1
FAULT = "A fault in fastraw's engine"

_log = logging.getLogger("fastraw.error")


class Permit:
    """The right to poll, with what its holders share.

    Attributes:
        events: what is left of the last poll.
        outbox: answers to jobs, not sent yet.
        due: when what is in the outbox is to be sent at the latest.
        served: jobs run inline. Counted here and added up when read: nothing hot is shared.
        holder: whose it is; None while it changes hands.
        busy: whether there are events that the holder has not done with.
        sleeping: whether the holder may be asleep in a poll.
        looks: whether a holder looks for a moment before it sleeps.
    """

    __slots__ = (
        "_short_sleeps", "_vain", "_wanted", "busy", "due", "events", "holder", "looks", "outbox",
        "served", "sleeping",
    )  # fmt: skip

    def __init__(self) -> None:
        self.events: Iterator[tuple[Any, int]] = iter(())
        self.outbox: list[tuple[Task, Job, bytes]] = []
        self.due = 0.0
        self.served = 0
        self.holder: Worker | None = None
        self.busy = False
        self.sleeping = False
        self.looks = False
        self._vain = 0
        self._short_sleeps = 0
        self._wanted = 1

    def call(self) -> object | None:
        """The job that the holder runs inline at this moment."""
        holder = self.holder
        try:
            return None if holder is None else holder.lent[0]
        except IndexError:
            return None

    def mark(self) -> None:
        """Count what the holder gets of a processor from here."""
        holder = self.holder
        progress = None if holder is None else holder.progress
        if progress is not None:
            progress.mark()

    def waits_for_processor(self) -> bool:
        """Whether the holder has hardly run since the mark, through no fault of its job."""
        holder = self.holder
        progress = None if holder is None else holder.progress
        return progress is not None and progress.waits_for_processor()

    def deliver(self) -> None:
        """Send what is in the outbox."""
        outbox = self.outbox
        self.served += len(outbox)
        for task, job, answer in outbox:
            try:
                task.deliver(job, answer)
            except BaseException:
                _log.exception(FAULT)
                task.close()
        outbox.clear()
        self.due = monotonic() + OUTBOX_SECONDS

    def looked(self, found: bool) -> None:
        """A holder has looked: stop it when that is in vain too often."""
        if found:
            self._vain = 0
            self._wanted = 1
            return
        self._vain += 1
        if self._vain >= VAIN_LOOKS:
            self.looks = False
            self._short_sleeps = 0
            self._wanted = min(2 * self._wanted, MAX_SHORT_SLEEPS)

    def slept(self, short: bool) -> None:
        """A holder that does not look has slept: let it look when that would have found more."""
        self._short_sleeps = self._short_sleeps + 1 if short else 0
        if self._short_sleeps >= self._wanted:
            self.looks = True
            self._vain = 0


class Worker:
    """A thread of the pool.

    Attributes:
        lent: the job that it runs inline, for as long as the permit is lent to that; or nothing.
        permit: what it is to hold when `wake` is released.
        apart: jobs run apart from a permit.
    """

    __slots__ = ("apart", "lent", "permit", "progress", "thread_id", "wake")

    def __init__(self) -> None:
        # Not a list, which would ask for memory and give it back with every job.
        self.lent: deque[Job] = deque()
        self.permit: Permit | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.thread_id = 0
        self.progress: Progress | None = None
        self.apart = 0


def permit_count() -> int:
    """One under the GIL, one for each CPU that we may use without it."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def answer_apart(task: Task, job: Job, answer: bytes | None) -> None:
    """Send the answer to a job that did not end as a permit holder's, and do what is left."""
    if answer is None:
        return
    after, task.after = task.after, None
    try:
        task.deliver(job, answer)
    except BaseException:
        _log.exception(FAULT)
        task.close()
    if after is not None:
        call_after(after)


def call_after(after: Callable[[], object]) -> None:
    """Do what a job has left to do. Its task may be at the next job already."""
    try:
        after()
    except BaseException:
        _log.exception(FAULT)
