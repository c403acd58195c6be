"""No connection keeps a permit holder for long, whatever it sends or takes."""

from __future__ import annotations

import pytest

from fastraw import FastServer, Request
from fastraw.engine import channel, content
from fastraw.engine.connection import Connection
from fastraw.file import FileSlice
from fastraw.testing import RawClient
from tests.waiting import eventually

POST = b"POST /%b HTTP/1.1\r\nHost: a\r\n"
CONTENT = bytes(range(256)) * 400
ANSWER = b"x" * (8 * 1024 * 1024)


class App:
    def stream_body(self, request: Request) -> bool:
        return request.path == "/unread"

    def __call__(self, request: Request) -> bytes:
        if request.path == "/unread":
            return b""
        return ANSWER if request.path == "/large" else request.body


def test_content_is_received_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    receive, collect = Connection.receive, Connection.collect

    def noted_receive(self: Connection, room: memoryview) -> bytes | memoryview:
        noted.append("receive")
        return receive(self, room)

    def noted_collect(self: Connection) -> Request | None:
        noted.append("collect")
        return collect(self)

    monkeypatch.setattr(content, "BODY_READ_BYTES", 1000)
    monkeypatch.setattr(content, "READS_A_TURN", 3)
    monkeypatch.setattr(Connection, "receive", noted_receive)
    monkeypatch.setattr(Connection, "collect", noted_collect)
    with FastServer(App(), port=0) as server, RawClient(("127.0.0.1", server.port)) as client:
        client.send(POST % b"" + b"Content-Length: %d\r\n\r\n" % len(CONTENT), CONTENT)
        assert client.response().body == CONTENT
        assert server._running is not None
        assert len(server._running.service.rooms) == 1  # taken again for each turn
    # The head comes before the first turn; behind the last one it is looked for the next head.
    turns = [turn.count("receive") for turn in "".join(noted).split("collect")[1:-1]]
    assert len(turns) > 20
    assert max(turns) == 3


def test_an_answer_is_sent_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[list[int]] = []
    flush, send_some = Connection.flush, Connection.send_some

    def noted_flush(self: Connection) -> bool:
        turns.append([])
        return flush(self)

    def noted_send(self: Connection, out: bytes | memoryview | FileSlice) -> int:
        sent = send_some(self, out)
        if turns:
            turns[-1].append(sent)
        return sent

    monkeypatch.setattr(channel, "TURN_BYTES", 1000)
    monkeypatch.setattr(Connection, "flush", noted_flush)
    monkeypatch.setattr(Connection, "send_some", noted_send)
    with FastServer(App(), port=0) as server, RawClient(("127.0.0.1", server.port)) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server._running is not None
        tasks = server._running.service.tasks
        # The kernel cannot take all of it before the client reads.
        assert eventually(lambda: any(getattr(task, "out", None) for task in tasks))
        assert client.response().body == ANSWER
    assert turns
    assert all(sum(turn[:-1]) <= 1000 for turn in turns)


def test_content_that_is_left_unread_is_read_over_to_a_limit() -> None:
    """Nobody knows how long chunks go on."""
    with FastServer(App(), port=0) as server, RawClient(("127.0.0.1", server.port)) as client:
        client.send(POST % b"unread" + b"Transfer-Encoding: chunked\r\n\r\n")
        assert client.response().status == 200
        client.send(
            b"%x\r\n" % content.SKIP_BYTES, bytes(content.SKIP_BYTES), b"\r\n5\r\nmore!\r\n"
        )
        client.expect_end()
