"""The rules of engine/watchdog.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fastraw.engine import watchdog
from fastraw.engine.watchdog import AGAIN_SECONDS, QUIET_TICKS, TICK_SECONDS, Watchdog, Watched
from tests.waiting import eventually

SOON_SECONDS = 10.0


class Permit:
    """Shows a call, is busy while it does, and counts how often it was looked at."""

    def __init__(self) -> None:
        self.busy_for_ever = False
        self.shown: object | None = None
        self.looks = 0
        self.marks = 0
        self.starves = False
        self.looked = threading.Condition()
        self.before_look: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        self.before_look()
        return self.busy_for_ever or self.shown is not None

    @busy.setter
    def busy(self, busy: bool) -> None:
        self.busy_for_ever = busy

    def call(self) -> object | None:
        self.before_look()
        with self.looked:
            self.looks += 1
            self.looked.notify_all()
        return self.shown

    def mark(self) -> None:
        self.marks += 1

    def waits_for_processor(self) -> bool:
        return self.starves

    def wait_for_looks(self, count: int) -> None:
        with self.looked:
            wanted = self.looks + count
            assert self.looked.wait_for(lambda: self.looks >= wanted, SOON_SECONDS)


class Watch:
    """A watchdog over some permits, and what it took back."""

    def __init__(self, count: int = 1) -> None:
        self.permits = [Permit() for _ in range(count)]
        self.retaken: list[tuple[Watched, object]] = []
        self.took = threading.Event()
        watched: list[Watched] = list(self.permits)
        self.dog = Watchdog(watched, self.retake)

    def retake(self, permit: Watched, call: object) -> None:
        self.retaken.append((permit, call))
        self.took.set()

    def show(self, call: object, place: int = 0) -> None:
        """What a permit holder does: show the call first, then look whether the dog sleeps."""
        self.permits[place].shown = call
        if self.dog.asleep:
            self.dog.rouse()


@contextmanager
def watching(count: int = 1) -> Iterator[Watch]:
    watch = Watch(count)
    watch.dog.start()
    try:
        yield watch
    finally:
        watch.dog.stop()


def test_it_sleeps_without_waking_when_nothing_runs() -> None:
    with watching() as watch:
        assert eventually(lambda: watch.dog.asleep)
        looks = watch.permits[0].looks
        threading.Event().wait(0.05)  # the absence of looks has no event
        assert watch.permits[0].looks == looks


def test_it_stays_awake_while_a_holder_is_busy_between_calls() -> None:
    with watching() as watch:
        assert eventually(lambda: watch.dog.asleep)
        watch.permits[0].busy = True
        watch.dog.rouse()
        watch.permits[0].wait_for_looks(2 * QUIET_TICKS)
        assert not watch.dog.asleep
        watch.permits[0].shown = "long"
        assert watch.took.wait(SOON_SECONDS)
        watch.permits[0].shown = None
        watch.permits[0].busy = False
        assert eventually(lambda: watch.dog.asleep)


def test_it_falls_asleep_again_after_a_while() -> None:
    with watching() as watch:
        assert eventually(lambda: watch.dog.asleep)
        watch.show("call")
        watch.permits[0].wait_for_looks(2)
        assert not watch.dog.asleep
        watch.permits[0].shown = None
        watch.permits[0].wait_for_looks(QUIET_TICKS)
        assert eventually(lambda: watch.dog.asleep)


def test_a_long_call_loses_the_permit() -> None:
    with watching() as watch:
        watch.show("long")
        assert watch.took.wait(SOON_SECONDS)
        assert watch.retaken[0] == (watch.permits[0], "long")


def test_it_takes_two_sightings_of_the_same_call() -> None:
    with watching() as watch:

        def another() -> None:
            watch.permits[0].shown = object()

        watch.permits[0].before_look = another
        watch.show(object())
        watch.permits[0].wait_for_looks(20)
        assert not watch.retaken


def test_a_holder_that_waits_for_a_processor_keeps_the_permit() -> None:
    with watching() as watch:
        watch.permits[0].starves = True
        watch.show("long")
        watch.permits[0].wait_for_looks(20)
        assert not watch.retaken
        assert watch.permits[0].marks == 1
        watch.permits[0].starves = False
        assert watch.took.wait(SOON_SECONDS)


def test_a_permit_that_cannot_be_taken_is_tried_again() -> None:
    with watching() as watch:
        watch.show("long")
        assert eventually(lambda: len(watch.retaken) >= 3)


# When it looks, with its sleep as the only clock: each line is what it finds by one look.

Found = tuple[object | None, ...]


def steps(monkeypatch: pytest.MonkeyPatch, found: list[Found]) -> tuple[list[float], Watch]:
    """How long it slept before each look, and what came of that."""
    watch = Watch(len(found[0]))
    left, slept = list(found), list[float]()

    def sleep(seconds: float) -> None:
        assert not watch.dog.asleep
        slept.append(seconds)
        for permit, shown in zip(watch.permits, left.pop(0), strict=True):
            permit.shown = shown
        watch.dog._stopping = not left

    monkeypatch.setattr(watchdog, "time", SimpleNamespace(sleep=sleep))
    watch.dog._rouse.release()  # by a holder that has found it asleep
    watch.dog._run()
    return slept, watch


def test_what_is_found_is_looked_at_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, fourth = object(), object(), object(), object()
    found: list[object] = [first, first, first, None, second, third, fourth, None]
    slept, watch = steps(monkeypatch, [(each,) for each in found])
    tick, again = TICK_SECONDS, AGAIN_SECONDS
    assert slept == [tick, again, again, again, tick, again, tick, again]
    assert watch.retaken == [(watch.permits[0], first)] * 2
    assert watch.permits[0].marks == 4


def test_a_new_call_puts_off_no_look_at_another(monkeypatch: pytest.MonkeyPatch) -> None:
    slept, _ = steps(monkeypatch, [("long", None), ("long", "new"), (None, None)])
    assert slept == [TICK_SECONDS, AGAIN_SECONDS, AGAIN_SECONDS]


def test_a_job_that_has_ended_meanwhile_is_a_new_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a stream's, which is run again and again."""
    _, watch = steps(monkeypatch, [("stream",), (None,), ("stream",), (None,)])
    assert watch.retaken == []


def test_awake_it_is_not_said_to_sleep() -> None:
    """Though it has found somebody busy when it was about to, or has been roused before."""
    before = Watch()
    before.permits[0].busy = True
    before.dog._sleep()
    assert not before.dog.asleep
    assert before.dog._rouse.locked()
    before.dog.asleep = True
    before.dog.rouse()
    assert not before.dog.asleep


def test_each_permit_is_counted_by_itself() -> None:
    with watching(2) as watch:
        long = "long"
        watch.permits[1].before_look = lambda: setattr(watch.permits[1], "shown", object())
        watch.show(long)
        assert watch.took.wait(SOON_SECONDS)
        watch.permits[1].wait_for_looks(10)
        assert {id(permit) for permit, _ in watch.retaken} == {id(watch.permits[0])}


def test_a_call_shown_while_it_falls_asleep_is_seen() -> None:
    """Rule 3, forced: the holder shows its call after the dog's last look that finds nothing, and
    before it says that it sleeps; and then the other way round."""
    with watching() as watch:
        assert eventually(lambda: watch.dog.asleep)
        # The holder looks first, the dog second: the call is shown, but the dog is not roused,
        # as by a holder that saw it awake; its look after "asleep" finds the call.
        watch.dog.rouse()

        def last_moment() -> None:
            if watch.dog.asleep:
                watch.permits[0].shown = "shown without rousing"

        watch.permits[0].before_look = last_moment
        assert watch.took.wait(SOON_SECONDS)


def test_rousing_twice_is_rousing() -> None:
    with watching() as watch:
        assert eventually(lambda: watch.dog.asleep)
        for _ in range(5):
            watch.dog.rouse()
        watch.show("long")
        assert watch.took.wait(SOON_SECONDS)


@pytest.mark.parametrize("busy", [False, True])
def test_stop_ends_the_thread(busy: bool) -> None:
    before = threading.active_count()
    with watching() as watch:
        if busy:
            watch.show("long")
            assert watch.took.wait(SOON_SECONDS)
        else:
            assert eventually(lambda: watch.dog.asleep)
    assert threading.active_count() == before
