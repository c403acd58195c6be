"""Answers that hold no worker: files, pushed content, and connections that handlers take over."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastraw import FastServer, Request, Response, StopReport, Timeouts
from fastraw.engine.connection import Connection
from fastraw.engine.poller import WRITABLE, EpollPoller, Poller, SelectorPoller
from fastraw.file import FileSlice
from fastraw.testing import RawClient
from tests.waiting import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MIB = 1024 * 1024

Serve = Callable[..., RawClient]


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Poller]:
    if request.param is EpollPoller and not hasattr(select, "epoll"):
        pytest.skip("this system has no epoll")
    monkeypatch.setattr("fastraw.running.default_poller", request.param)
    return request.param  # type: ignore[no-any-return]


@contextmanager
def serving(handler: Callable[[Request], Any], **options: Any) -> Iterator[FastServer]:
    with FastServer(handler, port=0, **{"workers": 1, **options}) as running:
        yield running


def connect(running: FastServer) -> RawClient:
    return RawClient(("127.0.0.1", running.port))


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file larger than what the sockets' buffers hold, no two blocks alike."""
    path = tmp_path / "big.bin"
    path.write_bytes(b"".join(b"%015d\n" % number for number in range(MIB)))
    return path


# Files.


def test_file(poller: type[Poller], big: Path) -> None:
    with serving(lambda request: Response.file(big)) as running, connect(running) as client:
        client.send(GET + GET)
        for _ in range(2):
            response = client.response()
            assert response.framing == "length"
            assert response.get("content-type") == "application/octet-stream"
            assert response.body == big.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 300_000])
def test_file_of_any_size(size: int, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(os.urandom(size))
    with serving(lambda request: Response.file(path)) as running, connect(running) as client:
        client.send(GET)
        response = client.response()
        assert response.body == path.read_bytes()
        assert response.get("content-type") == "text/html; charset=utf-8"
        client.send(GET.replace(b"GET", b"HEAD"))
        response = client.response("HEAD")
        assert response.get("content-length") == str(size)


def test_slices_among_bytes(big: Path) -> None:
    def handler(request: Request) -> Response:
        file = big.open("rb")

        def pieces() -> Iterator[bytes | FileSlice]:
            with file:
                yield b"<"
                yield FileSlice(file, 16, 16)
                yield b"|"
                yield FileSlice(file, 0, 0)
                yield FileSlice(file, 0, 2 * MIB)[MIB : MIB + 100_000]
                yield b">"

        known = {"Content-Length": str(3 + 16 + 100_000)} if request.query_string else {}
        return Response.stream(pieces(), headers=known)

    octets = big.read_bytes()
    wanted = b"<" + octets[16:32] + b"|" + octets[MIB : MIB + 100_000] + b">"
    with serving(handler) as running, connect(running) as client:
        client.send(GET, b"GET /?known HTTP/1.1\r\nHost: a\r\n\r\n")
        response = client.response()
        assert (response.framing, response.body) == ("chunked", wanted)
        response = client.response()
        assert (response.framing, response.body) == ("length", wanted)
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        response = client.response()
        assert (response.framing, response.body) == ("close", wanted)


def test_slice_is_cut_at_the_stated_length(big: Path) -> None:
    def handler(request: Request) -> Response:
        file = big.open("rb")

        def pieces() -> Iterator[FileSlice]:
            with file:
                yield FileSlice(file, 0, MIB)

        return Response.stream(pieces(), headers={"Content-Length": "100000"})

    with serving(handler) as running, connect(running) as client:
        client.send(GET + GET)
        assert client.response().body == big.read_bytes()[:100_000]
        assert client.response().status == 200


def test_client_that_does_not_read_a_file_holds_no_worker(poller: type[Poller], big: Path) -> None:
    def handler(request: Request) -> Any:
        return Response.file(big) if request.path == "/" else b"quick"

    with serving(handler) as running:
        before = open_descriptors()
        with connect(running) as lazy, connect(running) as other:
            lazy.send(GET)
            for _ in range(3):
                other.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
                assert other.response().body == b"quick"
            assert eventually(lambda: running.stats().running == 0)
            assert lazy.response().body == big.read_bytes()
            lazy.send(GET)
            assert eventually(lambda: len(open_descriptors()) == len(before) + 5)
        assert eventually(lambda: open_descriptors() == before)


@pytest.mark.parametrize("size", [100, 8 * MIB])
def test_file_that_shrinks_cuts_the_answer(
    size: int, big: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(request: Request) -> Response:
        response = Response.file(big)
        os.truncate(big, size)
        return response

    with serving(handler) as running, connect(running) as client:
        client.send(GET)
        received = client.rest()
        assert b"Content-Length: 16777216\r\n" in received
        assert len(received) < size + 1000
    assert "shorter while it was sent" in caplog.text


def test_file_that_cannot_be_served(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ValueError, match="is not a regular file"):
        Response.file(fifo)
    with pytest.raises(ValueError, match="is not a regular file"):
        Response.file(tmp_path)
    with pytest.raises(FileNotFoundError):
        Response.file(tmp_path / "missing")
    before = open_descriptors()
    with pytest.raises(ValueError, match="status"):
        Response.file(__file__, status=99)
    assert open_descriptors() == before


# Pushed content.


class Feed:
    """A source that a test fills."""

    def __init__(self, idle_seconds: float | None = None) -> None:
        self.idle_seconds = idle_seconds
        self.pieces: deque[bytes] = deque()
        self.ended = False
        self.closed = 0
        self.gone = threading.Event()
        self._wake: Callable[[], None] = lambda: None

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def put(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self._wake()

    def take(self) -> bytes | None:
        return self.pieces.popleft() if self.pieces else None

    def heartbeat(self) -> bytes:
        return b"beat"

    def end(self) -> None:
        self.ended = True
        self._wake()

    def close(self) -> None:
        self.closed += 1
        self.gone.set()


def test_push(poller: type[Poller]) -> None:
    feed = Feed()
    with serving(lambda request: Response.push(feed)) as running, connect(running) as client:
        client.send(GET)
        feed.put(b"one")
        client.until(b"Connection: close\r\n\r\n", b"3\r\none\r\n")
        assert eventually(lambda: running.stats().running == 0)
        feed.put(b"two")
        client.until(b"3\r\ntwo\r\n")
        client.send(GET)  # sent behind it: counts for nothing
        feed.put(b"three")
        feed.end()
        client.until(b"5\r\nthree\r\n0\r\n\r\n")
        client.expect_end()
        assert feed.gone.wait(10)
    assert feed.closed == 1


def test_push_without_chunks_and_to_head() -> None:
    feeds: list[Feed] = []

    def handler(request: Request) -> Response:
        feeds.append(Feed())
        feeds[-1].put(b"hello")
        feeds[-1].ended = True
        return Response.push(feeds[-1])

    with serving(handler) as running:
        with connect(running) as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            response = client.response()
            assert (response.framing, response.body) == ("close", b"hello")
        with connect(running) as client:
            client.send(GET.replace(b"GET", b"HEAD"))
            assert client.response("HEAD").body == b""
            client.expect_end()
        assert all(feed.gone.wait(10) for feed in feeds)
    assert [feed.closed for feed in feeds] == [1, 1]


def test_client_of_a_push_leaves(poller: type[Poller]) -> None:
    feed = Feed()
    with serving(lambda request: Response.push(feed)) as running:
        with connect(running) as client:
            client.send(GET)
            feed.put(b"one")
            client.until(b"one")
        assert feed.gone.wait(10)
        assert eventually(lambda: running.stats().connections == 0)
        feed.put(b"nobody hears it")
    assert feed.closed == 1


@pytest.mark.usefixtures("quick_sweeps")
def test_client_of_a_push_that_does_not_read(poller: type[Poller]) -> None:
    feed = Feed()
    timeouts = Timeouts(write_seconds=0.2)
    with serving(lambda request: Response.push(feed), timeouts=timeouts) as running:
        with connect(running) as client:
            client.send(GET)
            for _ in range(32):
                feed.put(b"x" * MIB)
            assert feed.gone.wait(10)
            assert feed.pieces  # what it did not take stays where it was
        assert eventually(lambda: running.stats().running == 0)
    assert feed.closed == 1


def test_event_that_tells_a_push_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room to send that nobody waited for: the connection is let go, not kept."""
    connections: list[Connection] = []
    begin = Connection.begin_push

    def watched(self: Connection, request: Request, response: Response) -> None:
        connections.append(self)
        begin(self, request, response)

    monkeypatch.setattr(Connection, "begin_push", watched)
    feed = Feed()
    with serving(lambda request: Response.push(feed)) as running, connect(running) as client:
        client.send(GET)
        client.until(b"\r\n\r\n")
        connection = connections[0]
        assert eventually(lambda: connection.lock.acquire(blocking=False))
        connection.ready(WRITABLE)
        feed.put(b"one")
        client.until(b"one")


@pytest.mark.usefixtures("quick_sweeps")
def test_heartbeat_after_silence() -> None:
    feed = Feed(idle_seconds=0.05)
    with serving(lambda request: Response.push(feed)) as running, connect(running) as client:
        client.send(GET)
        client.until(b"4\r\nbeat\r\n")
        client.until(b"4\r\nbeat\r\n")


def test_stop_ends_a_push_cleanly(poller: type[Poller]) -> None:
    feed = Feed()
    running = FastServer(lambda request: Response.push(feed), port=0)
    running.start()
    with connect(running) as client:
        client.send(GET)
        feed.put(b"one")
        client.until(b"one")
        reports: list[object] = []
        stopping = threading.Thread(target=lambda: reports.append(running.stop()))
        stopping.start()
        client.until(b"0\r\n\r\n")
        client.expect_end()
        client.close()
        stopping.join()
    assert reports == [StopReport(1, 0, 0)]
    assert feed.closed == 1


def test_source_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Feed):
        def take(self) -> bytes | None:
            raise RuntimeError("no idea")

    feed = Broken()
    with serving(lambda request: Response.push(feed)) as running, connect(running) as client:
        client.send(GET)
        assert feed.gone.wait(10)
    assert feed.closed == 1
    assert "no idea" in caplog.text


# Upgrades.

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: Echo/1, other\r\n\r\n"


def echo(request: Request) -> None:
    with request.upgrade("echo/1", {"X-More": "yes"}) as (sock, received):
        octets = received
        while octets:
            sock.sendall(octets.upper())
            octets = sock.recv(1000)


def test_upgrade(poller: type[Poller]) -> None:
    with serving(echo) as running:
        before = open_descriptors()
        with connect(running) as client:
            client.send(UPGRADE + b"early ")
            client.until(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\n",
                b"Connection: Upgrade\r\nX-More: yes\r\n\r\nEARLY ",
            )
            client.send(b"late")
            client.until(b"LATE")
            assert running.stats().connections == 1
            client.finish()
            client.expect_end()
        assert eventually(lambda: open_descriptors() == before)
        assert eventually(lambda: running.stats().connections == 0)
        with connect(running) as client:
            client.send(UPGRADE + b"again")
            client.until(b"AGAIN")


def test_upgrade_that_the_client_did_not_ask_for() -> None:
    with serving(echo) as running, connect(running) as client:
        client.send(GET, UPGRADE.replace(b"Echo/1", b"Echo/2"))
        for _ in range(2):
            response = client.response()
            assert response.status == 426
            assert response.get("upgrade") == "echo/1"
            assert response.get("connection") == "Upgrade"  # RFC 9110 section 7.8
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        response = client.response()
        assert response.get("connection") == "close, Upgrade"
        assert response.closes
        client.expect_end()


def test_an_upgraded_connection_is_asked_without_waiting_whether_it_is_there() -> None:
    asked: list[bool] = []

    def handler(request: Request) -> None:
        with request.upgrade("echo/1"):
            asked.append(request.disconnected)
            asked.append(eventually(lambda: request.disconnected))

    with serving(handler) as running, connect(running) as client:
        client.send(UPGRADE)
        client.until(b"\r\n\r\n")
        assert eventually(lambda: asked == [False])
        client.finish()
        client.expect_end()
    assert asked == [False, True]


def test_handler_that_fails_after_the_upgrade(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: Request) -> None:
        request.upgrade("echo/1")
        raise RuntimeError("after the upgrade")

    with serving(handler) as running, connect(running) as client:
        client.send(UPGRADE)
        assert client.rest().endswith(b"\r\n\r\n")
    assert "after the upgrade" in caplog.text


def test_stop_cuts_an_upgraded_connection() -> None:
    running = FastServer(echo, port=0)
    running.start()
    with connect(running) as client:
        client.send(UPGRADE + b"early")
        client.until(b"EARLY")
        assert running.stop(timeout=0.05) == StopReport(0, 1, 0)
        client.expect_end()


def test_socket_outlives_the_handler() -> None:
    taken: list[socket.socket] = []

    def handler(request: Request) -> None:
        taken.append(request.upgrade("echo/1").socket)

    with serving(handler) as running, connect(running) as client:
        client.send(UPGRADE)
        client.until(b"\r\n\r\n")
        assert eventually(lambda: running.stats().connections == 0)
        with taken[0] as sock:
            sock.sendall(b"still here")
            client.until(b"still here")


def test_access_log_of_an_upgrade(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastraw.access")
    with serving(echo) as running, connect(running) as client:
        client.send(UPGRADE)
        client.finish()
        client.rest()
    assert '"GET / HTTP/1.1" 101 0' in caplog.text
