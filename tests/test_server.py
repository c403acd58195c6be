"""FastServer: starting, stopping, and what it says of itself."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from fastraw import BindError, FastServer, HTTPError, Limits, Request, Response, Stats, StopReport
from fastraw.engine.listener import Listener
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.testing import RawClient
from tests.program import PYTHON, ROOT
from tests.waiting import eventually

SOON_SECONDS = 15.0
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(request: Request) -> str:
    return "hello"


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Poller]:
    monkeypatch.setattr("fastraw.running.default_poller", request.param)
    return request.param  # type: ignore[no-any-return]


def connect(server: FastServer) -> RawClient:
    return RawClient(server.address)


def ask(server: FastServer) -> bytes:
    with connect(server) as client:
        client.send(GET)
        return client.response().body


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Gate:
    """A handler that says when it is in, and stays there until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        self.left = 0

    def __call__(self, request: Request) -> str:
        if request.path == "/quick":
            return "quick"
        self.entered.release()
        assert self.go.wait(SOON_SECONDS)
        self.left += 1
        return "late"

    def wait_for(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.entered.acquire(timeout=SOON_SECONDS)


def in_background(call: Callable[[], Any]) -> Callable[[], Any]:
    """Call on another thread; what it gives waits for the result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()

    def wait() -> Any:
        thread.join(SOON_SECONDS)
        assert results, "it has not returned"
        return results[0]

    return wait


# Arguments.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"handler": None}, "handler must be callable, not None"),
        ({"host": None}, "host must be a str, not None"),
        ({"host": b"127.0.0.1"}, "host must be a str, not b'127.0.0.1'"),
        ({"port": -1}, "port must be an int from 0 to 65535, not -1"),
        ({"port": 65536}, "port must be an int from 0 to 65535, not 65536"),
        ({"port": "80"}, "port must be an int from 0 to 65535, not '80'"),
        ({"port": True}, "port must be an int from 0 to 65535, not True"),
        ({"uds": 5}, "uds must be a path or None, not 5"),
        ({"uds": ""}, "uds must be a path or None, not ''"),
        ({"fd": -1}, "fd must be a descriptor or None, not -1"),
        ({"fd": "3"}, "fd must be a descriptor or None, not '3'"),
        ({"workers": 0}, "workers must be a positive int or None, not 0"),
        ({"workers": 1.5}, "workers must be a positive int or None, not 1.5"),
        ({"workers": False}, "workers must be a positive int or None, not False"),
        ({"limits": None}, "limits must be a Limits, not None"),
        ({"timeouts": 5}, "timeouts must be a Timeouts, not 5"),
    ],
)
def test_arguments_that_are_no_good(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        FastServer(**{"handler": hello, **options})
    assert str(caught.value) == message


async def sleeps(request: Request) -> str:
    return ""


async def yields(request: Request) -> AsyncIterator[bytes]:
    yield b""


class Sleeper:
    async def __call__(self, request: Request) -> str:
        return ""

    async def method(self, request: Request) -> str:
        return ""


@pytest.mark.parametrize(
    "handler", [sleeps, yields, Sleeper(), Sleeper().method, partial(sleeps), partial(Sleeper())]
)
def test_a_handler_is_no_coroutine_function(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"^handler must be a plain function, .* not async: "):
        FastServer(handler)


def test_uds_and_fd_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"^uds and fd exclude each other$"):
        FastServer(hello, uds="/tmp/s", fd=3)


def test_making_one_does_nothing() -> None:
    threads, open_ones = threading.active_count(), descriptors()
    server = FastServer(hello, port=0)
    assert (threading.active_count(), descriptors()) == (threads, open_ones)
    assert server.stats() == Stats(0, 0, 0, 0)
    assert server.stop() == StopReport(0, 0, 0)


@pytest.mark.parametrize("name", ["address", "port", "url"])
def test_what_a_stopped_server_does_not_have(name: str) -> None:
    server = FastServer(hello, port=0)
    with pytest.raises(RuntimeError, match=r"^the server is not running$"):
        getattr(server, name)
    with server:
        getattr(server, name)
    with pytest.raises(RuntimeError, match=r"^the server is not running$"):
        getattr(server, name)


# Where it listens.


def test_address_port_and_url() -> None:
    with FastServer(hello, port=0) as server:
        host, port = server.address
        assert host == "127.0.0.1"
        assert port == server.port
        assert server.url == f"http://127.0.0.1:{port}"
        assert ask(server) == b"hello"


def test_url_of_every_interface_is_one_that_can_be_used() -> None:
    with FastServer(hello, host="0.0.0.0", port=0) as server:
        assert server.address[0] == "0.0.0.0"
        assert server.url == f"http://127.0.0.1:{server.port}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
@pytest.mark.parametrize("host", ["::", "::1"])
def test_ipv6(host: str) -> None:
    def client(request: Request) -> str:
        return f"{request.client[0]} {request.server[0]}"

    with FastServer(client, host=host, port=0) as server:
        assert server.url == f"http://[::1]:{server.port}"
        with RawClient(("::1", server.port)) as over6:
            over6.send(GET)
            assert over6.response().body == b"::1 ::1"
        if host == "::":
            with RawClient(("127.0.0.1", server.port)) as over4:
                over4.send(GET)
                assert over4.response().body == b"::ffff:127.0.0.1 ::ffff:127.0.0.1"


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "a socket"

    def client(request: Request) -> str:
        return f"{request.client!r} {request.server}"

    server: FastServer = FastServer(client, uds=path)  # type: ignore[arg-type]
    with server:
        assert server.address == str(path)
        assert unquote(server.url.removeprefix("http+unix://")) == str(path)
        assert "/" not in server.url.removeprefix("http+unix://")
        with pytest.raises(RuntimeError, match=r"^a Unix socket has no port$"):
            _ = server.port
        assert ask(server) == f"'' {path}".encode()
    assert not path.exists()
    with server:  # and again
        assert ask(server) == f"'' {path}".encode()


def test_client_that_has_an_abstract_name(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has abstract names")
    name, path = f"\0fastraw-test-{os.getpid()}", str(tmp_path / "s")
    with FastServer(lambda request: repr(request.client), uds=path):
        client = RawClient.__new__(RawClient)
        client.sock, client._received = socket.socket(socket.AF_UNIX), b""
        with client:
            client.sock.bind(name)
            client.sock.connect(path)
            client.send(GET)
            assert client.response().body == repr(name).encode()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_descriptor(family: int, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(family) as bound:
        bound.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(path))
        server = FastServer(hello, fd=bound.fileno())
        for _ in range(2):
            with server:
                assert server.address == bound.getsockname()
                assert ask(server) == b"hello"
        # It belongs to whoever gave it: its file too.
        assert path.exists() == (family == socket.AF_UNIX)


def test_who_connects_during_a_restart_waits() -> None:
    """As under systemd: the socket outlives the server."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = FastServer(hello, fd=bound.fileno())
        with server:
            pass
        with RawClient(bound.getsockname()) as client:
            client.send(GET)
            with server:
                assert client.response().body == b"hello"


# Starting.


def test_the_port_is_open_when_start_returns() -> None:
    server = FastServer(hello, port=0)
    server.start()
    assert ask(server) == b"hello"
    server.stop()


def test_starting_twice() -> None:
    with FastServer(hello, port=0) as server:
        with pytest.raises(RuntimeError, match=r"^the server is running already$"):
            server.start()
        assert ask(server) == b"hello"


def test_start_that_fails_leaves_nothing() -> None:
    with FastServer(hello, port=0) as first:
        threads, open_ones = threading.active_count(), descriptors()
        second = FastServer(hello, port=first.port)
        for _ in range(3):
            with pytest.raises(BindError, match=f"^cannot listen on 127.0.0.1:{first.port}: "):
                second.start()
        assert (threading.active_count(), descriptors()) == (threads, open_ones)
    with second:
        assert ask(second) == b"hello"


@contextlib.contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let the process open no more than `count` further descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, hard))
    for fd in taken[len(taken) - count :]:
        os.close(fd)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken[: len(taken) - count]:
            os.close(fd)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_start_without_descriptors_leaves_nothing(left: int, poller: type[Poller]) -> None:
    """The listener's, then the poller's two or three."""
    threads, open_ones = threading.active_count(), descriptors()
    server = FastServer(hello, port=0)
    with descriptors_left(left), pytest.raises(OSError, match="Too many open files") as caught:
        server.start()
    assert isinstance(caught.value, BindError) is (left == 0)
    assert (threading.active_count(), descriptors()) == (threads, open_ones)
    with server:
        assert ask(server) == b"hello"


def test_start_without_threads_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, poller: type[Poller]
) -> None:
    """A container may forbid the fifth thread."""
    threads, open_ones = threading.active_count(), descriptors()
    server = FastServer(hello, port=0, workers=4)
    start = threading.Thread.start
    for allowed in range(6):
        left = allowed

        def limited(self: threading.Thread) -> None:
            nonlocal left
            if not left:
                raise RuntimeError("can't start new thread")
            left -= 1
            start(self)

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", limited)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                server.start()
        assert eventually(lambda: threading.active_count() == threads)
        assert descriptors() == open_ones
    with server:
        assert ask(server) == b"hello"


def test_threads_have_names() -> None:
    with FastServer(hello, port=0, workers=2) as server:
        assert ask(server) == b"hello"
        names = {thread.name for thread in threading.enumerate()}
        assert "fastraw-watchdog" in names
        assert any(name.startswith("fastraw-worker_") for name in names)


def test_starts_and_stops_leave_nothing(poller: type[Poller]) -> None:
    threads, open_ones = threading.active_count(), descriptors()
    server = FastServer(hello, port=0, workers=2)
    for turn in range(100):
        with server:
            if turn % 10 == 0:
                assert ask(server) == b"hello"
    assert (threading.active_count(), descriptors()) == (threads, open_ones)


# Stopping.


def test_stop_of_an_idle_server(poller: type[Poller]) -> None:
    with FastServer(hello, port=0) as server:
        clients = [connect(server) for _ in range(3)]
        for client in clients:
            client.send(GET)
            client.response()
        assert eventually(lambda: server.stats().connections == 3)
        assert server.stop() == StopReport(drained=3, aborted=0, still_running=0)
        for client in clients:
            client.expect_end()
            client.close()
        assert server.stop() == StopReport(0, 0, 0)


def test_stop_refuses_new_connections_and_lets_requests_finish(poller: type[Poller]) -> None:
    gate = Gate()
    with FastServer(gate, port=0, workers=2) as server, connect(server) as client:
        address = server.address
        client.send(GET + GET)
        gate.wait_for()
        report = in_background(server.stop)
        assert eventually(lambda: refused(address))
        gate.go.set()
        response = client.response()
        assert (response.body, response.closes) == (b"late", True)
        client.expect_end()  # the second request is not taken up
        client.close()
        assert report() == StopReport(drained=1, aborted=0, still_running=0)


def test_a_client_that_leaves_as_soon_as_it_can_see_the_stop_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FastServer(hello, port=0) as server, connect(server) as client:
        client.send(GET)
        client.response()
        close = Listener.close

        def closing(listener: Listener) -> None:
            close(listener)
            client.close()
            assert eventually(lambda: not tasks)

        assert server._running is not None
        tasks = server._running.service.tasks
        monkeypatch.setattr(Listener, "close", closing)
        assert server.stop() == StopReport(drained=1, aborted=0, still_running=0)


def test_stop_that_a_signal_interrupts_leaves_nothing() -> None:
    """As the second Ctrl-C does, while a handler runs for ever."""
    gate, threads, before = Gate(), threading.active_count(), descriptors()
    server = FastServer(gate, port=0, workers=1, limits=Limits(body_memory_bytes=1))
    server.start()
    with connect(server) as client:
        address = server.address
        client.send(b"POST /quick HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"2\r\nxx\r\n0\r\n\r\n")
        assert client.response().body == b"quick"
        client.send(GET)
        gate.wait_for()

        def interrupt() -> None:
            assert eventually(lambda: refused(address))
            os.kill(os.getpid(), signal.SIGINT)

        interrupted = in_background(interrupt)
        with pytest.raises(KeyboardInterrupt):
            server.stop(timeout=None)
        interrupted()
        client.expect_cut()
    assert server.stats() == Stats(0, 0, 0, 0)
    gate.go.set()
    assert eventually(lambda: threading.active_count() == threads)
    assert descriptors() == before  # that of the content's file, too


@pytest.mark.parametrize("timeout", ["5", True, float("nan"), pytest.param(10**400, id="huge"), []])
def test_stop_with_a_timeout_that_is_none_leaves_the_server_running(timeout: Any) -> None:
    with FastServer(hello, port=0) as server:
        with pytest.raises(TypeError, match=r"^timeout must be a number of seconds or None, not "):
            server.stop(timeout)
        assert ask(server) == b"hello"


def refused(address: Any) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # in the backlog when the socket was closed
    return False


def test_stop_lets_queued_requests_finish(poller: type[Poller]) -> None:
    gate = Gate()
    with FastServer(gate, port=0, workers=1) as server:
        clients = [connect(server) for _ in range(4)]
        for client in clients:
            client.send(GET)
        assert eventually(lambda: server.stats().running + server.stats().queued == 4)
        address = server.address
        report = in_background(server.stop)
        assert eventually(lambda: refused(address))
        gate.go.set()
        for client in clients:
            assert client.response().body == b"late"
            client.close()
        assert report() == StopReport(drained=4, aborted=0, still_running=0)


def test_stop_cuts_what_takes_too_long(poller: type[Poller]) -> None:
    open_ones = descriptors()
    gate = Gate()
    server = FastServer(gate, port=0, workers=1)
    server.start()
    clients = [connect(server) for _ in range(5)]
    for client in clients:
        client.send(GET)
    gate.wait_for()
    assert eventually(lambda: server.stats().running + server.stats().queued == 5)
    report = server.stop(timeout=0)
    assert (report.drained, report.aborted) == (0, 5)
    assert 1 <= report.still_running <= 2
    for client in clients:
        assert client.expect_cut() == b""
        client.close()
    gate.go.set()
    assert eventually(lambda: gate.left == report.still_running)
    assert eventually(lambda: descriptors() == open_ones)
    assert eventually(lambda: not any(t.name.startswith("fastraw") for t in threading.enumerate()))


def test_stop_tells_a_handler_that_its_client_has_gone() -> None:
    seen = threading.Event()

    def handler(request: Request) -> str:
        while not request.disconnected:
            threading.Event().wait(0.005)
        seen.set()
        return "too late"

    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(GET)
        assert eventually(lambda: server.stats().running == 1)
        report = server.stop(timeout=0)
        assert seen.wait(SOON_SECONDS)
        assert report.aborted == 1


def test_stop_finishes_an_answer_that_the_client_reads_slowly(poller: type[Poller]) -> None:
    """Asking the connection to drain must not make a selector forget that it has to write."""
    size = 8 << 20
    with (
        FastServer(lambda request: b"x" * size, port=0) as server,
        connect(server) as client,
    ):
        client.send(GET)
        assert client._receive()  # it is on its way, and parked
        assert eventually(lambda: server.stats().running == 0)
        address = server.address
        report = in_background(lambda: server.stop(timeout=None))
        assert eventually(lambda: refused(address))
        assert len(client.response().body) == size
        client.expect_end()
        assert report() == StopReport(drained=1, aborted=0, still_running=0)


def test_stop_from_a_handler(poller: type[Poller]) -> None:
    open_ones = descriptors()
    reports: list[StopReport] = []

    def handler(request: Request) -> str:
        reports.append(server.stop())
        return "stopped"

    server = FastServer(handler, port=0, workers=2)
    for _ in range(3):
        server.start()
        with connect(server) as client, connect(server) as other:
            assert eventually(lambda: server.stats().connections == 2)
            client.send(GET)
            response = client.response()
            assert (response.body, response.closes) == (b"stopped", True)
            client.expect_end()
            other.expect_end()
        assert reports.pop() == StopReport(drained=1, aborted=0, still_running=1)
        assert server.stats() == Stats(0, 0, 0, 0)
    assert eventually(lambda: descriptors() == open_ones)


def test_stop_from_two_handlers_at_once() -> None:
    both = threading.Barrier(2)
    reports: list[StopReport] = []

    def handler(request: Request) -> str:
        both.wait(SOON_SECONDS)
        reports.append(server.stop(timeout=0.2))
        return "stopped"

    server = FastServer(handler, port=0, workers=2)
    server.start()
    with connect(server) as first, connect(server) as second:
        first.send(GET)
        second.send(GET)
        first.expect_cut()
        second.expect_cut()
    assert eventually(lambda: len(reports) == 2)
    assert min(report.still_running for report in reports) >= 1
    server.stop()


def test_stop_from_many_threads_at_once() -> None:
    for _ in range(10):
        server = FastServer(hello, port=0, workers=1)
        server.start()
        with connect(server) as client:
            client.send(GET)
            client.response()
            reports = [in_background(server.stop) for _ in range(8)]
            assert sorted(report().drained for report in reports) == [0] * 7 + [1]


def test_start_and_stop_from_many_threads() -> None:
    """Whatever the order, each call does all of its work or none."""
    threads, open_ones = threading.active_count(), descriptors()
    server = FastServer(hello, port=0, workers=1)

    def work() -> bool:
        for _ in range(15):
            with contextlib.suppress(RuntimeError):
                server.start()
            server.stop()
        return True

    for wait in [in_background(work) for _ in range(4)]:
        assert wait()
    server.stop()
    assert (threading.active_count(), descriptors()) == (threads, open_ones)


def test_a_handler_that_outlives_the_server_meets_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It answers, streams and pushes to a connection that was cut; a new server runs meanwhile."""
    gate = Gate()
    closed = threading.Event()

    def handler(request: Request) -> Any:
        if request.path == "/stream":

            def pieces() -> Iterator[bytes]:
                try:
                    gate(request)
                    yield b"piece"
                finally:
                    closed.set()

            return Response.stream(pieces())
        return gate(request)

    server = FastServer(handler, port=0, workers=3)
    open_ones = descriptors()
    server.start()
    with connect(server) as client, connect(server) as streaming:
        client.send(GET)
        streaming.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        gate.wait_for(2)
        assert server.stop(timeout=0).still_running == 2
    with server, connect(server) as client:
        client.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b"quick"
        gate.go.set()
        assert closed.wait(SOON_SECONDS)
        assert eventually(lambda: gate.left == 2)
        client.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b"quick"
    assert eventually(lambda: descriptors() == open_ones)
    assert not caplog.records


def test_with_stops_after_an_error() -> None:
    server = FastServer(hello, port=0)
    with pytest.raises(KeyError), server:
        raise KeyError
    assert server.stats() == Stats(0, 0, 0, 0)


# serve_forever.


def test_serve_forever_on_another_thread_touches_no_signal() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = FastServer(hello, port=0)
    server.start()
    done = in_background(lambda: server.serve_forever() or "returned")
    assert eventually(lambda: len(server._waiting) == 1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert ask(server) == b"hello"
    server.stop()
    assert done() == "returned"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_forever_ends_by_a_signal_and_gives_signals_back(number: int) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = FastServer(hello, port=0)

    def interrupt() -> bytes:
        assert eventually(lambda: server.stats() and server._waiting)
        answer = ask(server)
        assert eventually(lambda: signal.getsignal(number) is not before[number == signal.SIGTERM])
        os.kill(os.getpid(), number)
        return answer

    answer = in_background(interrupt)
    server.serve_forever()
    assert answer() == b"hello"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert server.stats() == Stats(0, 0, 0, 0)


def test_a_signal_while_serve_forever_starts_the_server_ends_it() -> None:
    """As of a program that says where it listens, and is told to stop at once."""

    class Announced(FastServer):
        def start(self) -> None:
            super().start()
            signal.raise_signal(signal.SIGINT)

    server = Announced(hello, port=0)
    server.serve_forever()
    assert server.stats() == Stats(0, 0, 0, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_are_given_back_when_the_server_cannot_start() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with FastServer(hello, port=0) as first, pytest.raises(BindError):
        FastServer(hello, port=first.port).serve_forever()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_that_does_not_interrupt_the_wait_ends_it() -> None:
    """As one that comes just before the wait begins: here another thread gets it."""
    server = FastServer(hello, port=0)
    before = signal.getsignal(signal.SIGTERM)

    def interrupt() -> None:
        assert eventually(lambda: signal.getsignal(signal.SIGTERM) is not before)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    interrupted = in_background(interrupt)
    server.serve_forever()
    interrupted()
    assert server.stats() == Stats(0, 0, 0, 0)
    assert signal.set_wakeup_fd(-1) == -1


SIGNAL_AT_EACH_LINE = """
import signal, sys, threading
from fastraw import FastServer

server = FastServer(lambda request: "x", port=0, workers=1)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: None)
ours = sys.modules["fastraw.server"].__file__

for wanted in range(1, 200):
    lines = 0
    sent = False

    def line(frame, event, argument):
        # At each line of serve_forever, once it heeds signals, and of what it waits with, in turn.
        global lines, sent
        heeds = server._waiting or signal.getsignal(signal.SIGTERM).__name__ == "ask"
        if event == "line" and heeds:
            lines += 1
            if lines == wanted:
                sent = True
                signal.raise_signal(signal.SIGTERM)
        return line

    def call(frame, event, argument):
        name = frame.f_code.co_filename
        return line if name == ours or name.endswith(("threading.py", "ending.py")) else None

    later = threading.Timer(0.05, server.stop)
    later.start()
    sys.settrace(call)
    server.serve_forever()
    sys.settrace(None)
    later.cancel()
    later.join()
    assert signal.getsignal(signal.SIGTERM).__name__ == "<lambda>"
    if not sent:
        break
assert wanted > 10, wanted
print("served", wanted)
"""


def test_a_signal_at_any_moment_of_serve_forever_ends_it() -> None:
    """None of them finds a lock that the interrupted code holds."""
    run = subprocess.run(
        [*PYTHON, "-c", SIGNAL_AT_EACH_LINE],
        cwd=ROOT,
        env={**os.environ, "COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("served ")


# What it says of itself.


def test_stats() -> None:
    gate = Gate()
    with FastServer(gate, port=0, workers=1) as server, connect(server) as client:
        client.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        for _ in range(3):
            client.response()
        assert eventually(lambda: server.stats() == Stats(1, 0, 0, 3))
        others = [connect(server) for _ in range(3)]
        for other in others:
            other.send(GET)
        assert eventually(lambda: server.stats().running + server.stats().queued == 3)
        assert server.stats().running >= 1
        assert server.stats().connections == 4
        gate.go.set()
        for other in others:
            other.response()
            other.close()
        assert eventually(lambda: server.stats() == Stats(1, 0, 0, 6))


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def handler(request: Request) -> str:
        if request.path == "/boom":
            raise RuntimeError("boom")
        raise HTTPError(404)

    # Where the program has set up logging, it decides; nothing goes anywhere else.
    log = logging.getLogger("fastraw")
    log.addHandler(handler_ := logging.NullHandler())
    log.propagate = False
    try:
        with FastServer(handler, port=0) as server, connect(server) as client:
            client.send(b"GET /boom HTTP/1.1\r\nHost: a\r\n\r\n" + GET + b"\0")
            assert [client.response().status for _ in range(3)] == [500, 404, 400]
    finally:
        log.propagate = True
        log.removeHandler(handler_)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["raises", "unhashable"])
def test_a_route_key_that_is_no_good_costs_nothing(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Keyed(Gate):
        def route_key(self, request: Request) -> Any:
            if kind == "raises":
                raise RuntimeError("no key")
            return []

    gate = Keyed()
    with FastServer(gate, port=0, workers=2) as server, connect(server) as client:
        with connect(server) as slow:
            slow.send(GET)
            gate.wait_for()
            for _ in range(5):
                client.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.response().body == b"quick"
            # With several permits the others answer, and the watchdog takes its time.
            assert eventually(lambda: "Exception in the route_key" in caplog.text)
            gate.go.set()
            assert slow.response().body == b"late"
        slow_again = connect(server)
        slow_again.send(GET)
        assert slow_again.response().body == b"late"
        slow_again.close()
    assert "fault" not in caplog.text


@pytest.mark.parametrize("attribute", ["stream_body", "route_options"])
@pytest.mark.parametrize("status", [500, 403])
def test_options_that_are_no_good_are_an_answer(
    attribute: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: Request) -> Any:
        raise RuntimeError("no options") if status == 500 else HTTPError(403)

    def handler(request: Request) -> bytes:
        return request.body

    setattr(handler, attribute, fail)
    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        response = client.response()
        assert (response.status, response.closes) == (status, True)
        client.expect_end()
        assert ask(server) == b""
    assert ("no options" in caplog.text) is (status == 500)


def test_a_connection_that_cannot_be_watched_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system has a limit on what may be watched, too."""
    full = threading.Event()

    class Full(EpollPoller):
        def add(self, fd: int) -> None:
            if full.is_set():
                raise OSError(errno.ENOSPC, "No space left on device")
            super().add(fd)

    monkeypatch.setattr("fastraw.running.default_poller", Full)
    with FastServer(hello, port=0) as server:
        full.set()
        with connect(server) as client:
            assert client.expect_cut() == b""
        assert server.stats().connections == 0
        full.clear()
        assert ask(server) == b"hello"
    assert "Cannot watch a connection: [Errno 28] No space left on device" in caplog.text


def test_a_poller_that_fails_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = 2

    class Failing(SelectorPoller):
        def poll(self, timeout: float | None = None, maxevents: int = 64) -> list[tuple[int, int]]:
            nonlocal faults
            if faults:
                faults -= 1
                raise OSError(errno.EIO, "Input/output error")
            return super().poll(timeout, maxevents)

    monkeypatch.setattr("fastraw.running.default_poller", Failing)
    with FastServer(hello, port=0) as server:
        assert ask(server) == b"hello"
    assert caplog.text.count("A fault in fastraw's engine") == 2
