"""Which routes are believed slow: learned from what their handlers do, forgotten the same way."""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic

# A call shorter than one look of the watchdog would not have been worth a thread of its own.
QUICK_SECONDS = 0.001
# Quick calls in a row before a route runs inline again; twice as many after each relapse, since
# a route that is slow now and then costs everybody a stall each time it is believed quick.
FIRST_PROOF_CALLS = 8
MAX_PROOF_CALLS = 4096
# A relapse after so long is none: the machine was busy, or the handler had its one long call.
RELAPSE_SECONDS = 10.0
# A client can make up routes (a bare handler's are path segments); the oldest is forgotten.
MAX_ROUTES = 1024


class SlowRoutes:
    """A bounded table of routes whose handlers took long when last seen.

    `routes` is what the permit holder looks into before each call: a plain dict that is empty
    until something slow has been seen. Each operation on it is atomic by itself, and a lost
    update costs one more quick or slow call, so there is no lock.

    A slow call that was expected to be slow touches no dict: without the GIL, threads that look
    an equal key up in one dict wait for each other, and keep a core busy with it.
    """

    __slots__ = ("_proof", "_quick", "routes")

    def __init__(self) -> None:
        self.routes: dict[Hashable, int] = {}
        """Route -> quick calls in a row that it takes to believe it quick."""
        self._proof: dict[Hashable, tuple[int, float]] = {}
        """The same, and when it was last seen slow; outlives the entry in `routes`."""
        self._quick: dict[Hashable, int] = {}
        """Route -> quick calls since the last slow one; empty while there have been none."""

    def seen_slow(self, route: Hashable) -> None:
        """A call of `route` held a permit too long: believe it slow."""
        now = monotonic()
        proof, last = self._proof.pop(route, (0, -RELAPSE_SECONDS))
        proof = FIRST_PROOF_CALLS if now - last >= RELAPSE_SECONDS else 2 * proof
        proof = min(proof, MAX_PROOF_CALLS)
        self._proof[route] = proof, now
        self._quick.pop(route, None)
        self.routes[route] = proof
        if len(self._proof) > MAX_ROUTES:
            oldest = next(iter(list(self._proof)))
            for table in (self._proof, self._quick, self.routes):
                table.pop(oldest, None)

    def ran_apart(self, route: Hashable, seconds: float) -> None:
        """A call of `route`, on a thread of its own, took `seconds`."""
        if seconds >= QUICK_SECONDS:
            if self._quick:
                self._quick.pop(route, None)
            return
        wanted = self.routes.get(route)
        if wanted is None:
            return
        quick = self._quick.get(route, 0) + 1
        if quick < wanted:
            self._quick[route] = quick
        else:
            self.routes.pop(route, None)
            self._quick.pop(route, None)
