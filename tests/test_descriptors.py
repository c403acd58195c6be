"""No descriptors left: accepting waits, without spinning or filling the log, and goes on."""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from fastraw import FastServer, Request
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.testing import RawClient
from tests.waiting import PATIENCE_SECONDS, eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MOST_CPU = 0.05


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Poller]:
    monkeypatch.setattr("fastraw.running.default_poller", request.param)
    return request.param  # type: ignore[no-any-return]


class Lines(logging.Handler):
    """Notes each line of the error log as it comes; the test waits for them without a look."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[float, float, str]] = []
        self._more = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((time.monotonic(), time.process_time(), record.getMessage()))
        self._more.release()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._more.acquire(timeout=PATIENCE_SECONDS)


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    logger = logging.getLogger("fastraw.error")
    logger.addHandler(found)
    logger.propagate = False
    yield found
    logger.propagate = True
    logger.removeHandler(found)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let the process open none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.dup(0)
    os.close(last)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hello(request: Request) -> bytes:
    return b"hello"


def check_work(lines: Lines) -> None:
    """What the whole process did between the first line and the last, and how often it said so."""
    times = [when for when, _, _ in lines.lines]
    # A line is a second after the last one, but for what it takes to write one.
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times))
    first, last = lines.lines[0], lines.lines[-1]
    assert last[1] - first[1] < MOST_CPU * (last[0] - first[0])


def test_out_of_descriptors(poller: type[Poller], lines: Lines) -> None:
    with FastServer(hello, port=0) as running, RawClient(running.address) as kept:
        kept.send(GET)
        assert kept.response().body == b"hello"
        waiting = [socket.socket() for _ in range(5)]
        with no_descriptors():
            for sock in waiting:
                sock.connect(running.address)
                sock.sendall(GET)
            lines.wait_for(2)
            # Those that are there already are served all the while.
            kept.send(GET)
            assert kept.response().body == b"hello"
            assert running.stats().connections == 1
        for sock in waiting:
            sock.settimeout(PATIENCE_SECONDS)
            assert sock.recv(4096).endswith(b"hello")
            sock.close()
        check_work(lines)
        message = "Cannot accept connections for now: Too many open files"
        assert {line for _, _, line in lines.lines} == {message}


def test_out_of_descriptors_without_connections(poller: type[Poller], lines: Lines) -> None:
    """Nothing else wakes the server then."""
    with FastServer(hello, port=0) as running, socket.socket() as sock:
        with no_descriptors():
            sock.connect(running.address)
            sock.sendall(GET)
            lines.wait_for(1)
        sock.settimeout(PATIENCE_SECONDS)
        assert sock.recv(4096).endswith(b"hello")


def test_stop_while_out_of_descriptors(poller: type[Poller], lines: Lines) -> None:
    running = FastServer(hello, port=0)
    running.start()
    with socket.socket() as sock, no_descriptors():
        sock.connect(running.address)
        lines.wait_for(1)
        assert running.stop().aborted == 0
    with running:
        assert eventually(lambda: running.stats().connections == 0)


def test_content_that_cannot_be_stored_for_want_of_a_descriptor(lines: Lines) -> None:
    with FastServer(hello, port=0) as running, RawClient(running.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert eventually(lambda: running.stats().connections == 1)
        with no_descriptors():
            client.send(b"x" * 100_000)
            response = client.response()
            assert (response.status, response.closes) == (500, True)
        assert "Too many open files" in lines.lines[0][2]


def test_a_listener_that_somebody_shuts_down_does_not_spin(
    poller: type[Poller], lines: Lines
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as owner,
        FastServer(hello, fd=owner.fileno()) as running,
        RawClient(running.address) as client,
    ):
        client.send(GET)
        assert client.response().body == b"hello"
        owner.shutdown(socket.SHUT_RDWR)
        lines.wait_for(2)
        client.send(GET)
        assert client.response().body == b"hello"
        check_work(lines)
