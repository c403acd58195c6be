"""The scheduler's invariants (engine/scheduler.py numbers them), with interleavings forced by
events: jobs block until the test lets them go."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fastraw.engine import pool
from fastraw.engine.poller import HANGUP, EpollPoller, Poller, SelectorPoller
from fastraw.engine.scheduler import Scheduler
from fastraw.engine.task import Task
from fastraw.engine.tasks import Tasks
from tests.waiting import eventually

SOON = 10.0  # seconds after which something that must happen has not


class Clockless:
    """Housekeeping with nothing to do."""

    def tick(self, now: float) -> None: ...

    def timeout(self, now: float) -> float | None:
        return None


class Call:
    """A job: what it runs, and under which route."""

    def __init__(self, function: Callable[[], object], route: str) -> None:
        self.function = function
        self.route = route
        self.done = threading.Event()
        self.thread = ""
        self.refused = False


class Line(Task):
    """A task over a socket pair: each octet sent to it is a job, looked up in `calls`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        super().__init__(self.near.fileno(), scheduler)
        self.lock.acquire()
        self.calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.owners = 0
        scheduler.add(self)
        self.put_back()

    def send(self, function: Callable[[], object], route: str = "quick") -> Call:
        call = Call(function, route)
        self.calls.put(call)
        self.far.send(b"!")
        return call

    def ready(self, mask: int) -> Call | None:
        try:
            octet = self.near.recv(1)
        except BlockingIOError:
            self.let_go()
            return None
        if not octet:
            self.close()
            return None
        return self.calls.get_nowait()

    def resume(self) -> Call | None:
        return self.ready(HANGUP)

    def run(self, job: Call) -> bytes | None:
        self.owners += 1
        assert self.owners == 1, "two threads run the same task"
        job.thread = threading.current_thread().name
        job.function()
        self.owners -= 1
        job.done.set()
        # One octet was taken, more may be there: come back rather than wait for an event.
        self.scheduler.resume(self)
        return None

    def overload(self, job: Call) -> None:
        job.refused = True
        job.done.set()
        self.scheduler.resume(self)

    def expire(self) -> None:
        self.let_go()

    def close(self) -> None:
        self.scheduler.forget(self)
        self.near.close()
        self.far.close()


@contextmanager
def running(
    workers: int = 2,
    queue_seconds: float | None = None,
    poller: Callable[[], Poller] = EpollPoller,
    housekeeping: Any = None,
) -> Iterator[Scheduler]:
    scheduler = Scheduler(
        poller(),
        Tasks(),
        route=lambda job: job.route,
        control=lambda job: False,
        housekeeping=housekeeping or Clockless(),
        workers=workers,
        queue_seconds=queue_seconds,
    )
    scheduler.start()
    try:
        yield scheduler
    finally:
        for task in list(scheduler.tasks):
            assert isinstance(task, Line)
            task.far.close()
        scheduler.stop(wait=not scheduler.running())
        for task in list(scheduler.tasks):
            task.close()


def nothing() -> None: ...


def wait(*calls: Call) -> None:
    for call in calls:
        assert call.done.wait(SOON), f"{call.route} was not run"


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest) -> Callable[[], Poller]:
    found: Callable[[], Poller] = request.param
    return found


@pytest.fixture(params=[1, 3], ids=["1 permit", "3 permits"])
def permits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    count: int = request.param
    monkeypatch.setattr(pool, "permit_count", lambda: count)
    return count


def test_a_quick_job_runs_on_the_thread_that_polls(poller: Callable[[], Poller]) -> None:
    with running(poller=poller) as scheduler:
        line = Line(scheduler)
        calls = []
        for _ in range(20):
            calls.append(line.send(nothing))
            wait(calls[-1])
        assert len({call.thread for call in calls}) <= len(scheduler._permits)
        assert calls[0].thread.startswith("fastraw-worker_")


def test_a_blocked_inline_job_loses_the_permit(poller: Callable[[], Poller], permits: int) -> None:
    """Invariants 2 and 5: while `workers` jobs block, others are still run."""
    with running(workers=2, poller=poller) as scheduler:
        gate = threading.Event()
        blocked = [Line(scheduler).send(gate.wait, f"slow {n}") for n in range(2)]
        quick = Line(scheduler)
        for _ in range(5):
            call = quick.send(nothing)
            wait(call)
        assert not any(call.done.is_set() for call in blocked)
        gate.set()
        wait(*blocked)


def test_what_is_left_of_a_batch_goes_with_the_permit() -> None:
    """Invariant 7: one poll reports all lines; the first blocks, the others do not wait for it."""
    with running(workers=4) as scheduler:
        lines = [Line(scheduler) for _ in range(10)]
        gate, hold = threading.Event(), threading.Event()
        stopper = Line(scheduler).send(hold.wait, "stopper")  # so that all are ready together
        first = lines[0].send(gate.wait, "first")
        rest = [line.send(nothing) for line in lines[1:]]
        hold.set()
        wait(stopper, *rest)
        assert not first.done.is_set()
        gate.set()
        wait(first)


def test_a_slow_route_is_learned_and_forgotten() -> None:
    with running(workers=2) as scheduler:
        line = Line(scheduler)
        gate = threading.Event()
        first = line.send(gate.wait, "report")
        other = Line(scheduler)
        wait(other.send(nothing))
        wait_for(lambda: "report" in scheduler._slow.routes)
        gate.set()
        wait(first)
        for _ in range(50):
            wait(line.send(nothing, "report"))
        assert "report" not in scheduler._slow.routes


def test_a_job_that_ends_first_keeps_the_permit() -> None:
    """Invariant 2: the watchdog comes too late and must take nothing."""
    with running(workers=2) as scheduler:
        line = Line(scheduler)
        call = line.send(nothing)
        wait(call)
        idle = len(scheduler._idle)
        for permit in scheduler._permits:
            scheduler._retake(permit, call)
        assert len(scheduler._idle) == idle
        wait(line.send(nothing))


def test_the_watchdog_and_the_end_of_a_job_race() -> None:
    """Invariant 2, both ways at once, many times: jobs that end about when the watchdog looks."""
    with running(workers=3) as scheduler:
        lines = [Line(scheduler) for _ in range(8)]
        pause = threading.Event()
        for turn in range(60):
            calls = [
                line.send(lambda: pause.wait(0.0025), f"route {turn}.{n}")
                for n, line in enumerate(lines)
            ]
            wait(*calls)
        assert_at_rest(scheduler)


def assert_at_rest(scheduler: Scheduler) -> None:
    """Every thread but the permit holders is idle, and nothing is counted as running."""

    def at_rest() -> bool:
        with scheduler._lock:
            return (
                scheduler._apart == 0
                and len(scheduler._idle) == len(scheduler._pool) - len(scheduler._permits)
                and not any(worker.lent for worker in scheduler._pool)
            )

    wait_for(at_rest)
    wait(Line(scheduler).send(nothing))


def test_slow_jobs_beyond_workers_wait_in_line() -> None:
    """Invariant 4: first come, first served, and never more than `workers` at once."""
    with running(workers=2) as scheduler:
        scheduler._slow.seen_slow("slow")
        gates = [threading.Event() for _ in range(5)]
        started: queue.SimpleQueue[int] = queue.SimpleQueue()

        def job(number: int) -> Callable[[], None]:
            def run() -> None:
                started.put(number)
                assert gates[number].wait(SOON)

            return run

        calls = []
        for number in range(5):
            calls.append(Line(scheduler).send(job(number), "slow"))
            # The scheduler has seen it, whichever permit it was.
            wait_for(lambda: started.qsize() + scheduler.queued() == len(calls))
        assert {started.get(timeout=SOON), started.get(timeout=SOON)} == {0, 1}
        assert scheduler.queued() == 3
        assert scheduler.running() == 2
        gates[1].set()
        assert started.get(timeout=SOON) == 2
        gates[0].set()
        assert started.get(timeout=SOON) == 3
        for gate in gates:
            gate.set()
        wait(*calls)
        assert_at_rest(scheduler)


def test_no_inline_job_without_an_idle_worker() -> None:
    """Invariant 3: with every other thread blocked, the holder queues and goes on polling."""
    with running(workers=1) as scheduler:
        gate = threading.Event()
        # workers=1: three threads. One job apart, one retaken inline: the third one polls.
        apart = Line(scheduler).send(gate.wait, "first")
        probe = Line(scheduler)
        wait(probe.send(nothing))
        retaken = Line(scheduler).send(gate.wait, "second")
        wait_for(lambda: not scheduler._idle)
        quick = probe.send(nothing)
        wait_for(lambda: scheduler.queued() == 1)
        assert not quick.done.is_set()
        gate.set()
        wait(apart, retaken, quick)
        assert_at_rest(scheduler)


def wait_for(condition: Callable[[], bool]) -> None:
    """For what no event tells: ask until it is so."""
    tick = threading.Event()
    for _ in range(int(SOON * 1000)):
        if condition():
            return
        tick.wait(0.001)
    raise AssertionError("it did not come about")


def test_a_job_that_waits_too_long_is_refused() -> None:
    with running(workers=1, queue_seconds=0.05) as scheduler:
        scheduler._slow.seen_slow("slow")
        gate = threading.Event()
        first = Line(scheduler).send(gate.wait, "slow")
        wait_for(lambda: scheduler.running() == 1)
        second = Line(scheduler).send(nothing, "slow")
        wait(second)
        assert second.refused
        assert second.thread == ""
        gate.set()
        wait(first)
        assert not first.refused


def test_an_event_for_an_owned_task_is_not_lost(poller: Callable[[], Poller]) -> None:
    """While a job runs apart, octets for the same task arrive; they are found afterwards."""
    with running(workers=2, poller=poller) as scheduler:
        line = Line(scheduler)
        for _ in range(30):
            gate = threading.Event()
            first = line.send(gate.wait, "slow")
            others = [line.send(nothing, "slow") for _ in range(3)]
            probe = Line(scheduler)
            wait(probe.send(nothing))  # the events have been polled
            gate.set()
            wait(first, *others)
            probe.far.close()


def test_under_load_every_job_runs_once(poller: Callable[[], Poller], permits: int) -> None:
    """Quick, slow and flapping jobs at once from several threads; nothing lost, nothing twice."""
    pause = threading.Event()
    count = 0
    lock = threading.Lock()

    def quick() -> None:
        nonlocal count
        with lock:
            count += 1

    def slow() -> None:
        pause.wait(0.003)
        quick()

    with running(workers=3, poller=poller) as scheduler:

        def client(seed: int) -> None:
            line = Line(scheduler)
            for n in range(100):
                kind = (n * 7 + seed) % 10
                burst = [line.send(slow if kind == 0 else quick, f"r{kind}")]
                if kind == 5:
                    burst += [line.send(quick, "r5") for _ in range(5)]
                wait(*burst)

        clients = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        assert_at_rest(scheduler)
    assert count == 6 * (100 + 5 * 10)


def test_several_pollers_share_one_queue_of_events(
    poller: Callable[[], Poller], permits: int
) -> None:
    with running(workers=2, poller=poller) as scheduler:
        lines = [Line(scheduler) for _ in range(50)]
        for _ in range(20):
            wait(*[line.send(nothing) for line in lines])
        wait_for(lambda: scheduler.served() == 50 * 20)


def test_a_fault_in_a_task_costs_only_the_task(caplog: pytest.LogCaptureFixture) -> None:
    """The permit outlives an exception that should never be raised."""

    def fault() -> None:
        raise RuntimeError("a fault")

    with running(workers=1) as scheduler:
        good = Line(scheduler)
        for route in ("inline", "slow"):
            if route == "slow":
                scheduler._slow.seen_slow("slow")
            Line(scheduler).send(fault, route)
            wait(good.send(nothing))
        wait_for(lambda: len(scheduler.tasks) == 1)
        wait_for(lambda: scheduler.running() == 0)
    assert caplog.text.count("RuntimeError: a fault") == 2


def test_an_idle_scheduler_does_not_poll() -> None:
    """No wake-up without a reason: what polls once sleeps until something happens."""
    polls = 0

    class Counting(EpollPoller):
        def __init__(self) -> None:
            super().__init__()
            epoll_poll = self.poll

            def poll(timeout: float | None = None, maxevents: int = 64) -> list[tuple[int, int]]:
                nonlocal polls
                polls += 1
                return epoll_poll(timeout, maxevents)

            self.poll = poll  # type: ignore[assignment]

    with running(poller=Counting) as scheduler:
        line = Line(scheduler)
        wait(line.send(nothing))
        wait_for(lambda: scheduler._permits[0].sleeping and scheduler._watchdog.asleep)
        before = polls
        threading.Event().wait(0.2)  # the absence of events has no event
        assert polls == before


def test_stop_leaves_no_thread() -> None:
    before = threading.active_count()
    for _ in range(20):
        with running(workers=3) as scheduler:
            wait(Line(scheduler).send(nothing))
    assert threading.active_count() == before


def test_what_is_said_of_a_thread_is_not_said_of_the_next_with_its_number() -> None:
    with running() as scheduler:
        workers = scheduler._pool
        assert eventually(lambda: all(each.progress and each.thread_id for each in workers))
    assert not any(each.progress or each.thread_id for each in workers)


def test_stop_does_not_wait_for_a_job_that_never_ends() -> None:
    gate = threading.Event()
    with running(workers=1) as scheduler:
        line = Line(scheduler)
        call = line.send(gate.wait, "endless")
        wait_for(lambda: scheduler.running() == 1)
    assert not call.done.is_set()
    gate.set()
    wait(call)
    wait_for(lambda: not any(t.name.startswith("fastraw") for t in threading.enumerate()))
