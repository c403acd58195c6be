"""The threads that permits go round among: their start and stop, and what they have done.

    idle:  waits for `wake` -> holds the permit that it was given -> works apart -> idle

Who runs what is the scheduler's affair (scheduler.py, where the invariants stand).
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from .jobqueue import JobQueue
from .permit import Permit, Worker, permit_count
from .poller import Poller
from .progress import Progress
from .readiness import Housekeeping, Readiness
from .tasks import Tasks
from .watchdog import Watchdog, Watched


class Pool(Readiness):
    """`workers` threads and a few more, and the permits. See Scheduler for the arguments."""

    def __init__(
        self,
        poller: Poller,
        tasks: Tasks,
        housekeeping: Housekeeping,
        workers: int,
        queue_seconds: float | None,
    ) -> None:
        super().__init__(poller, tasks, housekeeping, JobQueue(queue_seconds), permit_count())
        self.workers = workers
        self._pool = [Worker() for _ in range(workers + len(self._permits) + 1)]
        self._idle = list(self._pool)
        # Guards the queue, and with it the changes of _idle and _apart (invariant 6).
        self._lock = threading.Lock()
        self._apart = 0
        self._threads = len(self._pool)
        watched: list[Watched] = list(self._permits)
        self._watchdog = Watchdog(watched, self._retake)
        self._executor = ThreadPoolExecutor(len(self._pool), thread_name_prefix="fastraw-worker")

    # What Scheduler adds.

    def _hold(self, worker: Worker, permit: Permit) -> bool:
        """Hold until the permit is gone (True) or the scheduler stops (False)."""
        raise NotImplementedError

    def _come_back(self, worker: Worker) -> None:
        """After a job that ran apart: queued jobs first, then idle."""
        raise NotImplementedError

    def _retake(self, permit: Watched, call: object) -> None:
        """Take the permit from the holder that is still in `call`."""
        raise NotImplementedError

    # From any thread.

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
                    back.holder = None
                    self._leave_events(back)
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

    # On a worker's thread.

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

    # For who owns a permit, or has just become its owner.

    def _give(self, heir: Worker, permit: Permit) -> None:
        """Hand a permit that the caller owns to a worker that it took from `_idle`."""
        permit.deliver()
        permit.holder = None
        heir.permit = permit
        heir.wake.release()

    def _take_back(self, holder: Worker) -> Permit | None:
        """The permit that is lent to a holder's inline job, which runs apart from now on; None
        when there is no job any more. The caller, who now owns the permit, holds `_lock`.

        It may be another one than the caller was looking at: the holder may have given that away.
        """
        try:
            holder.lent.pop()
        except IndexError:
            return None
        self._apart += 1
        return next(permit for permit in self._permits if permit.holder is holder)
