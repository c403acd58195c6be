"""Who runs what: permits, the worker pool, the queue.

    a worker with a permit:  poll -> task.ready() -> job -> task.run(job) -> the next event
                             after the last one: task.deliver(answer) of each job -> poll
    before a slow job:       give the permit to an idle worker -> task.run(job) -> come back
    coming back:             take a queued job -> task.run(job) -> ... -> idle until given a permit

Invariants, each kept at the place named:

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
   `workers` jobs block, someone still polls, and runs quick jobs inline. (`Scheduler.__init__`)
6. Between "the queue is empty" and "idle" a worker holds `_lock`, and so does a holder between
   "no worker is free" and "queued": no job is left in the queue beside an idle worker. (`_lock`)
7. What is left of a holder's events is in the permit, not on its stack, so whoever has the permit
   goes on where the last one stopped. (`Permit.events`)
8. A task is in the ready queue, or run by one thread, with its lock held. (`task.Task`)
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
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from operator import length_hint
from time import monotonic

from .jobqueue import JobQueue
from .permit import (
    FAULT,
    OUTBOX_ANSWERS,
    Permit,
    Worker,
    answer_apart,
    call_after,
    permit_count,
)
from .poller import Poller
from .progress import Progress
from .readiness import Housekeeping, Readiness
from .routes import SlowRoutes
from .task import Job, Task
from .watchdog import Watchdog, Watched

# A poller that fails might fail for ever; it must not take a core, or fill the log, with it.
FAULT_SECONDS = 0.1

_log = logging.getLogger("fastraw.error")


class Scheduler(Readiness):
    """Runs the jobs of a set of tasks on `workers` threads and a few more.

    Args:
        poller: reports which tasks are ready; closed with the last thread.
        tasks: by descriptor; changed by `add` and `forget`.
        route: what a job's slowness is learned by.
        control: whether a job has the control lane: it runs at once, though nobody is idle.
        housekeeping: told the time after each poll.
        workers: how many jobs may block at once.
        queue_seconds: what a job waits for a worker before it is refused; None for no end.
    """

    def __init__(
        self,
        poller: Poller,
        tasks: dict[int, Task],
        *,
        route: Callable[[Job], Hashable],
        control: Callable[[Job], bool],
        housekeeping: Housekeeping,
        workers: int,
        queue_seconds: float | None,
    ) -> None:
        super().__init__(poller, tasks, housekeeping, JobQueue(queue_seconds), permit_count())
        self.workers = workers
        self._route = route
        self._control = control
        self._pool = [Worker() for _ in range(workers + len(self._permits) + 1)]
        self._idle = list(self._pool)
        # Guards the queue, and with it the changes of _idle and _apart (invariant 6).
        self._lock = threading.Lock()
        self._apart = 0
        self._slow = SlowRoutes()
        self._threads = len(self._pool)
        watched: list[Watched] = list(self._permits)
        self._watchdog = Watchdog(watched, self._retake)
        self._executor = ThreadPoolExecutor(len(self._pool), thread_name_prefix="fastraw-worker")

    # ---- from any thread ----

    def start(self) -> None:
        """Start the threads; those with a permit poll at once.

        Raises RuntimeError, and gives the poller back, when the system has no more threads.
        """
        try:
            self._watchdog.start()
            for worker in self._pool:
                self._executor.submit(self._work, worker)
        except BaseException:
            self._give_up()
            raise
        for permit in self._permits:
            self._give(self._idle.pop(), permit)

    def _give_up(self) -> None:
        """Not all threads can be had: end those that there are."""
        self._watchdog.stop()
        self.stopping = True
        self._threads = -1  # none of them is the last one
        for worker in self._pool:
            worker.wake.release()
        self._executor.shutdown()
        self.poller.close()

    def stop(self, wait: bool) -> None:
        """End the threads, and `wait` for them; a job that still runs ends its own when it returns.

        Tasks that were ready, or had a job in the queue, are closed.
        """
        self._watchdog.stop()
        with self._lock:
            self.stopping = True
            idle, self._idle[:] = self._idle[:], []
            taken = []
            left = self._queue.clear()
            # As the watchdog would: nobody comes back to what is left of a batch of events.
            for permit in self._permits:
                holder = permit.holder
                if holder is not None and (back := self._take_back(holder)) is not None:
                    taken.append(back)
        for permit in taken:
            permit.deliver()
        for worker in idle:
            worker.wake.release()
        self.poller.wake()
        self._executor.shutdown(wait)
        for task in left:
            task.close()
        self._close_ready()

    def _take_back(self, holder: Worker) -> Permit | None:
        """Take the permit of an inline job for good. The caller holds `_lock`."""
        try:
            holder.lent.pop()
        except IndexError:
            return None  # there is no job; its thread goes on to see that we stop
        permit = self._held_by(holder)
        permit.holder = None
        self._apart += 1
        self._leave_events(permit)
        return permit

    def _held_by(self, holder: Worker) -> Permit:
        """What was lent to the job that the caller has just popped: maybe not the permit that it
        was looking at, since the holder may have given that away and got another one."""
        return next(permit for permit in self._permits if permit.holder is holder)

    def running(self) -> int:
        """Jobs that run now."""
        return self._apart + sum(permit.call() is not None for permit in self._permits)

    def queued(self) -> int:
        """Jobs that wait for a worker."""
        return len(self._queue)

    def served(self) -> int:
        """Jobs run so far."""
        inline = sum(permit.served for permit in self._permits)
        return inline + sum(worker.apart for worker in self._pool)

    def owns_thread(self) -> bool:
        """Whether the calling thread is one of the workers."""
        me = threading.get_ident()
        return any(worker.thread_id == me for worker in self._pool)

    # ---- on a worker's thread ----

    def _work(self, worker: Worker) -> None:
        worker.thread_id = threading.get_ident()
        worker.progress = Progress()
        while True:
            worker.wake.acquire()
            permit, worker.permit = worker.permit, None
            if permit is None:
                break
            permit.holder = worker
            if not self._hold(worker, permit):
                break
            self._come_back(worker)
        worker.thread_id = 0
        worker.progress = None
        with self._lock:
            self._threads -= 1
            last = self._threads == 0
        if last:
            self.poller.close()

    def _hold(self, worker: Worker, permit: Permit) -> bool:
        """Hold until the permit is gone (True) or the scheduler stops (False).

        The hottest loop there is: what it needs is bound to locals.
        """
        task_of = self.tasks.get
        idle, lent, slow = self._idle, worker.lent, self._slow.routes
        outbox, route = permit.outbox, self._route
        task: Task | None = None
        while not self.stopping:
            try:
                for fd, mask in islice(permit.events, OUTBOX_ANSWERS):
                    if mask:
                        task = task_of(fd)
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

    def _give(self, heir: Worker, permit: Permit) -> None:
        """Hand a permit that the caller owns to a worker that it took from `_idle`."""
        permit.deliver()
        permit.holder = None
        heir.permit = permit
        heir.wake.release()

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
            try:
                holder.lent.pop()
            except IndexError:
                return  # the call has ended; its thread was first
            taken = self._held_by(holder)
            heir = self._idle.pop()
            self._apart += 1
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
