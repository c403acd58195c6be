"""Who runs what: an inline job, one apart, one that waits.

    a worker with a permit:  poll -> task.ready() -> job -> task.run(job) -> the next event
                             after the last one: task.deliver(answer) of each job -> poll
    before a slow job:       give the permit to an idle worker -> task.run(job) -> come back
    coming back:             take a queued job -> task.run(job) -> ... -> idle until given a permit

Invariants, each kept at the place named, here, in pool.py or in task.py:

1. A permit is the right to poll and to run what is ready. One thread at a time has it. (`_give`)
2. While a holder runs a job inline, the job lies in `Worker.lent`, and the permit goes with it:
   to the holder, which pops it when the job ends, or to the watchdog, if that pops it first.
   deque.pop is atomic, so exactly one of them gets it; the other gives way. (`_hold`, `_retake`)
3. A holder runs a job inline only while another worker is idle to take the permit over, or when
   the job has the control lane. A job that turns out slow loses the lane. (`_hold`, `_retake`)
4. At most `workers` jobs are given a thread of their own; further ones wait in the queue, first
   come, first served, but an answer that has begun before those that have not. A job that is
   retaken may be one more. (`_dispatch`, `_come_back`)
5. The pool has `workers` threads, one more for each permit, and one in reserve. So while
   `workers` jobs block, someone still polls, and runs quick jobs inline. (`Pool.__init__`)
6. Between "the queue is empty" and "idle" a worker holds `_lock`, and so does a holder between
   "no worker is free" and "queued": no job is left in the queue beside an idle worker. (`_lock`)
7. What is left of a holder's events is in the permit, not on its stack, so whoever has the permit
   goes on where the last one stopped. (`Permit.events`)
8. A task is in the ready queue, or run by one thread, with its lock held. (`Task.lock`)
9. Whatever is queued or ready when the scheduler stops, or becomes so later, or is let go later,
   is closed, by `stop` or by the thread that finds it. (`stop`, `resume`, `_dispatch`, `_hold`,
   `Task.let_go`)
10. An answer waits in `Permit.outbox` while others that are ready run, since to send one wakes its
    client, and drives the handlers' code out of the caches. It waits for OUTBOX_ANSWERS events or
    OUTBOX_SECONDS, and never for a poll, for a job apart, or for one that the watchdog could not
    take the permit from: whoever gives the permit away delivers first. (`_hold`, `_give`, `stop`)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from itertools import islice
from operator import length_hint
from time import monotonic

from .permit import FAULT, OUTBOX_ANSWERS, Permit, Worker, answer_apart, call_after
from .poller import Poller
from .pool import Pool
from .readiness import Housekeeping
from .routes import SlowRoutes
from .task import Job, Task
from .tasks import Tasks
from .watchdog import Watched

# A poller that fails might fail for ever; it must not take a core, or fill the log, with it.
FAULT_SECONDS = 0.1

_log = logging.getLogger("fastraw.error")


class Scheduler(Pool):
    """Runs the jobs of a set of tasks on `workers` threads and a few more.

    Args:
        poller: reports which tasks are ready; closed with the last thread.
        tasks: changed by `add`, `forget` and `release`.
        route: what a job's slowness is learned by.
        control: whether a job has the control lane: it runs at once, though nobody is idle.
        housekeeping: told the time after each poll.
        workers: how many jobs may block at once.
        queue_seconds: what a job waits for a worker before it is refused; None for no end.
    """

    def __init__(
        self,
        poller: Poller,
        tasks: Tasks,
        *,
        route: Callable[[Job], Hashable],
        control: Callable[[Job], bool],
        housekeeping: Housekeeping,
        workers: int,
        queue_seconds: float | None,
    ) -> None:
        super().__init__(poller, tasks, housekeeping, workers, queue_seconds)
        self._route = route
        self._control = control
        self._slow = SlowRoutes()

    # ---- on a worker's thread ----

    def _hold(self, worker: Worker, permit: Permit) -> bool:
        """Hold until the permit is gone (True) or the scheduler stops (False).

        The hottest loop there is: what it needs is bound to locals.
        """
        by_fd = self.tasks.by_fd
        idle, lent, slow = self._idle, worker.lent, self._slow.routes
        outbox, route = permit.outbox, self._route
        task: Task | None = None
        while not self.stopping:
            try:
                for fd, mask in islice(permit.events, OUTBOX_ANSWERS):
                    if mask:
                        try:
                            task = by_fd[fd]
                        except IndexError:
                            continue  # the poller's own
                        if task is None:
                            continue
                        if not task.lock.acquire(False):
                            task.stirred = True
                            # If the owner let go before it could see that, the task is ours.
                            if not task.lock.acquire(False):
                                continue
                        job = task.ready(mask)
                    else:
                        task = fd
                        job = task.resume()
                    if job is None:
                        continue
                    if (idle and not (slow and route(job) in slow)) or self._in_lane(permit, job):
                        lent.append(job)
                        try:
                            answer = task.run(job)
                        except BaseException:
                            answer = None
                            _failed(task)
                        try:
                            lent.pop()
                        except IndexError:
                            worker.apart += 1
                            answer_apart(task, job, answer)
                            return True
                        if answer is None:
                            permit.served += 1
                            continue
                        outbox.append((task, job, answer))
                        if task.after is not None and not _after(worker, task, job):
                            return True
                        if monotonic() >= permit.due:
                            permit.deliver()
                    elif self._dispatch(worker, permit, task, job):
                        return True
                task = None
                if outbox:
                    permit.deliver()
                if not length_hint(permit.events):
                    self._next_events(permit)
            except BaseException:
                # Only a fault of fastraw itself comes here. The permit must outlive it, or the
                # server would stand still.
                _log.exception(FAULT)
                if task is None:
                    time.sleep(FAULT_SECONDS)
                else:
                    task.close()
        permit.deliver()
        self._leave_events(permit)
        self._close_ready()
        # Several holders may be asleep in the poller; each one wakes the next.
        self.poller.wake()
        return False

    def _next_events(self, permit: Permit) -> None:
        permit.busy = False
        events = self._poll(permit)
        permit.events = iter(events)
        if events:
            permit.busy = True
            if self._watchdog.asleep:
                self._watchdog.rouse()

    def _in_lane(self, permit: Permit, job: Job) -> bool:
        """Whether a job runs at once though nobody is idle to take the permit over."""
        if not self._has_lane(job):
            return False
        permit.deliver()
        return True

    def _has_lane(self, job: Job) -> bool:
        return self._control(job) and self._route(job) not in self._slow.routes

    def _dispatch(self, worker: Worker, permit: Permit, task: Task, job: Job) -> bool:
        """Run a job apart from the permit (True), or queue it when `workers` are out (False)."""
        with self._lock:
            heir = None
            if self.stopping:
                pass
            elif self._apart < self.workers and self._idle:
                self._apart += 1
                heir = self._idle.pop()
            else:
                now = monotonic()
                task.queued(job, now)
                self._queue.put(task, job, now)
                return False
        if heir is None:
            task.close()
            return False
        self._give(heir, permit)
        self._run_apart(worker, task, job)
        return True

    def _run_apart(self, worker: Worker, task: Task, job: Job) -> None:
        route = self._route(job)
        began = monotonic()
        try:
            answer = task.run(job)
        except BaseException:
            answer = None
            _failed(task)
        answer_apart(task, job, answer)
        self._slow.ran_apart(route, monotonic() - began)
        worker.apart += 1

    def _come_back(self, worker: Worker) -> None:
        """After a job that ran apart: queued jobs first, then idle."""
        while True:
            with self._lock:
                queued = self._queue.take()
                if queued is None:
                    self._apart -= 1
                    if self.stopping:
                        worker.wake.release()
                    else:
                        self._idle.append(worker)
                    return
            self._run_apart(worker, *queued)

    def _shed(self, now: float) -> None:
        """Refuse the queued jobs whose time is over."""
        while True:
            with self._lock:
                overdue = self._queue.take_overdue(now)
            if overdue is None:
                return
            task, job = overdue
            task.overload(job)

    # ---- on the watchdog's thread ----

    def _retake(self, permit: Watched, call: object) -> None:
        """Take the permit from the holder that is still in `call`, and give it to an idle one."""
        assert isinstance(permit, Permit)
        holder = permit.holder
        if holder is None:
            return
        if self._has_lane(call):
            _log.warning("Slow, so no longer answered before all else: %r", call)
            self._slow.seen_slow(self._route(call))
        with self._lock:
            if not self._idle:
                return
            taken = self._take_back(holder)
            if taken is None:
                return  # the call has ended; its thread was first
            heir = self._idle.pop()
        if not self._control(call):
            self._slow.seen_slow(self._route(call))
        self._give(heir, taken)


def _failed(task: Task) -> None:
    """A fault of fastraw itself in a job."""
    _log.exception(FAULT)
    task.close()


def _after(worker: Worker, task: Task, job: Job) -> bool:
    """Run what a job left to do, inline; False when the permit is gone.

    Before any other job on this thread, which might wait for what it gives back. If it takes
    long, the answer does not wait for it: the permit's next holder has it.
    """
    after, task.after = task.after, None
    assert after is not None
    worker.lent.append(job)
    call_after(after)
    try:
        worker.lent.pop()
    except IndexError:
        return False
    return True
