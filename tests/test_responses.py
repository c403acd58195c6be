"""What a handler's result becomes on the wire, and what it can never become."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from fastraw import FastServer, HTTPError, Request, Response
from fastraw.testing import RawClient, RawResponse
from tests.waiting import eventually

NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

Handler = Callable[[Request], Any]


class Pieces:
    """An iterable that counts how it is used."""

    def __init__(self, *pieces: Any, fault: BaseException | None = None) -> None:
        self._pieces = iter(pieces)
        self._fault = fault
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        piece = next(self._pieces, None)
        if piece is None:
            raise self._fault or StopIteration
        self.taken += 1
        return piece

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], RawClient]]:
    """Serve with a handler, `b"next"` for NEXT, and connect to it."""
    servers: list[FastServer] = []
    clients: list[RawClient] = []

    def start(handler: Handler) -> RawClient:
        def answer(request: Request) -> Any:
            return b"next" if request.path == "/next" else handler(request)

        server = FastServer(answer, port=0)
        server.start()
        servers.append(server)
        clients.append(RawClient(("127.0.0.1", server.port)))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


Serve = Callable[[Handler], RawClient]


def ask(client: RawClient, method: str = "GET", version: str = "1.1") -> RawResponse:
    client.send(f"{method} / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    return client.response(method)


def still_works(client: RawClient) -> bool:
    client.send(NEXT)
    return client.response().body == b"next"


# Results.


@pytest.mark.parametrize(
    ("result", "content_type", "content"),
    [
        ("caf\xe9", "text/plain; charset=utf-8", b"caf\xc3\xa9"),
        ("", "text/plain; charset=utf-8", b""),
        (b"\x00\xff", "application/octet-stream", b"\x00\xff"),
        ({"a": [1, None]}, "application/json", b'{"a": [1, null]}'),
        ([], "application/json", b"[]"),
        (Response("text"), "text/plain; charset=utf-8", b"text"),
        (Response(b"octets"), "application/octet-stream", b"octets"),
        (Response(b"octets", content_type="image/png"), "image/png", b"octets"),
        (Response(b"x", headers={"Content-Type": "a/b"}), "a/b", b"x"),
        (Response(), None, b""),
        (Response.html("<p>"), "text/html; charset=utf-8", b"<p>"),
    ],
    ids=repr,
)
def test_a_result_becomes_a_response(
    serve: Serve, result: object, content_type: str | None, content: bytes
) -> None:
    client = serve(lambda request: result)
    response = ask(client)
    assert response.status == 200
    assert response.get("content-type") == content_type
    assert response.body == content
    assert response.get("content-length") == str(len(content))
    assert still_works(client)


@pytest.mark.parametrize(
    "result",
    [None, 1, True, ("a", 200), {1, 2}, object(), {"a": object()}, Response, ...],
    ids=repr,
)
def test_any_other_result_is_500(
    serve: Serve, result: object, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(lambda request: result)
    assert ask(client).status == 500
    assert still_works(client)
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


@pytest.mark.parametrize(
    "fault", [RuntimeError, KeyError, AssertionError, SystemExit, GeneratorExit]
)
def test_an_exception_is_500_and_tells_the_client_nothing(
    serve: Serve, fault: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def handler(request: Request) -> str:
        raise fault("secret")

    client = serve(handler)
    response = ask(client)
    assert response.status == 500
    assert b"secret" not in response.body
    assert fault.__name__.encode() not in response.body
    assert b"Traceback" not in response.body
    assert still_works(client)
    assert "secret" in caplog.text
    assert {record.name for record in caplog.records if record.exc_info} == {"fastraw.error"}


def test_an_http_error_is_its_status(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: Request) -> str:
        raise HTTPError(405, "Try GET.", headers=[("Allow", "GET")])

    client = serve(handler)
    response = ask(client)
    assert (response.status, response.body) == (405, b"405 Try GET.\n")
    assert response.get("allow") == "GET"
    assert still_works(client)
    assert not caplog.records


def test_an_http_error_with_a_field_that_cannot_be_sent_is_500(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(request: Request) -> str:
        raise HTTPError(400, headers=[("X", "a\r\nSet-Cookie: forged")])

    client = serve(handler)
    response = ask(client)
    assert response.status == 500
    assert response.get("set-cookie") is None
    assert still_works(client)


# Fields.


def test_date_is_the_time_of_the_answer(serve: Serve) -> None:
    client = serve(lambda request: "")

    def age_is_right() -> bool:
        before = time.time()
        value = ask(client).get("date")
        assert value is not None
        date = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc)
        return int(before) - 1 <= date.timestamp() <= time.time()

    assert age_is_right()
    began = int(time.time())
    assert eventually(lambda: time.time() > began + 2)  # so that a Date kept from then would show
    assert age_is_right()


@pytest.mark.parametrize("date", ["Tue, 15 Nov 1994 08:12:31 GMT"])
def test_a_date_of_the_handler_replaces_ours(serve: Serve, date: str) -> None:
    client = serve(lambda request: Response("x", headers={"date": date}))
    assert ask(client).get_all("date") == [date]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nb"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "\x1f"),
        ("X", "\x7f"),
        ("X", "\u20ac"),
        ("X", 1),
        ("X", None),
        ("X", b"a"),
        ("", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("X\r\nY", "a"),
        ("\xe9", "a"),
        ("\u20ac", "a"),
        (b"X", "a"),
    ],
)
def test_a_field_that_cannot_be_sent_is_refused_when_it_is_set(name: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="header"):
        Response(headers=[(name, value)])
    response = Response()
    with pytest.raises(ValueError, match="header"):
        response.headers[name] = value
    with pytest.raises(ValueError, match="header"):
        response.headers.add(name, value)
    assert not response.headers


@pytest.mark.parametrize("content_type", ["a/b\r\nX: forged", "a/b\n", "a/b\0", "a/\x7f"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_content_type_forges_nothing(
    serve: Serve, content_type: str, streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(request: Request) -> Response:
        if streamed:
            return Response.stream(iter([b"x"]), content_type=content_type)
        return Response(b"x", content_type=content_type)

    client = serve(handler)
    response = ask(client)
    assert response.status == 500
    assert response.get("x") is None
    assert still_works(client)


def test_fields_of_the_handler_are_kept_in_order(serve: Serve) -> None:
    fields = [("Set-Cookie", "a=1"), ("X-Y", "\xff\t1"), ("Set-Cookie", "b=2"), ("x", "")]
    client = serve(lambda request: Response("x", headers=fields))
    response = ask(client)
    assert [field for field in response.fields if field[0] in ("Set-Cookie", "X-Y", "x")] == fields


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "field", [("Content-Length", "5x"), ("Content-Length", ""), ("Transfer-Encoding", "chunked")]
)
def test_framing_is_not_the_handlers(
    serve: Serve, field: tuple[str, str], streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = Pieces(b"12345")

    def handler(request: Request) -> Response:
        if streamed:
            return Response.stream(pieces, headers=[field])
        return Response(b"12345", headers=[field])

    client = serve(handler)
    assert ask(client).status == 500
    assert still_works(client)
    assert pieces.closed == streamed


def test_two_equal_content_lengths_are_sent_as_one(serve: Serve) -> None:
    fields = [("Content-Length", "5"), ("content-length", "5")]
    client = serve(lambda request: Response(b"12345", headers=fields))
    response = ask(client)
    assert response.get_all("content-length") == ["5"]
    assert response.body == b"12345"


@pytest.mark.parametrize("value", ["close", "Close", "X, close", "close, keep-alive"])
def test_a_handler_may_close_the_connection(serve: Serve, value: str) -> None:
    client = serve(lambda request: Response("x", headers={"Connection": value}))
    response = ask(client)
    assert response.closes
    client.expect_end()


# Statuses without content.


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_status_without_content_has_none(
    serve: Serve, status: int, streamed: bool, version: str
) -> None:
    pieces = Pieces(b"five\n")

    def handler(request: Request) -> Response:
        return Response.stream(pieces, status) if streamed else Response(b"five\n", status)

    client = serve(handler)
    response = ask(client, version=version)
    assert response.status == status
    assert response.body == b""
    assert response.get("transfer-encoding") is None
    assert response.get("content-length") in ((None,) if status == 204 else ("0", None))
    if version == "1.1":
        assert still_works(client)
    client.finish()
    client.expect_end()
    assert pieces.closed == streamed


def test_304_may_state_the_length_that_200_would_have(serve: Serve) -> None:
    client = serve(lambda request: Response(status=304, headers={"Content-Length": "1234"}))
    response = ask(client)
    assert response.get("content-length") == "1234"
    assert still_works(client)


def test_head_may_state_the_length_that_get_would_have(serve: Serve) -> None:
    client = serve(lambda request: Response(headers={"Content-Length": "1234"}))
    assert ask(client, "HEAD").get("content-length") == "1234"
    assert still_works(client)


@pytest.mark.parametrize("length", [None, "10"])
def test_head_of_a_stream_takes_nothing_and_closes_it(serve: Serve, length: str | None) -> None:
    pieces = Pieces(b"12345", b"12345")
    headers = {} if length is None else {"Content-Length": length}
    client = serve(lambda request: Response.stream(pieces, headers=headers))
    response = ask(client, "HEAD")
    assert response.get("content-length") == length
    assert still_works(client)
    assert pieces.closed == 1


# Streams.


def test_a_stream_is_sent_piece_by_piece_and_closed_once(serve: Serve) -> None:
    pieces = Pieces(b"one", b"", bytearray(b"two"), memoryview(b"three"))
    client = serve(lambda request: Response.stream(pieces))
    response = ask(client)
    assert (response.framing, response.body) == ("chunked", b"onetwothree")
    assert still_works(client)
    assert pieces.closed == 1


def test_a_piece_is_sent_before_the_next_is_made(serve: Serve) -> None:
    received: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert eventually(lambda: b"first" in received)
        yield b"second"

    client = serve(lambda request: Response.stream(pieces(), headers={"Content-Length": "11"}))
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.sock.recv(1)
    received.append(client.sock.recv(5))
    assert client.sock.recv(6) == b"second"


def test_a_stream_on_http_1_0_ends_with_the_connection(serve: Serve) -> None:
    client = serve(lambda request: Response.stream([b"one", b"two"]))
    response = ask(client, version="1.0")
    assert (response.framing, response.body) == ("close", b"onetwo")


def test_a_stream_of_a_stated_length_keeps_an_http_1_0_connection(serve: Serve) -> None:
    client = serve(lambda request: Response.stream([b"one"], headers={"Content-Length": "3"}))
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    response = client.response()
    assert (response.framing, response.body) == ("length", b"one")
    assert response.get("connection") == "keep-alive"
    assert still_works(client)


@pytest.mark.parametrize("pieces", [[b"123456"], [b"123", b"456"], [b"12345", b"6"], [b"1"] * 100])
def test_the_surplus_of_a_stream_is_never_sent(serve: Serve, pieces: list[bytes]) -> None:
    stream = Pieces(*pieces)
    client = serve(lambda request: Response.stream(stream, headers={"Content-Length": "5"}))
    assert ask(client).body == b"".join(pieces)[:5]
    assert still_works(client)
    assert stream.closed == 1


@pytest.mark.parametrize("pieces", [[], [b""], [b"1234"], [b"1", b"2"]])
def test_a_stream_that_ends_early_is_cut_off(
    serve: Serve, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    stream = Pieces(*pieces)
    client = serve(lambda request: Response.stream(stream, headers={"Content-Length": "5"}))
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
    received = client.expect_cut()
    head, _, content = received.partition(b"\r\n\r\n")
    # Either the length was promised and is not kept, or nothing was sent at all.
    assert not received or b"\r\nContent-Length: 5\r\n" in head
    assert content == b"".join(pieces)
    assert stream.closed == 1
    assert any(record.name == "fastraw.error" for record in caplog.records)


def test_a_stream_that_fails_at_once_is_500(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    stream = Pieces(fault=RuntimeError("secret"))
    client = serve(lambda request: Response.stream(stream))
    response = ask(client)
    assert response.status == 500
    assert b"secret" not in response.body
    assert still_works(client)
    assert stream.closed == 1
    assert "secret" in caplog.text


def test_a_stream_that_raises_an_http_error_at_once_is_its_status(serve: Serve) -> None:
    stream = Pieces(fault=HTTPError(409))
    client = serve(lambda request: Response.stream(stream))
    assert ask(client).status == 409
    assert still_works(client)
    assert stream.closed == 1


@pytest.mark.parametrize("fault", [RuntimeError("secret"), HTTPError(404), SystemExit(1)])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_stream_that_fails_later_is_cut_off(
    serve: Serve, fault: BaseException, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Pieces(b"begun", fault=fault)
    client = serve(lambda request: Response.stream(stream))
    client.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode() + NEXT)
    received = client.expect_cut()
    assert b"\r\n0\r\n" not in received
    assert b"HTTP/1.1 5" not in received
    assert b"secret" not in received
    assert b"next" not in received
    assert stream.closed == 1
    assert any(record.exc_info for record in caplog.records)


def test_a_stream_that_fails_where_only_the_end_delimits_it_ends_in_a_reset(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(lambda request: Response.stream(Pieces(b"begun", fault=RuntimeError())))
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        client.rest()


@pytest.mark.parametrize("piece", ["text", 1, ["x"], object()])
def test_a_stream_of_something_else_is_500(
    serve: Serve, piece: object, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Pieces(piece)
    client = serve(lambda request: Response.stream(stream))
    assert ask(client).status == 500
    assert still_works(client)
    assert stream.closed == 1


def test_close_of_a_stream_that_raises_is_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(Pieces):
        def close(self) -> None:
            super().close()
            raise RuntimeError("does not close")

    stream = Stubborn(b"x")
    client = serve(lambda request: Response.stream(stream))
    assert ask(client).body == b"x"
    assert still_works(client)
    assert stream.closed == 1
    assert "does not close" in caplog.text


def test_a_result_that_is_no_iterable_is_500(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    number: Any = 5
    client = serve(lambda request: Response.stream(number))
    assert ask(client).status == 500
    assert still_works(client)


# Refusals.

CANARY = "kanarienvogel"


@pytest.mark.parametrize(
    "request_text",
    [
        "{}\r\n\r\n",
        "{}@ / HTTP/1.1\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /{}#x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/{}\r\nHost: a\r\n\r\n",
        "GET / {}/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {0} {0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n{} : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {}, chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: {}\r\n\r\n",
        "CONNECT {}:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;{}=\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n\r\n",
        "GET /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
def test_a_refusal_repeats_nothing_and_calls_no_handler(serve: Serve, request_text: str) -> None:
    calls: list[str] = []

    def handler(request: Request) -> str:
        calls.append(request.target)
        return "answered"

    client = serve(handler)
    client.send(request_text.format(CANARY).encode() + NEXT)
    response = client.response()
    assert 400 <= response.status < 600
    assert response.closes
    client.expect_end()
    assert CANARY not in str(response)
    assert not calls


def test_an_error_of_a_bare_handler_repeats_nothing(serve: Serve) -> None:
    def handler(request: Request) -> str:
        raise HTTPError(404)

    client = serve(handler)
    client.send(f"GET /{CANARY} HTTP/1.1\r\nHost: {CANARY}\r\n\r\n".encode())
    assert CANARY not in str(client.response())


# The access log.


def test_the_access_log_has_a_line_for_each_request(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastraw.access")
    client = serve(lambda request: Response("five\n", 201))
    client.send(b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    assert client.response().status == 201
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert client.response().status == 400
    client.expect_end()

    def lines() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name == "fastraw.access"]

    assert eventually(lambda: len(lines()) == 2)
    first, second = lines()
    assert first.startswith('127.0.0.1 "POST /x?y HTTP/1.1" 201 5 ')
    assert " 400 " in second


def test_nothing_received_can_forge_a_line_of_the_access_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastraw.access")
    client = serve(lambda request: "x")
    client.send(b'GET /"%0d%0a\\x HTTP/1.1\r\nHost: a\r\n\r\n')
    assert client.response().status == 200
    assert eventually(lambda: caplog.records)
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_json_of_a_result_is_what_was_meant(serve: Serve) -> None:
    value = {"text": "\u20ac\r\n", "list": [1, 2.5, None, True]}
    client = serve(lambda request: value)
    assert json.loads(ask(client).body) == value
