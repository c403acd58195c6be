"""All tasks of a scheduler, by descriptor.

Each event is looked up here, by all permit holders at once: in a list, which free-threaded builds
read without a lock. A dict whose keys are ints they do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from .task import Task


class Tasks:
    """Which task a descriptor belongs to.

    Attributes:
        by_fd: the task at the place of its descriptor, None where there is none. The same list
            for ever, and long enough for each descriptor that has been added.
    """

    __slots__ = ("_open", "by_fd")

    def __init__(self) -> None:
        self.by_fd: list[Task | None] = []
        self._open: dict[int, Task] = {}

    def add(self, task: Task) -> None:
        """Called before the poller knows of its descriptor."""
        by_fd = self.by_fd
        while len(by_fd) <= task.fd:
            by_fd.append(None)
        by_fd[task.fd] = task
        self._open[task.fd] = task

    def remove(self, task: Task) -> None:
        """Called before the descriptor is closed, and so before another task can have it."""
        if self._open.get(task.fd) is task:
            self.by_fd[task.fd] = None
            del self._open[task.fd]

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Task]:
        """Those that there are now."""
        return iter(list(self._open.values()))
