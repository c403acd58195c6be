"""Slow clients hold no worker, vanished ones leave nothing, and each phase has its end."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fastraw import WSGI, FastServer, Limits, Request, Response, Timeouts
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.route import Handler
from fastraw.testing import RawClient
from tests.waiting import PATIENCE_SECONDS, eventually

MIB = 1024 * 1024
SLOW_CLIENTS = 1000
OCTETS_EACH = 6

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\nX: y\r\n"
LENGTH = HEAD + b"Content-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: u\r\n\r\n"


class App:
    """A handler for what a client can be slow at, and what became of it."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        self.closed = 0
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> object:
        path = request.path
        if path == "/echo":
            return request.body
        if path == "/big":
            return b"x" * (16 * MIB)
        if path == "/endless":
            return Response.stream(self.pieces())
        if path == "/wait":
            self.entered.release()
            assert self.go.wait(PATIENCE_SECONDS)
        elif path == "/read":
            return str(len(request.stream.read()))
        return "hello"

    def pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            with self.lock:
                self.closed += 1

    def stream_body(self, request: Request) -> bool:
        return request.path in ("/read", "/unread")


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Poller]:
    monkeypatch.setattr("fastraw.running.default_poller", request.param)
    return request.param  # type: ignore[no-any-return]


def connect(running: FastServer) -> RawClient:
    return RawClient(("127.0.0.1", running.port))


def request(path: str, version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode()


def answers(running: FastServer) -> bool:
    with connect(running) as client:
        client.send(request("/"))
        return client.response().body == b"hello"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Slow to send.


@pytest.mark.parametrize("message", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_octet_by_octet_holds_no_worker(message: bytes, poller: type[Poller]) -> None:
    with FastServer(App(), port=0, workers=1) as running, ExitStack() as stack:
        clients = [stack.enter_context(connect(running)) for _ in range(8)]
        for octet in message[:-1]:
            for client in clients:
                client.send(bytes([octet]))
            assert running.stats().running == 0
        assert answers(running)
        wanted = b"hello!" if message is CHUNKED else message[-26:]
        for client in clients:
            client.send(message[-1:])
            assert client.response().body == wanted


def test_a_thousand_slow_clients_and_two_workers(poller: type[Poller]) -> None:
    before = descriptors()
    with FastServer(App(), port=0, workers=2) as running, ExitStack() as stack:
        clients = [stack.enter_context(connect(running)) for _ in range(SLOW_CLIENTS)]
        for number in range(OCTETS_EACH):
            for client in clients:
                client.send(LENGTH[number : number + 1])
            assert answers(running)
            assert eventually(lambda: running.stats().running == 0)
            assert running.stats().queued == 0
        assert eventually(lambda: running.stats().connections == SLOW_CLIENTS)
        for client in clients[::50]:
            client.send(LENGTH[OCTETS_EACH:])
            assert client.response().status == 200
    assert descriptors() == before


# Slow to read.


def test_readers_that_never_read_hold_no_worker(poller: type[Poller]) -> None:
    app = App()
    with FastServer(app, port=0, workers=2) as running, ExitStack() as stack:
        for path in ("/big", "/endless") * 10:
            client = stack.enter_context(connect(running))
            client.send(request(path))
        assert eventually(lambda: running.stats().requests >= 20)
        assert eventually(lambda: running.stats().running == 0)
        assert answers(running)
        assert eventually(lambda: running.stats().connections == 20)
        assert running.stop(timeout=0).aborted == 20
        assert app.closed == 10


def test_a_slow_reader_gets_everything(poller: type[Poller]) -> None:
    with FastServer(App(), port=0) as running, connect(running) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(request("/big") + request("/"))
        assert eventually(lambda: running.stats().running == 0)
        assert client.response().body == b"x" * (16 * MIB)
        assert client.response().body == b"hello"


# Gone.


def leave(client: RawClient) -> None:
    client.close()


def reset(client: RawClient) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("go", [leave, reset])
@pytest.mark.parametrize("message", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_gone_after_any_octet(
    message: bytes, go: Callable[[RawClient], None], poller: type[Poller]
) -> None:
    before = descriptors()
    limits = Limits(body_memory_bytes=3)  # so that there is a file to give back
    with FastServer(App(), port=0, workers=1, limits=limits) as running:
        for size in range(len(message) + 1):
            client = connect(running)
            client.send(message[:size])
            go(client)
        assert eventually(lambda: running.stats().connections == 0)
        assert answers(running)
    assert descriptors() == before


@pytest.mark.parametrize("go", [leave, reset])
def test_gone_in_every_other_phase(go: Callable[[RawClient], None], poller: type[Poller]) -> None:
    before = descriptors()
    app = App()
    with FastServer(app, port=0, workers=4) as running:
        waiting, queued = [], []
        for _ in range(4):  # a handler runs
            waiting.append(connect(running))
            waiting[-1].send(request("/wait"))
        assert eventually(lambda: running.stats().running >= 1)
        for _ in range(3):  # waits for a worker
            queued.append(connect(running))
            queued[-1].send(request("/wait"))
        assert eventually(lambda: running.stats().running + running.stats().queued == 7)
        for client in (*waiting, *queued):
            go(client)
        app.go.set()
        assert eventually(lambda: running.stats().connections == 0)
        for path in ("/big", "/endless"):  # an answer is on its way
            client = connect(running)
            client.send(request(path))
            assert client.sock.recv(10)
            go(client)
        unread = connect(running)  # content is skipped
        unread.send(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        assert unread.response().body == b"hello"
        go(unread)
        lingering = connect(running)  # the last answer has been given
        lingering.send(b"\0")
        assert lingering.response().status == 400
        go(lingering)
        assert eventually(lambda: running.stats().connections == 0)
        assert app.closed == 1
        assert answers(running)
    assert descriptors() == before


# The end of each phase.

SHORT = Timeouts(
    head_seconds=0.3, body_seconds=0.3, write_seconds=0.3, idle_seconds=0.3, queue_seconds=0.3
)


@pytest.mark.usefixtures("quick_sweeps")
def test_each_phase_has_its_end(poller: type[Poller], caplog: pytest.LogCaptureFixture) -> None:
    """All at once."""
    app = App()
    with FastServer(app, port=0, workers=4, timeouts=SHORT) as running, ExitStack() as stack:

        def client(*sent: bytes) -> RawClient:
            found = stack.enter_context(connect(running))
            found.send(*sent)
            return found

        silent = client()
        kept = client(request("/"))
        head = client(LENGTH[:20])
        head_of_second = client(request("/") + LENGTH[:20])
        body = client(LENGTH[:-1])
        chunks = client(CHUNKED[:-1])
        streamed = client(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        unread = client(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        parked = client(request("/big"))
        endless = client(request("/endless"))
        lingering = client(b"\0")

        for first in (kept, head_of_second, unread):
            assert first.response().body == b"hello"
        for ending in (head, head_of_second, body, chunks):
            response = ending.response()
            assert (response.status, response.closes) == (408, True)
            ending.expect_end()
        assert streamed.response().status == 408
        streamed.expect_end()
        assert lingering.response().status == 400
        # Nobody waits for an answer here, and a second one would be taken for the next one's.
        for nothing_more in (silent, kept, unread, lingering):
            nothing_more.expect_end()
        # What is read before the end comes is progress, and puts it off.
        assert eventually(lambda: running.stats().connections == 0)
        assert app.closed == 1
        assert len(parked.expect_cut()) < 16 * MIB
        endless.expect_cut()
    assert not caplog.records


def test_waiting_too_long_for_a_worker_is_503(poller: type[Poller]) -> None:
    app = App()
    timeouts = Timeouts(queue_seconds=0.1)
    with FastServer(app, port=0, workers=1, timeouts=timeouts) as running, ExitStack() as stack:
        clients = [stack.enter_context(connect(running)) for _ in range(4)]
        clients[0].send(request("/wait"))
        assert app.entered.acquire(timeout=PATIENCE_SECONDS)
        assert eventually(lambda: running.stats().running == 1)
        for client in clients[1:]:
            client.send(request("/wait"))
        refused = 0
        for client in clients[1:]:
            if refused or not app.entered.acquire(timeout=0.5):
                response = client.response()
                assert response.status == 503
                assert response.get("retry-after") == "5"
                assert not response.closes
                refused += 1
        assert refused >= 2
        app.go.set()
        assert clients[0].response().status == 200
        clients[-1].send(request("/wait"))  # the connection is still good
        assert clients[-1].response().status == 200


@pytest.mark.parametrize("phase", ["idle", "head", "body", "write"])
def test_a_timeout_that_is_off_never_ends(phase: str) -> None:
    """The deadline is never: there is nothing that a test could wait for."""
    timeouts = Timeouts(**{f"{phase}_seconds": None})
    sent = {"idle": b"", "head": LENGTH[:20], "body": LENGTH[:-1], "write": request("/big")}
    with (
        FastServer(App(), port=0, timeouts=timeouts) as running,
        connect(running) as client,
    ):
        client.send(sent[phase])
        assert running._running is not None
        tasks = running._running.service.tasks

        def deadlines() -> list[float]:
            return [task.deadline for task in list(tasks)]

        # The listener's is never, too.
        assert eventually(lambda: deadlines() == [float("inf")] * 2)


def test_progress_of_an_answer_is_what_counts() -> None:
    """A client that goes on reading is never cut off, however long it takes."""
    timeouts = Timeouts(write_seconds=0.6)
    with FastServer(App(), port=0, timeouts=timeouts) as running, connect(running) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(request("/big"))
        until = time.monotonic() + 2.2  # two sweeps and more
        received = 0
        while time.monotonic() < until:
            received += len(client.sock.recv(65536))
            time.sleep(0.02)
        while received < 16 * MIB:
            data = client.sock.recv(1 << 20)
            assert data, "it was cut off"
            received += len(data)


def write_much(environ: object, start_response: Callable[..., Callable[[bytes], object]]) -> object:
    """A WSGI application that waits for its client on a thread of its own."""
    write = start_response("200 OK", [("Content-Length", str(16 * MIB))])
    write(b"x" * (16 * MIB))
    return []


@pytest.mark.usefixtures("quick_sweeps")
@pytest.mark.parametrize("handler", [App(), WSGI(write_much)], ids=["parked", "waiting"])
def test_little_progress_counts_too(handler: Handler) -> None:
    """The poller speaks of room when a third of the kernel's buffer is free, here some 870 KB; a
    client that takes less than that in write_seconds, but takes something, is not cut off."""
    timeouts = Timeouts(write_seconds=0.3)
    with FastServer(handler, port=0, timeouts=timeouts) as running, connect(running) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(request("/big"))
        until = time.monotonic() + 1.5  # five times write_seconds
        received = 0
        while time.monotonic() < until:
            data = client.sock.recv(65536)
            assert data, "it was cut off"
            received += len(data)
            time.sleep(0.04)
        while received < 16 * MIB:
            data = client.sock.recv(1 << 20)
            assert data, "it was cut off"
            received += len(data)


@pytest.mark.usefixtures("quick_sweeps")
def test_a_handler_that_waits_for_a_client_that_takes_nothing() -> None:
    timeouts = Timeouts(write_seconds=0.1)
    with (
        FastServer(WSGI(write_much), port=0, timeouts=timeouts) as running,
        connect(running) as client,
    ):
        client.send(request("/"))
        assert eventually(lambda: running.stats().requests == 1)
        assert eventually(lambda: running.stats().connections == 0)
        client.expect_cut()


def test_timeouts_of_months() -> None:
    """A handler's thread waits for the client with poll(), whose milliseconds are a C int."""
    months = Timeouts(write_seconds=1e8, body_seconds=1e8)
    message = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
    with FastServer(App(), port=0, timeouts=months) as running, connect(running) as client:
        client.send(message)
        assert eventually(lambda: running.stats().running == 1)
        client.send(b"ab")
        assert client.response().body == b"2"
    with (
        FastServer(WSGI(write_much), port=0, timeouts=months) as running,
        connect(running) as client,
    ):
        client.send(request("/"))
        assert len(client.response().body) == 16 * MIB
