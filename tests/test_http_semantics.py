"""What takes more than octets in and octets out: who sends when, and how a connection ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fastraw import FastServer, Limits, Request, Response
from fastraw.testing import RawClient
from tests.apps import wire_app
from tests.waiting import eventually

MEBIBYTE = 1 << 20
NEXT = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class StreamsBody:
    """A handler that gets its content as it comes; notes what it was called for."""

    stream_body = True

    def __init__(self, answer: Callable[[Request], Any] = wire_app.handler) -> None:
        self._answer = answer
        self.targets: list[str] = []

    def __call__(self, request: Request) -> Any:
        self.targets.append(request.target)
        return self._answer(request)


@pytest.fixture
def server() -> Iterator[FastServer]:
    with FastServer(wire_app.handler, port=0) as running:
        yield running


def connect(server: FastServer) -> RawClient:
    return RawClient(("127.0.0.1", server.port))


# The answer survives what the client is still sending.


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_an_answer_is_not_lost_to_what_is_still_being_sent(
    server: FastServer, head: bytes, status: int
) -> None:
    with connect(server) as client:
        client.send(head + b"x" * MEBIBYTE)
        client.send(b"x" * MEBIBYTE)
        response = client.response()
        assert response.status == status
        client.expect_end()


def test_the_answer_to_unread_content_is_not_lost() -> None:
    with FastServer(StreamsBody(), port=0) as server, connect(server) as client:
        client.send(b"POST /head-info HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        client.send(b"x" * MEBIBYTE, SMUGGLED, b"x" * MEBIBYTE)
        response = client.response()
        assert response.status == 200
        assert response.closes
        client.expect_end()


def test_a_client_that_never_ends_is_closed_all_the_same(server: FastServer) -> None:
    with connect(server) as client:
        client.send(b"x\r\n\r\n")
        assert client.response().status == 400
        client.expect_end()
        # This client keeps its side open; what it goes on to send changes nothing.
        client.send(SMUGGLED)
        assert eventually(lambda: server.stats().connections == 0)


# The client's end of file.


def test_a_client_that_has_ended_its_side_gets_all_of_a_long_answer(server: FastServer) -> None:
    with connect(server) as client:
        client.send(b"GET /stream?n=200&size=50000 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.finish()
        assert len(client.response().body) == 10_000_000
        client.expect_end()
    assert eventually(lambda: server.stats().connections == 0)


def test_a_handler_is_told_that_the_client_has_gone() -> None:
    seen: list[bool] = []
    entered, gone = threading.Event(), threading.Event()

    def handler(request: Request) -> str:
        seen.append(request.disconnected)
        entered.set()
        assert eventually(lambda: request.disconnected)
        gone.set()
        return "nobody reads this"

    with FastServer(handler, port=0) as server:
        with connect(server) as client:
            client.send(NEXT)
            assert entered.wait(10)
        assert gone.wait(10)
        assert seen == [False]
        assert eventually(lambda: server.stats().connections == 0)


# Content that the handler leaves.


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 36\r\n\r\n" + SMUGGLED + b"\r",
        b"Transfer-Encoding: chunked\r\n\r\n23\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n23\r\n" + SMUGGLED + b"\r\n0\r\nX: 1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("read", [0, 1, 10])
def test_unread_content_is_skipped_exactly(framed: bytes, read: int) -> None:
    def answer(request: Request) -> bytes:
        return bytes(request.stream.read(read))

    handler = StreamsBody(answer)
    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\n" + framed + NEXT)
        assert client.response().body == SMUGGLED[:read]
        assert client.response().status == 200
        # The last of it comes after the answer.
        client.send(b"POST /2 HTTP/1.1\r\nHost: a\r\n" + framed[:-12])
        assert client.response().body == SMUGGLED[:read]
        client.send(framed[-12:] + NEXT)
        assert client.response().status == 200
    assert handler.targets == ["/1", "/echo", "/2", "/echo"]


def test_bad_chunks_in_unread_content_end_the_connection() -> None:
    handler = StreamsBody(lambda request: b"answered")
    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.response().body == b"answered"
        client.send(b"xyz\r\n" + SMUGGLED)
        rest = client.rest()
        assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert handler.targets == ["/1"]


def test_unread_chunks_without_end_end_the_connection() -> None:
    handler = StreamsBody(lambda request: b"answered")
    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.response().body == b"answered"
        for _ in range(64):
            client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        client.send(b"0\r\n\r\n" + SMUGGLED)
        client.expect_cut()
    assert handler.targets == ["/1"]


# Expect.


def test_100_is_sent_when_the_handler_first_reads() -> None:
    may_read = threading.Event()

    def answer(request: Request) -> bytes:
        assert may_read.wait(10)
        return request.body

    with FastServer(StreamsBody(answer), port=0) as server, connect(server) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert eventually(lambda: server.stats().running == 1)
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.sock.recv(1)
        client.sock.settimeout(10)
        may_read.set()
        assert client.response().status == 100
        client.send(b"he", b"llo")
        assert client.response().body == b"hello"
        client.send(NEXT)
        assert client.response().status == 200


def test_no_100_for_a_handler_that_reads_after_the_content_has_come() -> None:
    may_read = threading.Event()

    def answer(request: Request) -> bytes:
        assert may_read.wait(10)
        return request.body

    with FastServer(StreamsBody(answer), port=0) as server, connect(server) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
        )
        assert eventually(lambda: server.stats().running == 1)
        may_read.set()
        assert client.response().body == b"hello"


# Content as it comes.


def test_a_streaming_handler_sees_each_piece_when_it_comes() -> None:
    received: list[bytes] = []

    def answer(request: Request) -> bytes:
        while piece := request.stream.read1(100):  # type: ignore[attr-defined]
            received.append(piece)
        return b"".join(received)

    with FastServer(StreamsBody(answer), port=0) as server, connect(server) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"one", b"two", b"three"):
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            assert eventually(lambda: received[-1:] == [piece])  # noqa: B023 - called at once
        client.send(b"0\r\n\r\n")
        assert client.response().body == b"onetwothree"


def test_a_streaming_handler_learns_of_a_client_that_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults: list[BaseException] = []

    def answer(request: Request) -> bytes:
        try:
            return request.body
        except ConnectionError as error:
            faults.append(error)
            raise

    with FastServer(StreamsBody(answer), port=0) as server:
        with connect(server) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            assert eventually(lambda: server.stats().running == 1)
        assert eventually(lambda: faults)
        assert eventually(lambda: server.stats().connections == 0)
    assert not caplog.records


def test_a_spooled_body_reaches_the_handler_whole() -> None:
    content = bytes(range(256)) * 4096
    limits = Limits(body_memory_bytes=1000)
    with FastServer(wire_app.handler, port=0, limits=limits) as server, connect(server) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n", content)
        assert client.response().body == content


def test_limits_off_take_what_the_defaults_refuse() -> None:
    limits = Limits(
        request_line_bytes=None, head_bytes=None, field_lines=None, body_bytes=None,
        body_memory_bytes=None, connections=None,
    )  # fmt: skip
    with FastServer(wire_app.handler, port=0, limits=limits) as server, connect(server) as client:
        fields = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 500) for number in range(300))
        target = b"/echo?" + b"x" * 20000
        client.send(
            b"POST %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
            % (target, fields, 20 * MEBIBYTE)
        )
        client.send(*[b"z" * MEBIBYTE] * 20)
        assert client.response().body == b"z" * 20 * MEBIBYTE


# Pipelining.


def test_a_client_that_pipelines_without_end_starves_nobody(server: FastServer) -> None:
    with connect(server) as busy, connect(server) as other:
        busy.send(NEXT * 2000)
        other.send(NEXT)
        assert other.response().status == 200
        for _ in range(2000):
            assert busy.response().status == 200


def test_many_pipelined_requests_that_arrive_at_once_are_all_answered(server: FastServer) -> None:
    requests = [
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        for text in (str(number).encode() for number in range(1000))
    ]
    with connect(server) as client:
        client.send(b"".join(requests))
        assert [client.response().body for _ in requests] == [b"%d" % n for n in range(1000)]


# What a handler knows of the connection.


def test_a_request_knows_its_connection() -> None:
    def handler(request: Request) -> dict[str, Any]:
        return {"client": request.client, "server": request.server, "scheme": request.scheme}

    with FastServer(handler, port=0) as server, connect(server) as client:
        client.send(NEXT)
        expected = Response.json(
            {"client": client.name, "server": ("127.0.0.1", server.port), "scheme": "http"}
        )
        assert client.response().body == expected.body


def test_too_many_connections_are_told_so() -> None:
    with FastServer(wire_app.handler, port=0, limits=Limits(connections=2)) as server:
        with connect(server) as first, connect(server) as second:
            for client in (first, second):
                client.send(NEXT)
                assert client.response().status == 200
            with connect(server) as third:
                response = third.response()
                assert response.status == 503
                assert response.get("retry-after")
                assert response.closes
                third.expect_end()
            first.send(NEXT)
            assert first.response().status == 200
        assert eventually(lambda: server.stats().connections == 0)
        with connect(server) as fourth:
            fourth.send(NEXT)
            assert fourth.response().status == 200


def test_octets_behind_a_close_that_come_while_the_handler_runs() -> None:
    """They are discarded: closing over them would send a reset, which can overtake the answer."""
    entered, sent = threading.Event(), threading.Event()

    def handler(request: Request) -> bytes:
        entered.set()
        assert sent.wait(20)
        return b"x" * 100_000

    with FastServer(handler, port=0) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert entered.wait(20)
        client.send(b"nobody asked for this")
        sent.set()
        assert len(client.response().body) == 100_000
        client.expect_end()
