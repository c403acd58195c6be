"""Server-sent events: one stream, many subscribers, and a browser that counts them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fastraw import FastServer, Request
from fastraw.apps.events import Broadcast, EventStream, encode_event
from fastraw.testing import RawClient
from tests.waiting import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Request], Any]], FastServer]]:
    running: list[FastServer] = []

    def start(handler: Callable[[Request], Any]) -> FastServer:
        running.append(FastServer(handler, port=0, workers=2))
        running[-1].start()
        return running[-1]

    yield start
    for server in running:
        server.stop(timeout=1)


def connect(server: FastServer, *fields: bytes) -> RawClient:
    client = RawClient(("127.0.0.1", server.port))
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(fields) + b"\r\n")
    client.until(b"Content-Type: text/event-stream\r\n", b"\r\n\r\n")
    return client


@pytest.mark.parametrize(
    ("arguments", "octets"),
    [
        (("hello",), b"data: hello\n\n"),
        (("",), b"data: \n\n"),
        (("one\ntwo\r\nthree\rfour",), b"data: one\ndata: two\ndata: three\ndata: four\n\n"),
        (("caf\u00e9\u2028same line",), "data: caf\u00e9\u2028same line\n\n".encode()),
        (("x", "tick"), b"event: tick\ndata: x\n\n"),
        (("x", None, "7"), b"id: 7\ndata: x\n\n"),
    ],
)
def test_format(arguments: tuple[Any, ...], octets: bytes) -> None:
    assert encode_event(*arguments) == octets


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("x", "a\nb"), "event must have no line end and no NUL, not 'a\\nb'"),
        (("x", None, "a\rb"), "id must have no line end and no NUL, not 'a\\rb'"),
        (("x", None, "a\0b"), "id must have no line end and no NUL, not 'a\\x00b'"),
    ],
)
def test_what_would_end_a_line_early(arguments: tuple[Any, ...], fault: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        encode_event(*arguments)
    assert str(caught.value) == fault


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="data must be a str, not bytes"):
        encode_event(b"x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="queue_events must be a positive integer, not 0"):
        Broadcast(queue_events=0)
    with pytest.raises(ValueError, match="full must be 'drop_oldest' or 'close', not 'wait'"):
        EventStream(full="wait")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="heartbeat_seconds must be positive, not 0"):
        EventStream(heartbeat_seconds=0)
    with pytest.raises(ValueError, match="heartbeat_seconds must be positive, not 1000"):
        EventStream(heartbeat_seconds=10**400)
    with pytest.raises(ValueError, match="history_events must not be negative, not -1"):
        Broadcast(history_events=-1)
    with pytest.raises(ValueError, match="retry_seconds must not be negative, not -1"):
        EventStream(retry_seconds=-1)


def test_one_stream(serve: Callable[..., FastServer]) -> None:
    closed = threading.Event()
    stream = EventStream(retry_seconds=1.5, on_close=closed.set)
    server = serve(lambda request: stream)
    with connect(server) as client:
        client.until(b"retry: 1500\n\n")
        assert stream.send("hello", event="greeting", id="1")
        client.until(b"id: 1\nevent: greeting\ndata: hello\n\n")
        assert eventually(lambda: server.stats().running == 0)
        assert not stream.ended
        assert stream.send("last")
        stream.end()
        client.until(b"data: last\n\n", b"0\r\n\r\n")
        client.expect_end()
    assert closed.wait(10)
    assert not stream.send("nobody hears it")
    assert stream.ended


def test_a_stream_answers_one_request(
    serve: Callable[..., FastServer], caplog: pytest.LogCaptureFixture
) -> None:
    stream = EventStream()
    server = serve(lambda request: stream)
    with connect(server) as first, RawClient(("127.0.0.1", server.port)) as second:
        second.send(GET)
        assert second.response().status == 500
        assert "an EventStream answers one request" in caplog.text
        assert stream.send("to the first")
        first.until(b"data: to the first\n\n")
        stream.end()
        first.until(b"0\r\n\r\n")
        first.expect_end()
        second.send(GET)
        assert second.response().status == 500


@pytest.mark.usefixtures("quick_sweeps")
def test_heartbeat(serve: Callable[..., FastServer]) -> None:
    server = serve(lambda request: EventStream(heartbeat_seconds=0.05))
    with connect(server) as client:
        client.until(b":\n\n", b":\n\n")


def test_full_queue_drops_the_oldest() -> None:
    stream = EventStream(queue_events=2)
    assert all(stream.send(str(number)) for number in range(5))
    assert stream.source is not None
    assert stream.source.take() == b"data: 3\n\ndata: 4\n\n"
    assert stream.dropped == 3
    assert not stream.ended


def test_full_queue_closes() -> None:
    stream = EventStream(queue_events=2, full="close")
    assert [stream.send(str(number)) for number in range(4)] == [True, True, False, False]
    assert stream.source is not None
    assert stream.source.take() == b"data: 0\n\ndata: 1\n\n"
    assert stream.ended


def test_a_client_that_does_not_read_holds_nobody_up(serve: Callable[..., FastServer]) -> None:
    news = Broadcast(queue_events=4)
    server = serve(news.subscribe)
    with connect(server) as lazy, connect(server) as eager:
        assert eventually(lambda: len(news) == 2)
        for number in range(64):
            assert news.send("x" * 256 * 1024, id=str(number)) == 2
            eager.until(b"id: %d\n" % number, b"\n\n")
        # What the lazy one finds is the beginning and, when it has caught up, the end.
        lazy.until(b"id: 0\n", b"id: 63\n")


def test_history(serve: Callable[..., FastServer]) -> None:
    news = Broadcast(history_events=3)
    server = serve(news.subscribe)
    for number in range(1, 6):
        news.send(f"event {number}")
    with connect(server) as newcomer, connect(server, b"Last-Event-ID: 4\r\n") as recent:
        recent.until(b"id: 5\ndata: event 5\n\n")
        with connect(server, b"Last-Event-ID: 1\r\n") as long_gone:
            long_gone.until(b"\r\nid: 3\n", b"id: 4\n", b"id: 5\n")
        assert eventually(lambda: len(news) == 2)
        news.send("event 6")
        newcomer.until(b"id: 6\ndata: event 6\n\n")
        recent.until(b"id: 6\n")


def test_subscriber_that_leaves_is_forgotten(serve: Callable[..., FastServer]) -> None:
    news = Broadcast()
    server = serve(news.subscribe)
    with connect(server):
        assert eventually(lambda: len(news) == 1)
    assert eventually(lambda: len(news) == 0)
    assert news.send("nobody hears it") == 0


def test_stream_that_is_never_returned_leaves_nothing(serve: Callable[..., FastServer]) -> None:
    news = Broadcast()

    def handler(request: Request) -> str:
        news.subscribe(request)
        return "something else"

    with RawClient(("127.0.0.1", serve(handler).port)) as client:
        client.send(GET)
        assert client.response().body == b"something else"
    assert len(news) == 0


def test_end_and_stop(serve: Callable[..., FastServer]) -> None:
    news = Broadcast()
    server = serve(news.subscribe)
    with connect(server) as client:
        assert eventually(lambda: len(news) == 1)
        news.send("last")
        news.end()
        client.until(b"data: last\n\n", b"0\r\n\r\n")
        client.expect_end()
    with connect(server) as client:
        assert eventually(lambda: len(news) == 1)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        client.until(b"0\r\n\r\n")
        client.expect_end()
        client.close()
        stopping.join()
    assert len(news) == 0


def test_same_order_for_all(serve: Callable[..., FastServer]) -> None:
    """Several senders at once: each subscriber sees the same order."""
    news = Broadcast(queue_events=1000)
    server = serve(news.subscribe)
    with connect(server) as first, connect(server) as second:
        assert eventually(lambda: len(news) == 2)
        senders = [
            threading.Thread(
                target=lambda name=name: [news.send(f"{name}{n}") for n in range(50)]  # type: ignore[misc]
            )
            for name in "abcd"
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        news.end()
        assert contents(first) == contents(second)


def contents(client: RawClient) -> list[bytes]:
    return [line for line in client.rest().split(b"\n") if line.startswith(b"data: ")]


SUBSCRIBERS = 5000


def test_five_thousand_subscribers_on_two_workers(serve: Callable[..., FastServer]) -> None:
    news = Broadcast()
    server = serve(news.subscribe)
    clients = []
    try:
        for _ in range(SUBSCRIBERS):
            clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            clients[-1].sendall(GET)
        assert eventually(lambda: len(news) == SUBSCRIBERS)
        assert eventually(lambda: server.stats().running == 0)
        assert news.send("to all") == SUBSCRIBERS
        for client in clients:
            received = b""
            while b"data: to all\n\n" not in received:
                octets = client.recv(4096)
                assert octets
                received += octets
        news.end()
        assert eventually(lambda: len(news) == 0)
    finally:
        for client in clients:
            client.close()
