"""What is learned of slow routes, and forgotten."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NoReturn

import pytest

from fastraw.engine import routes
from fastraw.engine.routes import (
    FIRST_PROOF_CALLS,
    MAX_PROOF_CALLS,
    MAX_ROUTES,
    QUICK_SECONDS,
    RELAPSE_SECONDS,
    SlowRoutes,
)

QUICK = QUICK_SECONDS / 2


def quick_calls(slow: SlowRoutes, route: str) -> int:
    """How many quick calls it takes until `route` is believed quick."""
    calls = 0
    while route in slow.routes:
        slow.ran_apart(route, QUICK)
        calls += 1
    return calls


def test_a_route_is_believed_quick_until_it_is_seen_slow() -> None:
    slow = SlowRoutes()
    slow.ran_apart("a", 10.0)
    assert not slow.routes
    slow.seen_slow("a")
    assert list(slow.routes) == ["a"]


def test_quick_calls_prove_it_quick() -> None:
    slow = SlowRoutes()
    slow.seen_slow("a")
    assert quick_calls(slow, "a") == FIRST_PROOF_CALLS


def test_a_slow_call_among_them_begins_the_proof_again() -> None:
    slow = SlowRoutes()
    slow.seen_slow("a")
    for _ in range(FIRST_PROOF_CALLS - 1):
        slow.ran_apart("a", QUICK)
    slow.ran_apart("a", QUICK_SECONDS)
    assert quick_calls(slow, "a") == FIRST_PROOF_CALLS


def test_slow_calls_that_were_expected_touch_no_table() -> None:
    class Untouched(dict[Hashable, int]):
        def get(self, *arguments: object) -> NoReturn:
            raise AssertionError(f"looked up: {arguments}")

        pop = __setitem__ = get  # type: ignore[assignment]

    slow = SlowRoutes()
    slow.seen_slow("a")
    slow.routes, slow._proof, slow._quick = Untouched(slow.routes), Untouched(), Untouched()
    slow.ran_apart("a", QUICK_SECONDS)
    slow.ran_apart("a", 10.0)
    assert list(slow.routes) == ["a"]


def test_each_relapse_doubles_the_proof_up_to_a_bound() -> None:
    slow = SlowRoutes()
    proofs = []
    for _ in range(12):
        slow.seen_slow("a")
        proofs.append(quick_calls(slow, "a"))
    assert proofs[:4] == [8, 16, 32, 64]
    assert proofs[-2:] == [MAX_PROOF_CALLS, MAX_PROOF_CALLS]


def test_a_relapse_after_a_long_time_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(routes, "monotonic", lambda: now)
    slow = SlowRoutes()
    for _ in range(3):
        slow.seen_slow("a")
    now = RELAPSE_SECONDS
    slow.seen_slow("a")
    assert quick_calls(slow, "a") == FIRST_PROOF_CALLS


def test_the_table_is_bounded_and_forgets_the_oldest() -> None:
    slow = SlowRoutes()
    for number in range(MAX_ROUTES):
        slow.seen_slow(number)
    slow.seen_slow(0)  # the newest now
    slow.seen_slow("one more")
    assert len(slow.routes) == MAX_ROUTES
    assert 0 in slow.routes
    assert 1 not in slow.routes


def test_nothing_is_left_of_what_is_believed_quick_or_forgotten() -> None:
    slow = SlowRoutes()
    slow.seen_slow("quick")
    assert quick_calls(slow, "quick") == FIRST_PROOF_CALLS
    assert not slow._quick
    slow.seen_slow("forgotten")
    slow.ran_apart("forgotten", QUICK)
    for number in range(MAX_ROUTES):
        slow.seen_slow(number)
    assert not slow._quick
    assert "forgotten" not in slow.routes


def test_what_is_forgotten_may_still_end() -> None:
    slow = SlowRoutes()
    slow.ran_apart("forgotten", QUICK)
    assert not slow.routes
