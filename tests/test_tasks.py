"""engine/tasks.py: which task a descriptor belongs to."""

from __future__ import annotations

from typing import Any

from fastraw.engine.task import Task
from fastraw.engine.tasks import Tasks

UNUSED: Any = None


def task(fd: int) -> Task:
    return Task(fd, UNUSED)


def test_each_has_the_place_of_its_descriptor() -> None:
    tasks = Tasks()
    places = tasks.by_fd
    low, high = task(3), task(1000)
    for each in (high, low):
        tasks.add(each)
    assert tasks.by_fd is places, "holders keep the list"
    assert (places[3], places[1000], places[0]) == (low, high, None)
    assert (set(tasks), len(tasks)) == ({low, high}, 2)
    tasks.remove(high)
    assert places[1000] is None
    assert (list(tasks), len(tasks)) == ([low], 1)


def test_a_descriptor_that_has_gone_on_to_another_is_left_to_it() -> None:
    tasks = Tasks()
    before, after = task(5), task(5)
    tasks.add(before)
    tasks.remove(before)
    tasks.add(after)
    tasks.remove(before)
    assert (list(tasks), tasks.by_fd[5]) == ([after], after)


def test_what_comes_and_goes_does_not_disturb_a_walk() -> None:
    tasks = Tasks()
    for fd in range(3):
        tasks.add(task(fd))
    for each in tasks:
        tasks.remove(each)
        tasks.add(task(each.fd + 10))
    assert sorted(each.fd for each in tasks) == [10, 11, 12]
