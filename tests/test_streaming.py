"""Content as it comes, to the handler and from it: what must hold when something goes wrong."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastraw import ClientDisconnected, FastServer, HTTPError, Request, Response, Timeouts
from fastraw.engine import pool
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.testing import RawClient
from tests.waiting import PATIENCE_SECONDS, eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
PIECE = b"x" * 100_000
PIECES = 100


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Poller]:
    monkeypatch.setattr("fastraw.running.default_poller", request.param)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def one_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two handlers that block are all that it takes, on every build."""
    monkeypatch.setattr(pool, "permit_count", lambda: 1)


def connect(running: FastServer) -> RawClient:
    return RawClient(("127.0.0.1", running.port))


def nobody_is_idle(running: FastServer) -> bool:
    """Whether all threads run something, but for those that poll."""
    assert running._running is not None
    return not running._running.scheduler._idle


def take_some(client: RawClient) -> bool:
    """Take what has come; whether that was the end."""
    try:
        return client.sock.recv(1 << 20, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


class Pieces:
    """An iterable of PIECES pieces that counts how often it is closed."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.given == PIECES:
            raise StopIteration
        self.given += 1
        return PIECE

    def close(self) -> None:
        self.closed += 1


# From the handler.


def test_an_answer_that_has_begun_is_not_refused_for_want_of_a_worker(
    poller: type[Poller],
    one_permit: None,
) -> None:
    """A parked stream goes on as a job; in a full queue it waits, before those that are new."""
    pieces, go = Pieces(), threading.Event()

    def handler(request: Request) -> Any:
        if request.path == "/stream":
            return Response.stream(pieces)
        assert go.wait(PATIENCE_SECONDS)
        return "late"

    timeouts = Timeouts(queue_seconds=0.05)
    with (
        FastServer(handler, port=0, workers=1, timeouts=timeouts) as running,
        connect(running) as client,
        connect(running) as busy,
        connect(running) as busy_too,
        connect(running) as late,
    ):
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.sock.recv(1) == b"H"
        assert eventually(lambda: running.stats().running == 0)
        assert 0 < pieces.given < PIECES
        # No thread is idle any more: one blocks apart, one was taken back, and one polls.
        busy.send(GET)
        assert eventually(lambda: running.stats().running == 1)
        busy_too.send(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: nobody_is_idle(running))
        client._received = b"H"
        received = threading.Thread(target=lambda: bodies.append(client.response().body))
        bodies: list[bytes] = []
        received.start()
        assert eventually(lambda: running.stats().queued == 1)
        late.send(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert late.response().status == 503
        assert running.stats().queued == 1
        go.set()
        received.join()
        assert bodies == [PIECE * PIECES]
        assert pieces.closed == 1


@pytest.mark.parametrize("when", ["parked", "queued"])
def test_stop_closes_a_stream_that_waits(when: str, poller: type[Poller], one_permit: None) -> None:
    pieces, go = Pieces(), threading.Event()

    def handler(request: Request) -> Any:
        if request.path == "/stream":
            return Response.stream(pieces)
        assert go.wait(PATIENCE_SECONDS)
        return "late"

    running = FastServer(handler, port=0, workers=1)
    running.start()
    with connect(running) as client, connect(running) as busy, connect(running) as busy_too:
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.sock.recv(1) == b"H"
        assert eventually(lambda: running.stats().running == 0)
        if when == "queued":
            busy.send(GET)
            assert eventually(lambda: running.stats().running == 1)
            busy_too.send(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert eventually(lambda: nobody_is_idle(running))
            assert eventually(lambda: take_some(client) or running.stats().queued == 1)
            assert running.stats().queued == 1
        running.stop(timeout=0)
        assert pieces.closed == 1
        assert pieces.given < PIECES
        assert len(client.expect_cut()) < PIECES * len(PIECE)
        go.set()


@pytest.mark.usefixtures("quick_sweeps")
def test_a_stream_that_only_the_end_delimits_is_not_taken_for_whole(poller: type[Poller]) -> None:
    """Cut off for being read too slowly, an HTTP/1.0 answer must not end as a whole one does."""
    pieces = Pieces()
    timeouts = Timeouts(write_seconds=0.1)
    with (
        FastServer(lambda request: Response.stream(pieces), port=0, timeouts=timeouts) as running,
        connect(running) as client,
    ):
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert eventually(lambda: pieces.closed == 1)
        with pytest.raises(ConnectionResetError):
            client.rest()


def test_a_client_that_leaves_while_a_piece_is_made(
    poller: type[Poller], caplog: pytest.LogCaptureFixture
) -> None:
    made, closed = threading.Semaphore(0), threading.Event()
    go = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                made.release()
                assert go.wait(PATIENCE_SECONDS)
                yield PIECE
        finally:
            closed.set()

    with FastServer(lambda request: Response.stream(pieces()), port=0) as running:
        with connect(running) as client:
            client.send(GET)
            assert made.acquire(timeout=PATIENCE_SECONDS)
        go.set()
        assert closed.wait(PATIENCE_SECONDS)
        assert eventually(lambda: running.stats().connections == 0)
    assert not caplog.records


def test_a_stream_may_read_the_content_it_answers() -> None:
    """Both at once; and a client that leaves is no fault of the handler's."""

    def upper(request: Request) -> Response:
        return Response.stream(line.upper() for line in request.stream)

    upper.stream_body = True  # type: ignore[attr-defined]
    with FastServer(upper, port=0) as running, connect(running) as client:
        client.send(CHUNKED, b"4\r\none\n\r\n")
        assert client._line().startswith(b"HTTP/1.1 200")
        client._fields()
        assert (client._line(), client._exactly(4)) == (b"4", b"ONE\n")
        client.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert client._exactly(15) == b"\r\n3\r\nTWO\r\n0\r\n\r\n"
        client.send(GET)
        assert client.response().body == b""


def test_a_client_that_leaves_a_stream_of_its_content(caplog: pytest.LogCaptureFixture) -> None:
    def upper(request: Request) -> Response:
        return Response.stream(line.upper() for line in request.stream)

    upper.stream_body = True  # type: ignore[attr-defined]
    with FastServer(upper, port=0) as running:
        with connect(running) as client:
            client.send(CHUNKED, b"4\r\none\n\r\n")
            assert client._line().startswith(b"HTTP/1.1 200")
        assert eventually(lambda: running.stats().connections == 0)
    assert not caplog.records


# To the handler.


class Reading:
    """Reads the content, or tries to, and answers what it has seen; keeps the last request."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.faults: list[str] = []
        self.last: Request | None = None

    def __call__(self, request: Request) -> Any:
        self.last = request
        self.paths.append(request.path)
        if request.path == "/read":
            for _ in range(2):  # a handler may try again
                try:
                    while request.stream.read(10):
                        pass
                except (HTTPError, ClientDisconnected) as error:
                    self.faults.append(type(error).__name__)
        return "answered"

    def stream_body(self, request: Request) -> bool:
        return request.path != "/smuggled"


@pytest.mark.parametrize(
    "content", [b"zz\r\n", b"5\r\nhelloXX", b"5;=\r\n", b"fffffffff\r\n", b"0\r\nHost: b\r\n\r\n"]
)
def test_a_fault_that_the_handler_swallows_ends_the_connection(content: bytes) -> None:
    """Rule 72: nothing behind a fault is parsed, as content or as a request."""
    handler = Reading()
    with FastServer(handler, port=0) as running, connect(running) as client:
        client.send(CHUNKED + content + b"0\r\n\r\n" + SMUGGLED)
        response = client.response()
        assert (response.body, response.closes) == (b"answered", True)
        client.expect_end()
    assert handler.paths == ["/read"]
    assert handler.faults == ["ParseError", "ClientDisconnected"]


def test_content_that_does_not_come_ends_the_connection() -> None:
    handler = Reading()
    timeouts = Timeouts(body_seconds=0.05)
    with FastServer(handler, port=0, timeouts=timeouts) as running, connect(running) as client:
        client.send(CHUNKED)
        response = client.response()
        assert (response.body, response.closes) == (b"answered", True)
        client.send(b"0\r\n\r\n" + SMUGGLED)
        client.expect_end()
    assert handler.paths == ["/read"]
    assert handler.faults == ["HTTPError", "ClientDisconnected"]


def test_a_client_that_drips_does_not_hold_the_handler() -> None:
    """What the reads wait is limited in all, not each by itself."""
    handler = Reading()
    timeouts = Timeouts(body_seconds=0.2)
    with FastServer(handler, port=0, timeouts=timeouts) as running, connect(running) as client:
        client.send(CHUNKED + b"fffff\r\n")

        def drip() -> bool:
            client.send(b"x")
            return bool(select.select([client.sock], [], [], 0.05)[0])

        assert eventually(drip)
        assert client.response().body == b"answered"
    assert handler.faults == ["HTTPError", "ClientDisconnected"]


def test_content_cannot_be_read_after_the_answer() -> None:
    """The connection is at the next request by then."""
    handler = Reading()
    with FastServer(handler, port=0) as running, connect(running) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert client.response().body == b"answered"
        kept = handler.last
        assert kept is not None
        client.send(GET)
        assert client.response().body == b"answered"
        with pytest.raises(ValueError, match="closed file"):
            kept.stream.read()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_closes_its_reading_side_gets_no_100(stream: bool) -> None:
    """It is told that the client has gone, not that a pipe is broken."""
    handler = Reading()
    path = "/read" if stream else "/smuggled"
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with FastServer(handler, port=0) as running:
        with connect(running) as client:
            client.send(head.encode())
            assert client.response().status == 100
        assert eventually(lambda: running.stats().connections == 0)
    assert handler.faults == (["ClientDisconnected"] * 2 if stream else [])


def test_a_client_that_resets_while_it_is_read_from() -> None:
    handler = Reading()
    with FastServer(handler, port=0) as running:
        with connect(running) as client:
            client.send(CHUNKED)
            assert eventually(lambda: handler.paths)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert eventually(lambda: running.stats().connections == 0)
    assert handler.faults == ["ClientDisconnected", "ClientDisconnected"]


@pytest.mark.parametrize("framed", ["length", "chunked"])
@pytest.mark.parametrize("stream", [False, True])
def test_pipelined_requests_share_what_was_received(framed: str, stream: bool) -> None:
    """Copying the rest for each of them would make the work quadratic."""
    buffers: list[object] = []
    count = 60

    def handler(request: Request) -> bytes:
        body = request.stream.read()
        buffers.append(request._peer.buffer)  # type: ignore[attr-defined]
        return body

    handler.stream_body = stream  # type: ignore[attr-defined]
    one = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    if framed == "chunked":
        one = one.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")
        one = one.replace(b"hello", b"5\r\nhello\r\n0\r\n\r\n")
    with FastServer(handler, port=0) as running, connect(running) as client:
        client.send(one * count)
        assert [client.response().body for _ in range(count)] == [b"hello"] * count
    kinds = {id(buffer) for buffer in buffers if buffer is not None}
    # One for each recv, and one more where a request was cut in two.
    assert len(kinds) <= 4
