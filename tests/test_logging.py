"""One line of the access log for each request, whatever becomes of it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastraw import ClientDisconnected, FastServer, HTTPError, Limits, Request, Response, Timeouts
from fastraw.testing import RawClient
from tests.waiting import PATIENCE_SECONDS, eventually

LINE = re.compile(r'(\S+) "(.*)" ([0-9]+) ([0-9]+) ([0-9]+\.[0-9])')


class App:
    """Answers of every kind."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, request: Request) -> Any:
        path = request.path
        if path == "/stream":
            return Response.stream([b"one", b"two"])
        if path == "/endless":
            return Response.stream(iter(lambda: b"x" * 65536, b""))
        if path == "/fails":
            return Response.stream(self.failing())
        if path == "/boom":
            raise RuntimeError("boom")
        if path == "/teapot":
            raise HTTPError(418)
        if path == "/gone":
            raise ClientDisconnected("so it seems")
        if path == "/wait":
            assert self.go.wait(PATIENCE_SECONDS)
        return "hello"

    def failing(self) -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("fails")


class Lines:
    """The lines logged so far, taken apart."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def taken(self, count: int) -> list[tuple[str, str, int, int]]:
        """`count` lines, and no more: client, request line, status, octets."""
        assert eventually(lambda: len(self.all()) >= count)
        return self.all()

    def all(self) -> list[tuple[str, str, int, int]]:
        found = []
        for record in list(self._caplog.records):
            if record.name == "fastraw.access":
                assert record.levelno == logging.INFO
                match = LINE.fullmatch(record.getMessage())
                assert match is not None, record.getMessage()
                found.append((match[1], match[2], int(match[3]), int(match[4])))
        return found


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.INFO, "fastraw.access")
    return Lines(caplog)


def connect(running: FastServer) -> RawClient:
    return RawClient(running.address)


def get(path: str, method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("sent", "method", "line", "status", "octets"),
    [
        (get("/?q=%20"), "GET", "GET /?q=%20 HTTP/1.1", 200, 5),
        (get("/", "HEAD"), "HEAD", "HEAD / HTTP/1.1", 200, 0),
        (get("/", version="1.0"), "GET", "GET / HTTP/1.0", 200, 5),
        (get("http://b/"), "GET", "GET http://b/ HTTP/1.1", 200, 5),
        (get("/stream"), "GET", "GET /stream HTTP/1.1", 200, 6),
        (get("/stream", "HEAD"), "HEAD", "HEAD /stream HTTP/1.1", 200, 0),
        (get("/boom"), "GET", "GET /boom HTTP/1.1", 500, None),
        (get("/teapot"), "GET", "GET /teapot HTTP/1.1", 418, None),
        (get("/teapot", "HEAD"), "HEAD", "HEAD /teapot HTTP/1.1", 418, 0),
        (b"GET / HTTP/1.1\r\n\r\n", "GET", "-", 400, None),
        (get("a:1", "CONNECT"), "GET", "CONNECT a:1 HTTP/1.1", 501, None),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n",
            "GET", "POST / HTTP/1.1", 413, None,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            "GET", "POST / HTTP/1.1", 400, None,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            "GET", "POST / HTTP/1.1", 200, 5,
        ),
    ],
)  # fmt: skip
def test_line(
    lines: Lines, sent: bytes, method: str, line: str, status: int, octets: int | None
) -> None:
    limits = Limits(body_bytes=20)
    with FastServer(App(), port=0, limits=limits) as running, connect(running) as client:
        client.send(sent)
        response = client.response(method)
        assert response.status == status
        size = len(response.body) if octets is None else octets
        assert lines.taken(1) == [("127.0.0.1", line, status, size)]


def test_time_is_in_milliseconds(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    with FastServer(app, port=0) as running, connect(running) as client:
        client.send(get("/wait"))
        assert eventually(lambda: running.stats().running == 1)
        threading.Event().wait(0.02)
        app.go.set()
        client.response()
        lines.taken(1)
    milliseconds = float(caplog.messages[0].rsplit(" ", 1)[1])
    assert 20 <= milliseconds < PATIENCE_SECONDS * 1000


def test_answers_that_are_cut_off_have_their_line_too(lines: Lines) -> None:
    timeouts = Timeouts(write_seconds=0.1)
    with FastServer(App(), port=0, timeouts=timeouts) as running:
        with connect(running) as client:
            client.send(get("/endless"))
            assert client.sock.recv(10)
        ((_, line, status, octets),) = lines.taken(1)
        assert (line, status) == ("GET /endless HTTP/1.1", 200)
        assert octets >= 65536
        with connect(running) as client:
            client.send(get("/fails"))
            client.expect_cut()
        assert lines.taken(2)[1] == ("127.0.0.1", "GET /fails HTTP/1.1", 200, 3)
        with connect(running) as client:
            client.send(get("/gone"))
            client.expect_cut()
        # No answer, no status of HTTP.
        assert lines.taken(3)[2] == ("127.0.0.1", "GET /gone HTTP/1.1", 499, 0)


def test_a_client_that_leaves_before_its_answer(lines: Lines) -> None:
    with FastServer(App(), port=0) as running:
        with connect(running) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        assert lines.taken(1) == [("127.0.0.1", "POST / HTTP/1.1", 499, 0)]


def test_a_client_that_is_cut_off_before_its_answer(lines: Lines) -> None:
    with FastServer(App(), port=0) as running, connect(running) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        assert running._running is not None
        tasks = running._running.service.tasks
        assert eventually(lambda: any(getattr(task, "request", None) for task in list(tasks)))
        assert running.stop(timeout=0).aborted == 1
        assert lines.taken(1) == [("127.0.0.1", "POST / HTTP/1.1", 499, 0)]


def test_requests_that_wait_in_vain_have_theirs(lines: Lines) -> None:
    app = App()
    timeouts = Timeouts(queue_seconds=0.05)
    with (
        FastServer(app, port=0, workers=1, timeouts=timeouts) as running,
        connect(running) as first,
        connect(running) as second,
    ):
        running._running.scheduler._slow.seen_slow("GET /wait")  # type: ignore[union-attr]
        first.send(get("/wait"))
        assert eventually(lambda: running.stats().running == 1)
        second.send(get("/wait"))
        size = len(second.response().body)
        assert lines.taken(1) == [("127.0.0.1", "GET /wait HTTP/1.1", 503, size)]
        app.go.set()
        first.response()


def test_who_a_client_is(lines: Lines, tmp_path: Path) -> None:
    with (
        FastServer(App(), uds=str(tmp_path / "s")) as running,
        connect(running) as client,
    ):
        client.send(get("/"), b"\0")
        client.response()
        client.response()
        assert [line[0] for line in lines.taken(2)] == ["unix", "unix"]


def test_no_line_without_a_listener(caplog: pytest.LogCaptureFixture) -> None:
    """The level is looked up at each poll, so it can be changed while the server runs."""
    access = logging.getLogger("fastraw.access")
    with FastServer(App(), port=0) as running, connect(running) as client:
        client.send(get("/one"))
        client.response()
        caplog.set_level(logging.INFO, "fastraw.access")
        client.send(get("/two"))
        client.response()
        assert eventually(lambda: len(caplog.messages) == 1)
        caplog.set_level(logging.WARNING, "fastraw.access")
        client.send(get("/three"))
        client.response()
        client.send(get("/four"))
        client.response()
    assert ["/two" in message for message in caplog.messages] == [True]
    assert not access.isEnabledFor(logging.INFO)


def test_an_exception_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with FastServer(App(), port=0) as running, connect(running) as client:
        client.send(get("/boom?x=1"))
        assert client.response().status == 500
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("fastraw.error", logging.ERROR)
    assert record.getMessage() == "Exception in the handler of <Request GET /boom?x=1 HTTP/1.1>"
    assert "RuntimeError: boom" in caplog.text
