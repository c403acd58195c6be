"""The thread that takes a permit back from a handler that keeps it.

1. It looks every TICK_SECONDS while handlers run, and sleeps without waking when none does. What
   it finds in a call, it looks at again after AGAIN_SECONDS.
2. A permit holder that is seen in the same call twice in a row loses the permit, unless it waits
   for a processor: then it is seen once more, and so on.
3. It does not sleep while a holder is busy with what a poll has brought. Before it sleeps it says
   so and then looks once more; a holder first says that it is busy and then looks whether the
   watchdog sleeps. One of the two always sees the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

# Each look costs a busy server some 50 us: the GIL changes hands, and often not at once. So they
# are few while nothing is slow: a route's first slow call holds the others up for 4 ms on average.
TICK_SECONDS = 0.005
AGAIN_SECONDS = 0.0015
# Looks in a row that found nobody busy before the watchdog goes to sleep.
QUIET_TICKS = 10


class Watched(Protocol):
    """A permit, as the watchdog sees it.

    Attributes:
        busy: whether its holder has calls to run.
    """

    busy: bool

    def call(self) -> object | None:
        """What the holder is running inline at this moment; None when it runs nothing."""

    def mark(self) -> None:
        """A call has been seen for the first time."""

    def waits_for_processor(self) -> bool:
        """Whether the holder has hardly run since the mark, through no fault of its call."""


class Watchdog:
    """Watches a few permits; `retake(permit, call)` is called for one whose call takes long."""

    def __init__(self, permits: list[Watched], retake: Callable[[Watched, object], object]) -> None:
        self.asleep = True
        self._permits = permits
        self._retake = retake
        self._rouse = threading.Lock()
        self._rouse.acquire()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="fastraw-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if it was started, and wait for it."""
        self._stopping = True
        if self._thread.ident is None:
            return
        self.rouse()
        self._thread.join()

    def rouse(self) -> None:
        """Called by a holder that has said that it is busy, and then found the watchdog asleep."""
        self.asleep = False
        try:
            self._rouse.release()
        except RuntimeError:
            pass  # another holder was first

    def _run(self) -> None:
        seen: list[object | None] = [None] * len(self._permits)
        quiet = QUIET_TICKS
        again = False
        while not self._stopping:
            if quiet >= QUIET_TICKS:
                self._sleep()
                quiet = 0
            ticked = not again
            time.sleep(TICK_SECONDS if ticked else AGAIN_SECONDS)
            again = False
            quiet += 1
            for place, permit in enumerate(self._permits):
                if permit.busy:
                    quiet = 0
                call = permit.call()
                if call is None:
                    seen[place] = None
                    continue
                if call is not seen[place]:
                    seen[place] = call
                    permit.mark()
                    again = again or ticked
                    continue
                again = True
                if not permit.waits_for_processor():
                    self._retake(permit, call)
            call = None

    def _sleep(self) -> None:
        self.asleep = True
        if any(permit.busy for permit in self._permits):
            self.asleep = False
            return
        self._rouse.acquire()
        self.asleep = False
