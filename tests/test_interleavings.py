"""The steps between which another thread may come, each forced: engine/scheduler.py and task.py.

No thread runs here. What the other one would do is done at the very step where it hurts most:
inside the lock's acquire or release, or where a flag is set or read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from fastraw import FastServer
from fastraw.engine import permit as permit_module
from fastraw.engine import pool, readiness
from fastraw.engine import scheduler as scheduler_module
from fastraw.engine.jobqueue import JobQueue
from fastraw.engine.permit import OUTBOX_ANSWERS, OUTBOX_SECONDS, Permit, Worker
from fastraw.engine.poller import READABLE
from fastraw.engine.scheduler import Scheduler
from fastraw.engine.task import Task
from fastraw.engine.tasks import Tasks
from fastraw.testing import RawClient

Step = Callable[[], object]


def nothing() -> None: ...


class Script:
    """A poller that gives one batch of events for each poll, and then stops the scheduler; and
    the housekeeping, which has a step of its own."""

    needs_rearm = False

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, int]]] = []
        self.timeouts: list[float | None] = []
        self.at_tick: Step = nothing
        self.scheduler: Scheduler

    def poll(self, timeout: float | None = None, maxevents: int = 0) -> list[tuple[int, int]]:
        self.timeouts.append(timeout)
        if not self.batches:
            self.scheduler.stopping = True
            return []
        return self.batches.pop(0)

    def tick(self, now: float) -> None:
        self.at_tick()

    def timeout(self, now: float) -> float | None:
        return None

    def add(self, fd: int) -> None: ...
    def remove(self, fd: int) -> None: ...
    def rearm(self, fd: int, mask: int) -> None: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setattr(pool, "permit_count", lambda: 1)
    script = Script()
    script.scheduler = Scheduler(
        script,
        Tasks(),
        route=lambda job: "route",
        control=lambda job: False,
        housekeeping=script,
        workers=1,
        queue_seconds=None,
    )
    return script


class Noted(Task):
    """A task that notes what is asked of it. `job` is what it has to run, if anything."""

    def __init__(self, scheduler: Scheduler, fd: int = 5, job: Any = None) -> None:
        super().__init__(fd, scheduler)
        self.noted: list[str] = []
        self.job = job

    def ready(self, mask: int) -> Any:
        self.noted.append("ready")
        return self.job

    def resume(self) -> Any:
        self.noted.append("resumed")
        return self.job

    def run(self, job: Any) -> bytes | None:
        self.noted.append("run")
        return None

    def overload(self, job: Any) -> None:
        self.noted.append("refused")

    def close(self) -> None:
        self.noted.append("closed")


class Begun(Noted):
    """One whose client has seen the beginning of its answer."""

    begun = True  # type: ignore[assignment]


class Lock:
    """A lock with a step before each release, and after each attempt that fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.takes = 0
        self.failures = 0
        self.before_release: Step = nothing
        self.after_failure: Callable[[int], object] = lambda failures: None

    def acquire(self, blocking: bool = True) -> bool:
        if self._lock.acquire(blocking=False):
            self.takes += 1
            return True
        assert not blocking, "nobody could release it"
        self.failures += 1
        self.after_failure(self.failures)
        return False

    def release(self) -> None:
        self.before_release()
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def hold(script: Script) -> bool:
    """Have a worker hold the permit until the script is over."""
    scheduler = script.scheduler
    worker = scheduler._idle.pop()
    permit = scheduler._permits[0]
    permit.holder = worker
    return scheduler._hold(worker, permit)


# Invariant 8, the poller's thread: note the event, then try again.


@pytest.mark.parametrize("failures", [1, 2])
def test_an_owner_that_lets_go_between_the_pollers_steps(script: Script, failures: int) -> None:
    """After each of the two attempts: one of the two threads has the event, and only one."""
    scheduler = script.scheduler
    task = Noted(scheduler)
    lock: Any = Lock()
    task.lock = lock
    lock.acquire()
    lock.after_failure = lambda count: count == failures and task.let_go()
    scheduler.tasks.add(task)
    script.batches = [[(task.fd, READABLE)], []]
    assert hold(script) is False
    assert task.noted == (["ready"] if failures == 1 else ["resumed"])


def test_an_owner_that_does_not_let_go_finds_the_event_later(script: Script) -> None:
    task = Noted(script.scheduler)
    task.lock.acquire()
    script.scheduler.tasks.add(task)
    script.batches = [[(task.fd, READABLE)]]
    hold(script)
    assert task.noted == []
    assert task.stirred


def test_an_event_that_belongs_to_no_task_is_passed_over(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The poller's own descriptor, which may be beyond those of all tasks, and one just closed."""
    task, gone = Noted(script.scheduler), Noted(script.scheduler, fd=4)
    script.scheduler.tasks.add(task)
    script.scheduler.tasks.add(gone)
    script.scheduler.tasks.remove(gone)
    script.batches = [[(99, READABLE), (gone.fd, READABLE), (task.fd, READABLE)]]
    hold(script)
    assert (gone.noted, task.noted) == ([], ["ready"])
    assert not caplog.records


# Invariant 8, the owner: release, then look.


class Passing:
    """A scheduler that only notes which task is resumed."""

    stopping = False

    def __init__(self) -> None:
        self.poller = Script()
        self.resumed: list[Task] = []
        self.at_resume: Step = nothing

    def resume(self, task: Task) -> None:
        self.resumed.append(task)
        self.at_resume()


def owned() -> tuple[Noted, Any, Passing]:
    passing: Any = Passing()
    task = Noted(passing)
    lock: Any = Lock()
    task.lock = lock
    lock.acquire()
    return task, lock, passing


def test_an_event_just_before_the_release_is_found() -> None:
    task, lock, passing = owned()

    def event() -> None:
        lock.before_release = nothing
        assert not lock.acquire(False)
        task.stirred = True
        assert not lock.acquire(False)

    lock.before_release = event
    task.let_go()
    assert passing.resumed == [task]
    assert not task.stirred


def test_a_task_that_another_thread_has_taken_meanwhile_is_left_to_it() -> None:
    task, lock, passing = owned()
    task.stirred = True
    lock.release()
    assert lock.acquire(False)  # the other thread, which will let go in its turn
    task.look_again()
    assert passing.resumed == []
    assert task.stirred


def test_an_event_after_the_resume_is_not_taken_for_the_old_one() -> None:
    """Once resumed, the task may be at work on another thread, and stirred anew."""
    task, _, passing = owned()
    task.stirred = True
    passing.at_resume = lambda: setattr(task, "stirred", True)
    task.let_go()
    assert passing.resumed == [task]
    assert task.stirred


def test_nothing_is_resumed_without_an_event() -> None:
    task, lock, passing = owned()
    task.let_go()
    assert passing.resumed == []
    assert not lock.locked()


def test_a_nudge_is_an_event() -> None:
    task, lock, passing = owned()
    task.nudge()
    assert passing.resumed == []
    task.let_go()
    assert passing.resumed == [task]
    lock.release()
    task.nudge()
    assert passing.resumed == [task, task]


# Invariant 6: no gap between looking and acting on it.


class WatchedQueue(JobQueue):
    """Notes at which take of the lock it was looked at in vain, and added to."""

    def __init__(self, lock: Lock) -> None:
        super().__init__(None)
        self.lock = lock
        self.looks: list[int] = []
        self.appends: list[int] = []

    def take(self) -> tuple[Task, Any] | None:
        self.looks.append(self.lock.takes if self.lock.locked() else -1)
        return super().take()

    def put(self, task: Task, job: Any, now: float) -> None:
        self.appends.append(self.lock.takes if self.lock.locked() else -1)
        super().put(task, job, now)


class WatchedWorkers(deque[Any]):
    """The same for the idle workers."""

    def __init__(self, lock: Lock) -> None:
        super().__init__()
        self.lock = lock
        self.looks: list[int] = []
        self.appends: list[int] = []

    def __bool__(self) -> bool:
        self.looks.append(self.lock.takes if self.lock.locked() else -1)
        return len(self) > 0

    def append(self, item: Any) -> None:
        self.appends.append(self.lock.takes if self.lock.locked() else -1)
        super().append(item)


def watch(script: Script) -> tuple[Any, Any]:
    scheduler: Any = script.scheduler
    lock = scheduler._lock = Lock()
    workers = list(scheduler._idle)
    scheduler._queue = WatchedQueue(lock)
    scheduler._idle = WatchedWorkers(lock)
    scheduler._idle.extend(workers)
    return scheduler._queue, scheduler._idle


def test_a_worker_is_idle_only_while_the_queue_is_still_empty(script: Script) -> None:
    queue, idle = watch(script)
    worker = idle.pop()
    script.scheduler._apart = 1
    script.scheduler._come_back(worker)
    assert worker in idle
    assert queue.looks[-1] == idle.appends[-1] > 0


def test_a_job_is_queued_only_while_no_worker_is_free(script: Script) -> None:
    queue, idle = watch(script)
    scheduler = script.scheduler
    worker = idle.pop()
    idle.clear()
    task = Noted(scheduler)
    assert not scheduler._dispatch(worker, scheduler._permits[0], task, "job")
    assert idle.looks[-1] == queue.appends[-1] > 0
    assert task.noted == []


# Sleeping: say so, then look.


def test_what_becomes_ready_just_before_the_sleep_is_seen(script: Script) -> None:
    """Who resumes it still sees the holder awake, and does not wake it."""
    scheduler = script.scheduler
    task = Noted(scheduler)
    task.lock.acquire()

    class Drowsy(Permit):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "sleeping" and value and not task.noted:
                scheduler.resume(task)
            super().__setattr__(name, value)

    scheduler._permits[0] = Drowsy()
    script.batches = [[]]
    hold(script)
    assert script.timeouts[0] == 0
    assert task.noted == ["resumed"]


def test_a_holder_is_busy_before_it_looks_whether_the_watchdog_sleeps(script: Script) -> None:
    scheduler: Any = script.scheduler
    permit = scheduler._permits[0]
    seen: list[Any] = []

    class Dog:
        @property
        def asleep(self) -> bool:
            seen.append(permit.busy)
            return True

        def rouse(self) -> None:
            seen.append("roused")

    class Shown(Noted):
        def run(self, job: Any) -> None:
            seen.append((permit.busy, permit.call()))

    poll = script.poll

    def noted_poll(*arguments: Any) -> list[tuple[int, int]]:
        seen.append(("poll", permit.busy))
        return poll(*arguments)

    scheduler._watchdog = Dog()
    script.poll = noted_poll  # type: ignore[method-assign]
    scheduler.tasks.add(Shown(scheduler, job="job"))
    script.batches = [[(5, READABLE)], []]
    hold(script)
    assert seen[:5] == [("poll", False), True, "roused", (True, "job"), ("poll", False)]
    assert set(seen[5:]) == {("poll", False)}


# Invariant 2, both orders.


def test_what_is_taken_back_is_the_permit_of_the_call_that_is_interrupted(script: Script) -> None:
    """The watchdog looks at a permit; its holder gives that up and runs a job for another one."""
    scheduler = script.scheduler
    scheduler._permits.append(Permit())
    first, second = scheduler._permits
    worker = scheduler._idle.pop()
    given: list[Permit] = []
    scheduler._give = lambda heir, permit: given.append(permit)  # type: ignore[method-assign]
    first.holder = worker

    def control(job: Any) -> bool:
        first.holder, second.holder = None, worker
        worker.lent.append("another job")
        return False

    scheduler._control = control
    scheduler._retake(first, "job")
    assert given == [second]


@pytest.mark.parametrize("first", ["holder", "watchdog"])
def test_one_of_the_two_gets_the_permit(script: Script, first: str) -> None:
    scheduler = script.scheduler
    permit = scheduler._permits[0]
    heirs: list[Worker] = []
    scheduler._give = lambda heir, permit: heirs.append(heir)  # type: ignore[method-assign]

    class Slow(Noted):
        def run(self, job: Any) -> bytes | None:
            super().run(job)
            if first == "watchdog":
                scheduler._retake(permit, job)
            return None

    task = Slow(scheduler, job="job")
    scheduler.tasks.add(task)
    script.batches = [[(5, READABLE)], [(5, READABLE)]]
    given_up = hold(script)
    if first == "holder":
        scheduler._retake(permit, "job")
    assert given_up is (first == "watchdog")
    assert len(heirs) == (first == "watchdog")


@pytest.mark.parametrize("retaken", [False, True])
def test_a_fault_of_an_inline_job_leaves_nothing_lent(
    script: Script, retaken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = script.scheduler
    worker, permit = scheduler._idle[-1], scheduler._permits[0]
    scheduler._give = lambda heir, permit: None  # type: ignore[method-assign]

    class Faulty(Noted):
        def run(self, job: Any) -> None:
            if retaken:
                scheduler._retake(permit, job)
            raise RuntimeError("a fault")

    task = Faulty(scheduler, job="job")
    scheduler.tasks.add(task)
    script.batches = [[(5, READABLE)]]
    assert hold(script) is retaken
    assert not worker.lent
    assert task.noted == ["ready", "closed"]
    assert "RuntimeError: a fault" in caplog.text


# Invariant 4: what has begun goes first.


def test_an_answer_that_has_begun_goes_before_new_ones(script: Script) -> None:
    scheduler = script.scheduler

    new, begun = Noted(scheduler), Begun(scheduler)
    order: list[Task] = []
    scheduler._run_apart = (  # type: ignore[method-assign]
        lambda worker, task, job: order.append(task)
    )
    worker = scheduler._idle.pop()
    scheduler._apart = scheduler.workers
    for task in (new, begun):
        scheduler._dispatch(worker, scheduler._permits[0], task, "job")
    assert scheduler.queued() == 2
    scheduler._shed(float("inf"))
    assert (new.noted, begun.noted) == (["refused"], [])
    scheduler._dispatch(worker, scheduler._permits[0], new, "job")
    scheduler._come_back(worker)
    assert order == [begun, new]


# Invariant 9: nothing is left when the scheduler stops.


def test_stop_closes_what_waits(script: Script) -> None:
    scheduler = script.scheduler
    tasks = [Noted(scheduler), Begun(scheduler), Noted(scheduler)]
    scheduler._queue.put(tasks[0], "job", 0.0)
    scheduler._queue.put(tasks[1], "job", 0.0)
    scheduler._ready.append(tasks[2])
    scheduler.stop(wait=True)
    assert [task.noted for task in tasks] == [["closed"]] * 3
    assert scheduler.queued() == 0


def test_stop_closes_what_is_left_of_the_batch_of_a_job_that_still_runs(script: Script) -> None:
    scheduler = script.scheduler
    resumed, evented = Noted(scheduler), Noted(scheduler, fd=6)

    class Stopping(Noted):
        def run(self, job: Any) -> bytes | None:
            super().run(job)
            scheduler.stop(wait=False)
            assert resumed.noted == ["closed"]
            assert scheduler.running() == 1
            assert scheduler._permits[0].holder is None
            return None

    first = Stopping(scheduler, job="job")
    scheduler.tasks.add(evented)
    scheduler._permits[0].events = iter([(first, 0), (resumed, 0), (6, READABLE)])
    assert hold(script) is True  # the permit is gone
    assert first.noted == ["resumed", "run"]
    assert resumed.noted == ["closed"]
    assert evented.noted == []  # an event is a hint, and its task is nobody's


def test_a_holder_that_stops_closes_what_it_has_just_polled(script: Script) -> None:
    scheduler = script.scheduler
    task = Noted(scheduler)
    scheduler._ready.append(task)
    script.batches = [[]]
    script.at_tick = lambda: setattr(scheduler, "stopping", True)
    assert hold(script) is False
    assert task.noted == ["closed"]


def test_what_is_resumed_after_the_stop_is_closed(script: Script) -> None:
    task = Noted(script.scheduler)
    script.scheduler.stop(wait=True)
    script.scheduler.resume(task)
    assert task.noted == ["closed"]


def test_what_is_let_go_after_the_stop_is_closed(script: Script) -> None:
    task = Noted(script.scheduler)
    task.lock.acquire()
    script.scheduler.stop(wait=True)
    task.let_go()
    assert task.noted == ["closed"]
    assert task.lock.locked()


def test_what_is_dispatched_after_the_stop_is_closed(script: Script) -> None:
    scheduler = script.scheduler
    worker = scheduler._idle.pop()
    task = Noted(scheduler)
    scheduler.stop(wait=True)
    assert not scheduler._dispatch(worker, scheduler._permits[0], task, "job")
    assert task.noted == ["closed"]
    assert scheduler.queued() == 0


# A descriptor's new owner.


def test_an_event_for_the_last_owner_finds_the_new_one_locked(script: Script) -> None:
    """It may come before the poller knows of the descriptor, whose owner is then left alone."""
    scheduler = script.scheduler
    task = Noted(scheduler)
    task.lock.acquire()
    script.batches = [[(task.fd, READABLE)]]

    def add(fd: int) -> None:
        hold(script)

    script.add = add  # type: ignore[method-assign]
    scheduler.add(task)
    assert task.noted == []
    assert task.stirred


def test_a_connection_is_added_with_its_lock_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    add = Scheduler.add

    def checked(self: Scheduler, task: Task) -> None:
        held.append(task.lock.locked())
        add(self, task)

    monkeypatch.setattr(Scheduler, "add", checked)
    with FastServer(lambda request: "x", port=0) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b"x"
    assert held == [True, True]  # the listener, and the connection


# Invariant 10: answers are sent together, and none waits for long.


class Answering(Noted):
    """Its job is its number. Each answer, and what is done besides, is noted in one list."""

    def __init__(self, scheduler: Scheduler, order: list[str], fd: int) -> None:
        super().__init__(scheduler, fd, job=fd)
        self.order = order
        self.at_run: Step = nothing
        scheduler.tasks.add(self)

    def run(self, job: Any) -> bytes | None:
        self.order.append(f"run {job}")
        self.at_run()
        return b"answer"

    def deliver(self, job: Any, answer: bytes) -> None:
        assert answer == b"answer"
        self.order.append(f"deliver {job}")

    def close(self) -> None:
        self.order.append(f"close {self.fd}")


def answering(script: Script, count: int) -> tuple[list[Answering], list[str]]:
    """Tasks that are ready together, and what they will have done."""
    order: list[str] = []
    script.scheduler._route = lambda job: job
    tasks = [Answering(script.scheduler, order, fd) for fd in range(count)]
    script.batches = [[(task.fd, READABLE) for task in tasks]]
    return tasks, order


def test_answers_wait_for_the_rest_of_the_batch_and_not_for_a_poll(script: Script) -> None:
    _, order = answering(script, 3)
    poll = script.poll

    def noted_poll(timeout: float | None = None, maxevents: int = 0) -> list[tuple[int, int]]:
        order.append("poll")
        return poll(timeout, maxevents)

    script.scheduler.poller.poll = noted_poll  # type: ignore[method-assign]
    hold(script)
    run, deliver = ([f"{what} {fd}" for fd in range(3)] for what in ("run", "deliver"))
    assert order[:8] == ["poll", *run, *deliver, "poll"]


def test_each_job_is_counted_once(script: Script) -> None:
    """Those with an answer, when that is sent; one without, when it has run; those apart."""
    scheduler = script.scheduler
    tasks, order = answering(script, 4)
    counts: list[int] = []

    def deliver(job: Any, answer: bytes) -> None:
        counts.append(scheduler.served())

    for task in tasks:
        task.deliver = deliver  # type: ignore[method-assign]
    tasks[2].run = lambda job: None  # type: ignore[method-assign]
    tasks[3].at_run = lambda: scheduler._retake(scheduler._permits[0], 3)
    assert hold(script) is True
    assert order == ["run 0", "run 1", "run 3"]
    assert counts == [3, 3, 4]
    assert scheduler.served() == 4


def test_a_job_apart_is_counted(script: Script) -> None:
    answering(script, 1)
    script.scheduler._slow.seen_slow(0)
    assert hold(script) is True
    assert script.scheduler.served() == 1


def test_a_permit_that_changes_hands_cannot_be_taken(script: Script) -> None:
    scheduler = script.scheduler
    idle = list(scheduler._idle)
    scheduler._permits[0].holder = None
    scheduler._retake(scheduler._permits[0], "job")
    assert scheduler._idle == idle
    assert not scheduler._slow.routes


def test_nothing_is_taken_while_nobody_is_idle(script: Script) -> None:
    scheduler = script.scheduler
    worker, permit = scheduler._idle.pop(), scheduler._permits[0]
    permit.holder = worker
    worker.lent.append("job")
    scheduler._idle.clear()
    scheduler._retake(permit, "job")
    assert list(worker.lent) == ["job"]
    assert permit.holder is worker
    assert not scheduler._slow.routes


def test_no_more_than_so_many_answers_wait(script: Script) -> None:
    _, order = answering(script, 2 * OUTBOX_ANSWERS + 1)
    hold(script)
    waiting = most = 0
    for what in order:
        waiting += 1 if what.startswith("run") else -1
        most = max(most, waiting)
    assert (most, waiting) == (OUTBOX_ANSWERS, 0)


def test_no_answer_waits_when_jobs_take_long(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks, order = answering(script, 4)
    now = 0.0

    def pass_by(seconds: float) -> float:
        nonlocal now
        now += seconds
        return now

    for module in (scheduler_module, readiness, permit_module):
        monkeypatch.setattr(module, "monotonic", lambda: pass_by(1e-6))
    for task in tasks[:2]:
        task.at_run = lambda: pass_by(0.6 * OUTBOX_SECONDS)
    hold(script)
    first = ["run 0", "run 1", "deliver 0", "deliver 1"]
    assert order == [*first, "run 2", "run 3", "deliver 2", "deliver 3"]  # it counts anew


def test_no_answer_waits_for_a_job_apart(script: Script) -> None:
    _, order = answering(script, 2)
    script.scheduler._slow.seen_slow(1)
    assert hold(script) is True
    assert order == ["run 0", "deliver 0", "run 1", "deliver 1"]
    assert script.scheduler._permits[0].holder is None  # its heir has yet to wake


def test_no_answer_waits_for_a_job_that_loses_the_permit(script: Script) -> None:
    scheduler = script.scheduler
    tasks, order = answering(script, 2)
    tasks[1].at_run = lambda: scheduler._retake(scheduler._permits[0], 1)
    assert hold(script) is True
    assert order == ["run 0", "run 1", "deliver 0", "deliver 1"]


def test_no_answer_waits_for_a_job_in_the_lane_when_nobody_is_idle(script: Script) -> None:
    """The watchdog would have nobody to give the permit to."""
    scheduler = script.scheduler
    tasks, order = answering(script, 2)
    scheduler._control = lambda job: bool(job == 1)
    tasks[0].at_run = scheduler._idle.clear
    hold(script)
    assert order == ["run 0", "deliver 0", "run 1", "deliver 1"]


@pytest.mark.parametrize("during", [0, 1])
def test_no_answer_is_lost_by_a_stop(script: Script, during: int) -> None:
    scheduler = script.scheduler
    tasks, order = answering(script, 2)
    tasks[during].at_run = lambda: scheduler.stop(wait=False)
    hold(script)
    assert order[-2:] == [["run 0", "deliver 0"], ["deliver 0", "deliver 1"]][during]


def test_a_holder_that_stops_over_a_fault_sends_what_waits(script: Script) -> None:
    scheduler = script.scheduler
    tasks, order = answering(script, 2)

    def fail() -> None:
        scheduler.stopping = True
        raise RuntimeError("a fault")

    tasks[1].at_run = fail
    assert hold(script) is False
    assert order == ["run 0", "run 1", "close 1", "deliver 0"]


def test_an_answer_that_cannot_be_sent_costs_no_other(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, order = answering(script, 3)

    def fail(job: Any, answer: bytes) -> None:
        raise RuntimeError("a fault")

    tasks[1].deliver = fail  # type: ignore[method-assign]
    hold(script)
    assert order[3:] == ["deliver 0", "close 1", "deliver 2"]
    assert "RuntimeError: a fault" in caplog.text


def test_an_answer_to_a_job_apart_that_cannot_be_sent_closes_its_task(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, order = answering(script, 1)
    script.scheduler._slow.seen_slow(0)

    def fail(job: Any, answer: bytes) -> None:
        raise RuntimeError("a fault")

    tasks[0].deliver = fail  # type: ignore[method-assign]
    assert hold(script) is True
    assert order == ["run 0", "close 0"]
    assert "RuntimeError: a fault" in caplog.text


# What a job leaves to do: on its thread, before other jobs, and no answer waits for it for long.


def leave_to_do(task: Answering, what: Step = nothing) -> None:
    def after() -> None:
        task.order.append(f"after {task.fd}")
        what()

    task.at_run = lambda: setattr(task, "after", after)


def test_what_a_job_has_left_to_do_comes_before_the_next_job(script: Script) -> None:
    tasks, order = answering(script, 2)
    for task in tasks:
        leave_to_do(task)
    hold(script)
    assert order == ["run 0", "after 0", "run 1", "after 1", "deliver 0", "deliver 1"]
    assert [task.after for task in tasks] == [None, None]


def test_what_a_job_has_left_to_do_may_lose_the_permit(script: Script) -> None:
    scheduler = script.scheduler
    tasks, order = answering(script, 2)
    worker, permit = scheduler._idle[-1], scheduler._permits[0]

    def taken() -> None:
        scheduler._retake(permit, permit.call())
        order.append("after 0 goes on")

    leave_to_do(tasks[0], taken)
    assert hold(script) is True
    assert order == ["run 0", "after 0", "deliver 0", "after 0 goes on"]
    assert not worker.lent


def test_what_a_job_apart_has_left_to_do_comes_after_the_answer(script: Script) -> None:
    tasks, order = answering(script, 1)
    script.scheduler._slow.seen_slow(0)
    leave_to_do(tasks[0])
    assert hold(script) is True
    assert order == ["run 0", "deliver 0", "after 0"]


@pytest.mark.parametrize("apart", [False, True])
def test_a_fault_in_what_a_job_has_left_to_do_costs_nothing(
    script: Script, apart: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, order = answering(script, 1)
    if apart:
        script.scheduler._slow.seen_slow(0)

    def fail() -> None:
        raise RuntimeError("a fault")

    leave_to_do(tasks[0], fail)
    assert hold(script) is apart
    assert sorted(order) == ["after 0", "deliver 0", "run 0"]
    assert "RuntimeError: a fault" in caplog.text
