"""The sweep and the coarse clock, with times that the test chooses."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

from fastraw import Timeouts
from fastraw.engine.deadlines import RESOLUTION_SECONDS, SLICE_TASKS, SWEEP_SECONDS, Deadlines
from fastraw.engine.task import NEVER, Task

START = 1000.0


class Waiting(Task):
    """A task that has a deadline, and notes what happens to it."""

    def __init__(self, fd: int, deadline: float) -> None:
        unused: Any = None
        super().__init__(fd, unused)
        self.deadline = deadline
        self.expired = 0
        self.kept = 0

    def expire(self) -> None:
        self.expired += 1
        self.deadline = NEVER
        self.lock.release()

    def put_back(self) -> None:
        self.kept += 1
        self.lock.release()


def made(*tasks: Task, timeouts: Timeouts = Timeouts()) -> Deadlines:
    """Deadlines that begin at START, whatever the clock says."""
    deadlines = Deadlines(timeouts, [])
    deadlines._tasks = list(tasks)
    deadlines._next_tick = deadlines._next_sweep = 0.0
    deadlines.tick(START)
    return deadlines


def test_deadlines_count_from_the_tick() -> None:
    timeouts = Timeouts(head_seconds=3, body_seconds=4, write_seconds=None, idle_seconds=0.5)
    deadlines = made(timeouts=timeouts)
    assert deadlines.now == START
    assert (deadlines.head, deadlines.body, deadlines.idle) == (START + 3, START + 4, START + 0.5)
    assert deadlines.write == NEVER
    assert deadlines.date.startswith(b"Date: ")


def test_ticks_within_the_resolution_change_nothing() -> None:
    deadlines = made()
    deadlines.tick(START + RESOLUTION_SECONDS / 2)
    assert deadlines.now == START
    deadlines.tick(START + RESOLUTION_SECONDS)
    assert deadlines.now == START + RESOLUTION_SECONDS


def test_the_sweep_expires_what_is_due() -> None:
    due, later, never = Waiting(1, START + 0.5), Waiting(2, START + 5), Waiting(3, NEVER)
    deadlines = made(due, later, never)
    deadlines.tick(START + 0.9)
    assert not due.expired  # between two sweeps nothing is looked at
    deadlines.tick(START + SWEEP_SECONDS)
    assert (due.expired, later.expired, never.expired) == (1, 0, 0)
    deadlines.tick(START + 2 * SWEEP_SECONDS)
    assert due.expired == 1


def test_a_task_that_is_owned_is_left_alone() -> None:
    task = Waiting(1, START)
    deadlines = made()
    deadlines._tasks = [task]
    task.lock.acquire()
    deadlines.tick(START + SWEEP_SECONDS)
    assert not task.expired
    task.lock.release()
    deadlines.tick(START + 2 * SWEEP_SECONDS)
    assert task.expired == 1


def test_a_deadline_that_moves_before_the_lock_is_had_is_kept() -> None:
    """The owner let go, with a new deadline, between the sweep's two looks."""

    class Moving(Waiting):
        reads = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "deadline":
                self.reads += 1
                return NEVER if self.reads > 1 else START
            return super().__getattribute__(name)

    task = Moving(1, START)
    task.reads = 0
    made(task)
    assert (task.expired, task.kept) == (0, 1)
    assert not task.lock.locked()


def test_no_timeout_without_connections() -> None:
    deadlines = made()
    assert deadlines.timeout(START, 0) is None
    assert deadlines.timeout(START, 1) == SWEEP_SECONDS
    assert deadlines.timeout(START + 5, 1) == 0.0


def test_an_earlier_sweep_can_be_asked_for() -> None:
    task = Waiting(1, monotonic())
    deadlines = made(task)
    deadlines._next_sweep = NEVER
    deadlines.ask(0.0)
    now = monotonic()
    assert deadlines.timeout(now, 0) == 0.0
    deadlines.tick(now)
    assert task.expired == 1
    assert deadlines.timeout(now, 0) is None


def test_what_is_asked_for_during_a_sweep_is_not_lost() -> None:
    """A listener pauses on one thread while another one sweeps."""

    class Asking(Waiting):
        def expire(self) -> None:
            super().expire()
            deadlines.ask(60.0)

    task = Asking(1, START)
    deadlines = made()
    deadlines._tasks = [task]
    deadlines.ask(0.0)
    deadlines.tick(monotonic())
    assert task.expired == 1
    left = deadlines.timeout(monotonic(), 0)
    assert left is not None
    assert 0 < left <= 60


def test_a_sweep_of_many_is_cut_up() -> None:
    """What is ready is answered between two slices; the next sweep counts from the first one."""
    due = [Waiting(fd, START + 0.5) for fd in range(2 * SLICE_TASKS + 1)]
    deadlines = made()
    deadlines._tasks = list(due)
    now = START + SWEEP_SECONDS
    for expired in (SLICE_TASKS, 2 * SLICE_TASKS, len(due)):
        # As is the case with a holder that finds nothing to do: it goes on at once.
        assert deadlines.timeout(now, len(due)) == 0.0
        deadlines.tick(now)
        assert sum(task.expired for task in due) == expired
    assert deadlines.timeout(now, len(due)) == SWEEP_SECONDS
    assert deadlines.timeout(now, 0) is None


def test_what_is_asked_for_during_a_sweep_has_a_sweep_of_its_own() -> None:
    """The sweep under way may have been past the task that asks."""
    task = Waiting(SLICE_TASKS, NEVER)
    deadlines = made()
    deadlines._tasks = [*(Waiting(fd, NEVER) for fd in range(SLICE_TASKS)), task]
    deadlines._next_sweep = NEVER
    deadlines.ask(0.0)
    now = monotonic()
    deadlines.tick(now)
    assert deadlines._left
    task.deadline = now
    deadlines.ask(0.0)
    now = monotonic()
    deadlines.tick(now)
    assert not task.expired
    assert deadlines.timeout(now, 0) == 0.0
    deadlines.tick(now)
    assert task.expired == 1


def test_one_thread_sweeps_at_a_time() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Blocking(Waiting):
        def expire(self) -> None:
            super().expire()
            inside.set()
            assert go_on.wait(10)

    first, second = Blocking(1, START), Waiting(2, START)
    deadlines = made()
    deadlines._tasks = [first, second]
    sweeper = threading.Thread(target=deadlines.tick, args=(START + SWEEP_SECONDS,))
    sweeper.start()
    assert inside.wait(10)
    deadlines.tick(START + 5 * SWEEP_SECONDS)
    assert not second.expired
    go_on.set()
    sweeper.join()
    assert second.expired == 1
