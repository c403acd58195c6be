"""The rules of engine/poller.py, on both pollers."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from fastraw.engine.poller import (
    HANGUP,
    READABLE,
    WRITABLE,
    EpollPoller,
    Poller,
    SelectorPoller,
    default_poller,
    wait_until,
)
from tests.waiting import eventually

SOON_SECONDS = 10.0
NOTHING: list[tuple[int, int]] = []


@pytest.fixture(
    params=[
        pytest.param(
            EpollPoller,
            marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here"),
        ),
        SelectorPoller,
    ]
)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    found: Poller = request.param()
    yield found
    found.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def poll(poller: Poller, timeout: float | None = None) -> list[tuple[int, int]]:
    """What is ready. Epoll's own descriptor, by which it is woken, is no one's and passed over."""
    own = poller._wake.fileno() if isinstance(poller, EpollPoller) else -1
    return [(fd, mask) for fd, mask in poller.poll(timeout) if fd != own]


def settle(poller: Poller, fd: int) -> None:
    """Take the first event that an edge-triggered poller has of a socket that can be written."""
    if not poller.needs_rearm:
        assert [fd for fd, _ in poll(poller, SOON_SECONDS)] == [fd]


def in_background(poller: Poller) -> Callable[[], list[tuple[int, int]]]:
    """Poll on another thread; what it gives waits for the events."""
    events: list[list[tuple[int, int]]] = []
    thread = threading.Thread(target=lambda: events.append(poll(poller, SOON_SECONDS)))
    thread.start()

    def wait() -> list[tuple[int, int]]:
        thread.join(SOON_SECONDS)
        assert not thread.is_alive(), "it still polls"
        return events[0]

    return wait


def fill(sock: socket.socket) -> None:
    """Send until it would block."""
    try:
        while sock.send(b"x" * 65536):
            pass
    except BlockingIOError:
        pass


def empty(sock: socket.socket) -> None:
    """Receive until it would block."""
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        pass


def test_new_octets_are_reported_once(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    theirs.send(b"x")
    ((fd, mask),) = poll(poller, SOON_SECONDS)
    assert fd == ours.fileno()
    assert mask & READABLE
    assert poll(poller, 0) == NOTHING


def test_octets_that_came_before_are_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    poller.add(ours.fileno())
    ((fd, mask),) = poll(poller, SOON_SECONDS)
    assert (fd, mask & READABLE) == (ours.fileno(), READABLE)


def test_octets_after_letting_go_are_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    for _ in range(3):
        theirs.send(b"x")
        assert len(poll(poller, SOON_SECONDS)) == 1
        ours.recv(10)
        poller.rearm(ours.fileno(), READABLE)


def test_octets_that_came_while_busy_are_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    theirs.send(b"x")
    assert len(poll(poller, SOON_SECONDS)) == 1
    ours.recv(10)
    theirs.send(b"y")
    poller.rearm(ours.fileno(), READABLE)
    assert len(poll(poller, SOON_SECONDS)) == 1


def test_the_end_is_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    theirs.shutdown(socket.SHUT_WR)
    ((fd, mask),) = poll(poller, SOON_SECONDS)
    assert fd == ours.fileno()
    assert mask & (READABLE | HANGUP)


def test_room_to_send_is_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    fill(ours)
    poller.rearm(ours.fileno(), WRITABLE)
    assert poll(poller, 0) == NOTHING
    theirs.setblocking(False)
    empty(theirs)
    ((fd, mask),) = poll(poller, SOON_SECONDS)
    assert (fd, mask & WRITABLE) == (ours.fileno(), WRITABLE)


def test_removed_is_reported_no_more(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    poller.remove(ours.fileno())
    theirs.send(b"x")
    assert poll(poller, 0) == NOTHING


def test_a_descriptor_used_again_is_reported_for_its_new_owner(poller: Poller, pair: Pair) -> None:
    first, theirs = socket.socketpair()
    number = first.fileno()
    poller.add(number)
    settle(poller, number)
    theirs.send(b"x")
    poller.remove(number)
    first.close()
    theirs.close()
    # The lowest free number: the one that was just given back.
    again = os.dup(pair[0].fileno())
    assert again == number
    poller.add(again)
    settle(poller, number)
    pair[1].send(b"y")
    assert [fd for fd, _ in poll(poller, SOON_SECONDS)] == [number]
    poller.remove(again)
    os.close(again)


def test_wake_ends_a_poll(poller: Poller) -> None:
    wait = in_background(poller)
    poller.wake()
    assert wait() == NOTHING


def test_wake_is_kept_for_the_next_poll(poller: Poller) -> None:
    poller.wake()
    poll(poller, SOON_SECONDS)  # returns at once, or the test takes long
    poll(poller, 0)


def test_many_wakes_are_no_more_than_one(poller: Poller) -> None:
    for _ in range(100_000 if poller.needs_rearm else 1000):
        poller.wake()
    poll(poller, SOON_SECONDS)


def test_wake_is_used_up_by_the_poll_that_it_ends(poller: Poller) -> None:
    for _ in range(3):
        poller.wake()
    poll(poller, SOON_SECONDS)
    if isinstance(poller, SelectorPoller):
        with pytest.raises(BlockingIOError):
            poller._ours.recv(1)
    assert poller.poll(0) == NOTHING


def test_a_descriptor_that_was_closed_before_it_is_watched_costs_nothing(pair: Pair) -> None:
    poller = SelectorPoller()
    gone = os.dup(pair[0].fileno())
    os.close(gone)
    poller.rearm(gone, READABLE)
    poller.rearm(pair[0].fileno(), WRITABLE)
    assert poller.poll(SOON_SECONDS) == [(pair[0].fileno(), WRITABLE)]
    poller.close()


@pytest.mark.parametrize("by", ["poll", "select"])
def test_one_socket_is_waited_for(by: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "select":
        monkeypatch.delattr(select, "poll", raising=False)
    assert wait_until(pair[0], WRITABLE, SOON_SECONDS)
    assert not wait_until(pair[0], READABLE, 0)
    pair[1].send(b"!")
    assert wait_until(pair[0], READABLE, None)


def test_wake_of_a_closed_poller_does_nothing(poller: Poller, pair: Pair) -> None:
    """It may come late, from any thread; the descriptor may have another owner by then."""
    closed = type(poller)()
    closed.close()
    with open(os.devnull, "wb") as other:
        closed.wake()
        assert other.tell() == 0
    if closed.needs_rearm:
        closed.remove(pair[0].fileno())  # a connection that outlives the threads


@pytest.mark.skipif(os.name != "posix", reason="the system has no such pipes")
def test_a_wake_during_close_writes_into_nothing_else(poller: Poller) -> None:
    """Closing and waking race, many times; pipes take over the descriptors at once."""

    def wake(poller: Poller, going: threading.Event) -> None:
        for _ in range(300):
            poller.wake()
            going.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            closed = type(poller)()
            going = threading.Event()
            waker = threading.Thread(target=wake, args=(closed, going))
            waker.start()
            going.wait()
            closed.close()
            pipes = [os.pipe() for _ in range(3)]
            waker.join()
            for ends in pipes:
                os.close(ends[1])
                strays = os.read(ends[0], 8)
                os.close(ends[0])
                assert not strays
    finally:
        sys.setswitchinterval(interval)


def test_what_is_added_while_another_thread_polls_is_reported(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    wait = in_background(poller)
    poller.add(ours.fileno())
    # A selector returns without events first, to take the descriptor in.
    events = wait() or poll(poller, SOON_SECONDS)
    assert [fd for fd, _ in events] == [ours.fileno()]


def test_what_is_removed_while_another_thread_polls_is_not_reported(
    poller: Poller, pair: Pair
) -> None:
    ours, theirs = pair
    poller.add(ours.fileno())
    settle(poller, ours.fileno())
    wait = in_background(poller)
    if isinstance(poller, SelectorPoller):
        assert eventually(poller._turn.locked)
    poller.remove(ours.fileno())
    theirs.send(b"x")
    poller.wake()
    wait()  # an event may have been on its way, but none is after it
    assert poll(poller, 0) == NOTHING


def test_a_timeout_passes(poller: Poller) -> None:
    assert poll(poller, 0.001) == NOTHING


def test_each_event_reaches_one_of_several_threads(poller: Poller) -> None:
    """Rule 2: nothing is lost and nothing comes twice."""
    pairs = [socket.socketpair() for _ in range(40)]
    for ours, _ in pairs:
        poller.add(ours.fileno())
        settle(poller, ours.fileno())
    seen: list[int] = []

    def collect() -> None:
        while len(seen) < len(pairs):
            seen.extend(fd for fd, _ in poll(poller, SOON_SECONDS))
        poller.wake()  # the next one sees that there is no more to come

    threads = [threading.Thread(target=collect) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _, theirs in pairs:
        theirs.send(b"x")
    for thread in threads:
        thread.join(SOON_SECONDS)
    assert sorted(seen) == sorted(ours.fileno() for ours, _ in pairs)
    for ours, theirs in pairs:
        poller.remove(ours.fileno())
        ours.close()
        theirs.close()


def test_closed_without_a_descriptor_left() -> None:
    for kind in (EpollPoller, SelectorPoller):
        if kind is EpollPoller and not hasattr(select, "epoll"):
            continue
        before = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
        kind().close()
        after = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
        assert before == after


def test_default() -> None:
    poller = default_poller()
    assert poller.needs_rearm is not hasattr(select, "epoll")
    poller.close()
