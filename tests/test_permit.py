"""When a permit's holder looks for a moment before it sleeps, and what is known of no holder."""

from __future__ import annotations

from fastraw.engine.permit import MAX_SHORT_SLEEPS, VAIN_LOOKS, Permit


def short_sleeps_until_it_looks(permit: Permit) -> int:
    count = 0
    while not permit.looks:
        permit.slept(short=True)
        count += 1
    return count


def look_in_vain(permit: Permit) -> None:
    for _ in range(VAIN_LOOKS):
        assert permit.looks
        permit.looked(found=False)
    assert not permit.looks


def test_it_looks_after_a_short_sleep_and_stops_when_that_is_in_vain() -> None:
    permit = Permit()
    assert not permit.looks
    permit.slept(short=False)
    assert not permit.looks
    assert short_sleeps_until_it_looks(permit) == 1
    look_in_vain(permit)


def test_each_time_it_stops_it_takes_twice_as_many_short_sleeps() -> None:
    permit = Permit()
    counts = []
    while counts[-2:] != [MAX_SHORT_SLEEPS] * 2:
        counts.append(short_sleeps_until_it_looks(permit))
        look_in_vain(permit)
    assert counts == [1, 2, 4, 8, 16, 32, MAX_SHORT_SLEEPS, MAX_SHORT_SLEEPS]


def test_a_look_that_finds_something_begins_anew() -> None:
    permit = Permit()
    for _ in range(3):
        short_sleeps_until_it_looks(permit)
        look_in_vain(permit)
    short_sleeps_until_it_looks(permit)
    for _ in range(VAIN_LOOKS - 1):
        permit.looked(found=False)
    permit.looked(found=True)
    look_in_vain(permit)
    assert short_sleeps_until_it_looks(permit) == 2


def test_short_sleeps_count_in_a_row() -> None:
    permit = Permit()
    short_sleeps_until_it_looks(permit)
    look_in_vain(permit)
    permit.slept(short=True)
    permit.slept(short=False)
    assert short_sleeps_until_it_looks(permit) == 2


def test_while_it_changes_hands_nothing_is_called_and_nobody_waits() -> None:
    permit = Permit()
    permit.mark()
    assert permit.call() is None
    assert not permit.waits_for_processor()
