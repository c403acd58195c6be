"""Request: a view over a parsed head, without a server."""

from __future__ import annotations

import io
from typing import Any

import pytest

from fastraw import HTTPError, Request, parse_head
from fastraw.spool import Spool


class Peer:
    """A connection that is at a known time."""

    client = ("192.0.2.1", 5000)
    server = ("192.0.2.2", 80)
    scheme = "https"

    def disconnected(self) -> bool:
        return True

    def peer_certificate(self) -> None:
        return None

    def now(self) -> float:
        return 100.0

    def upgrade(self, request: Request, protocol: str, fields: Any) -> tuple[Any, bytes]:
        return io.BytesIO(), protocol.encode()


def made(target: str = "/", *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> Request:
    text = "\r\n".join([f"{method} {target} {version}", "Host: a", *lines, "", ""])
    head = parse_head(text.encode("latin-1"))
    assert head is not None
    return Request(head, Peer())


def test_request_line() -> None:
    request = made("/a%20b/%E2%82%AC/%ff?x=%20#"[:-1], method="PATCH", version="HTTP/1.0")
    assert (request.method, request.version) == ("PATCH", "HTTP/1.0")
    assert request.target == "/a%20b/%E2%82%AC/%ff?x=%20"
    assert request.raw_path == "/a%20b/%E2%82%AC/%ff"
    assert request.path == "/a b/\u20ac/\ufffd"
    assert request.query_string == "x=%20"
    assert repr(request) == "<Request PATCH /a%20b/%E2%82%AC/%ff?x=%20 HTTP/1.0>"
    assert made(version="HTTP/1.5").version == "HTTP/1.1"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("http://b/x/y?z", "/x/y", "z"),
        ("HTTPS://b", "/", ""),
        ("http://b?z", "/", "z"),
        ("http://b/?a?b", "/", "a?b"),
        ("//b/x", "//b/x", ""),
        ("/http://b/", "/http://b/", ""),
        ("/?", "/", ""),
    ],
)
def test_forms_of_a_target(target: str, path: str, query: str) -> None:
    request = made(target)
    assert (request.path, request.query_string) == (path, query)


def test_asterisk_form() -> None:
    assert made("*", method="OPTIONS").path == "*"


def test_subpath() -> None:
    request = made("/app/%2e/x?y")
    request.mount_path = "/app"
    assert request.subpath == "/%2e/x"


def test_query() -> None:
    query = made("/?a=1&b=%C3%A4+%2B&a=2&empty=&bare").query
    assert query["a"] == "1"
    assert query.get_all("a") == ["1", "2"]
    assert query["b"] == "\xe4 +"
    assert query["empty"] == query["bare"] == ""
    assert query.get("nothing") is None
    assert len(query) == 4


def test_query_without_end() -> None:
    assert len(made("/?" + "&".join(f"a{n}=" for n in range(1000))).query) == 1000
    with pytest.raises(HTTPError) as caught:
        _ = made("/?" + "&".join(f"a{n}=" for n in range(1001))).query
    assert caught.value.status == 400


def test_the_connection_it_came_by() -> None:
    request = made()
    assert request.client == ("192.0.2.1", 5000)
    assert request.server == ("192.0.2.2", 80)
    assert request.scheme == "https"
    assert request.disconnected is True
    assert request.peer_certificate is None


def test_deadline_is_what_is_left() -> None:
    request = made()
    assert request.deadline is None
    request.deadline_at = 99.0
    assert request.deadline == -1.0


def test_state_is_the_handlers() -> None:
    request = made()
    request.state["user"] = 5
    assert request.state == {"user": 5}
    assert made().state == {}


def spooled(memory_bytes: int | None) -> Spool:
    spool = Spool(memory_bytes)
    spool.write(b"one\n")
    spool.write(b"two\n")
    return spool


@pytest.mark.parametrize("kind", ["bytes", "memory", "disk"])
def test_content(kind: str) -> None:
    request = made()
    assert request.body == b""
    assert request.stream.read() == b""
    request = made()
    spool = spooled(None if kind == "memory" else 0)
    request.use_content(b"one\ntwo\n" if kind == "bytes" else spool)
    assert request.body == request.body == b"one\ntwo\n"
    assert request.stream is request.stream
    assert list(request.stream) == [b"one\n", b"two\n"]
    spool.close()


def test_streamed_content_is_read_once() -> None:
    request = made()
    request.use_content(io.BytesIO(b"one\ntwo\n"))
    assert request.stream.readline() == b"one\n"
    assert request.body == request.body == b"two\n"


JSON = "Content-Type: application/json"


@pytest.mark.parametrize("line", [JSON, "X: y", "Content-Type: application/ld+json; charset=UTF-8"])
def test_json(line: str) -> None:
    request = made("/", line)
    request.use_content('{"a": [1, "\xe4"]}'.encode())
    assert request.json() == {"a": [1, "\xe4"]}


@pytest.mark.parametrize(
    ("line", "content", "status"),
    [
        ("Content-Type: text/plain", b"{}", 415),
        (JSON + "; charset=utf-16", b"{}", 415),
        (JSON, b"", 400),
        (JSON, b"{", 400),
        (JSON, b'"\xff"', 400),
        (JSON, b"[" * 100_000, 400),
    ],
)
def test_json_that_is_none(line: str, content: bytes, status: int) -> None:
    request = made("/", line)
    request.use_content(content)
    with pytest.raises(HTTPError) as caught:
        request.json()
    assert caught.value.status == status


def test_upgrade() -> None:
    request = made("/", "Connection: upgrade", "Upgrade: a/1, WebSocket")
    with request.upgrade("websocket") as upgraded:
        assert upgraded.received == b"websocket"
    assert upgraded.socket.closed


@pytest.mark.parametrize("lines", [(), ("Connection: upgrade", "Upgrade: h2c")])
def test_upgrade_that_nobody_asked_for(lines: tuple[str, ...]) -> None:
    with pytest.raises(HTTPError) as caught:
        made("/", *lines).upgrade("websocket")
    assert caught.value.status == 426
    assert ("Upgrade", "websocket") in caught.value.headers
