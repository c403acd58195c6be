"""Which sockets are ready: epoll on Linux, `selectors` elsewhere.

Rules that the connections rely on, the same for both:

1. A descriptor is added once and reported once for each change: new octets, room to send, or the
   peer's end. Whoever is told goes on until the socket would block.
2. Any number of threads may poll at once. Each event reaches one of them.
3. `wake` makes one thread that polls, or the next one that does, return.
4. Events are hints. One may come for a descriptor that was closed and used again; its new owner
   sees no more than a `recv` that would block.
5. A poller that `needs_rearm` reports a descriptor once and then not again until `rearm`; nothing
   is lost in between, since it looks at the state, not at the change.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import sys
import threading
from collections import deque
from typing import Protocol

# The values of EPOLLIN, EPOLLOUT and of EPOLLERR | EPOLLHUP | EPOLLRDHUP, given by both pollers.
READABLE = 0x001
WRITABLE = 0x004
HANGUP = 0x008 | 0x010 | 0x2000

# Events taken at once: enough to spread the cost of the system call, few enough that another
# permit finds work, and that the kernel's buffer (12 octets each) is small.
EVENTS_AT_ONCE = 64

# poll() counts milliseconds in a C int. Nobody tells this time, some 24 days, from a longer one.
LONGEST_WAIT_SECONDS = (2**31 - 1) // 1000

# What is added to an eventfd's counter.
_ONE = (1).to_bytes(8, sys.byteorder)


class Poller(Protocol):
    """What the scheduler and the connections need of either."""

    needs_rearm: bool

    def add(self, fd: int) -> None: ...
    def remove(self, fd: int) -> None: ...
    def rearm(self, fd: int, mask: int) -> None: ...
    def poll(self, timeout: float | None = None, maxevents: int = ...) -> list[tuple[int, int]]: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class EpollPoller:
    """Edge-triggered epoll: one `epoll_ctl` in a connection's life, none for a request."""

    needs_rearm = False

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.poll = self._epoll.poll
        # Every write to an eventfd is an edge, so it is never read: its counter would take
        # centuries to fill.
        try:
            descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError:
            self._epoll.close()
            raise
        self._wake = os.fdopen(descriptor, "wb", buffering=0)
        self._epoll.register(self._wake, select.EPOLLIN | select.EPOLLET)
        # A write gives the GIL away before it begins; the descriptor could be closed in between,
        # and be somebody else's when the octets are written.
        self._wake_lock = threading.Lock()

    def add(self, fd: int) -> None:
        """Report `fd` from now on."""
        events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        self._epoll.register(fd, events)

    def remove(self, fd: int) -> None:
        """Report `fd` no more. Closing the socket does the same."""
        self._epoll.unregister(fd)

    def rearm(self, fd: int, mask: int) -> None:
        """Nothing to do: an edge is reported whenever it comes."""

    def wake(self) -> None:
        """One more edge for whoever polls; nothing when it is closed."""
        with self._wake_lock:
            if not self._wake.closed:
                self._wake.write(_ONE)

    def close(self) -> None:
        """Give the descriptors back. No thread may be polling."""
        self._epoll.close()
        with self._wake_lock:
            self._wake.close()


class SelectorPoller:
    """The same over `selectors`, level-triggered: a descriptor that was reported is taken out,
    and put in again when its connection is let go."""

    needs_rearm = True

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # One thread is in select() at a time; the others wait for it to come back.
        self._turn = threading.Lock()
        # (fd, mask) to put in, mask 0 to take out; done by the thread whose turn it is, since a
        # selector's table must not change under select().
        self._changes: deque[tuple[int, int]] = deque()
        try:
            self._ours, self._theirs = socket.socketpair()
        except OSError:
            self._selector.close()
            raise
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._wake_lock = threading.Lock()  # as in EpollPoller

    def add(self, fd: int) -> None:
        """Report `fd` from now on."""
        self.rearm(fd, READABLE)

    def remove(self, fd: int) -> None:
        """Report `fd` no more; called before its socket is closed."""
        self._changes.append((fd, 0))
        if self._turn.acquire(blocking=False):
            try:
                self._apply_changes()
            finally:
                self._turn.release()
        else:
            self.wake()

    def rearm(self, fd: int, mask: int) -> None:
        """Report `fd` once more, when it is READABLE or WRITABLE as `mask` says."""
        self._changes.append((fd, mask))
        if self._turn.locked():
            self.wake()

    def poll(
        self, timeout: float | None = None, maxevents: int = EVENTS_AT_ONCE
    ) -> list[tuple[int, int]]:
        """(fd, mask) of what is ready, after `timeout` seconds at most (None: no end)."""
        if not self._turn.acquire(timeout=-1 if timeout is None else timeout):
            return []
        try:
            self._apply_changes()
            events: list[tuple[int, int]] = []
            for key, ready in self._selector.select(timeout):
                if key.fileobj is self._ours:
                    self._drain_wake()
                    continue
                self._selector.unregister(key.fd)
                mask = READABLE if ready & selectors.EVENT_READ else 0
                events.append((key.fd, mask | (WRITABLE if ready & selectors.EVENT_WRITE else 0)))
            return events
        finally:
            self._turn.release()

    def _apply_changes(self) -> None:
        while self._changes:
            fd, mask = self._changes.popleft()
            if not self._selector.get_map():
                return  # closed: connections may outlive the threads
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            if mask:
                events = selectors.EVENT_READ if mask & READABLE else 0
                events |= selectors.EVENT_WRITE if mask & WRITABLE else 0
                try:
                    self._selector.register(fd, events)
                except (OSError, ValueError):
                    continue  # closed since then; its owner knows

    def _drain_wake(self) -> None:
        try:
            while len(self._ours.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def wake(self) -> None:
        """A full socket buffer will wake the poller as well as one more octet would; and nobody
        has to be woken when it is closed."""
        try:
            with self._wake_lock:
                self._theirs.send(b"!")
        except OSError:
            pass

    def close(self) -> None:
        """Give the descriptors back. No thread may be polling."""
        self._selector.close()
        self._ours.close()
        with self._wake_lock:
            self._theirs.close()


def wait_until(sock: socket.socket, mask: int, seconds: float | None) -> bool:
    """Block until one socket is READABLE or WRITABLE as `mask` says; False after `seconds`."""
    if seconds is not None:
        seconds = min(seconds, LONGEST_WAIT_SECONDS)
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, mask)  # POLLIN and POLLOUT are the same numbers everywhere
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    readers, writers = [sock] * (mask == READABLE), [sock] * (mask == WRITABLE)
    return any(select.select(readers, writers, [], seconds))


def default_poller() -> Poller:
    """The best that this system has."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
