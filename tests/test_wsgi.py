"""WSGI applications, each behind a real server: the rules of PEP 3333, one after the other."""

from __future__ import annotations

import gzip
import io
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from fastraw import WSGI, ClientDisconnected, FastServer, Limits, Router
from fastraw.testing import RawClient, RawResponse
from tests.waiting import eventually

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

TEXT = [("Content-Type", "text/plain")]
# More than the socket buffers of both ends take while the client does not read.
BIG = bytes(16 * 1024 * 1024)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENCE_SECONDS = 10.0


@contextmanager
def serving(app: App, *, stream_body: bool = False, **settings: Any) -> Iterator[RawClient]:
    """A client of a server of this application."""
    with (
        FastServer(WSGI(app, stream_body=stream_body), port=0, **settings) as server,
        RawClient(server.address) as client,
    ):
        yield client


def ask(app: App, request: bytes = GET, **settings: Any) -> RawResponse:
    """The one response to a request; the connection is kept unless that says otherwise."""
    with serving(app, **settings) as client:
        client.send(request)
        response = client.response(request.partition(b" ")[0].decode())
        if response.closes:
            client.expect_end()
        else:
            client.send(GET)
            client.response()
        return response


class Recorder:
    """An application that keeps its environs."""

    def __init__(self) -> None:
        self.environ: Environ = {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = self.environ or environ
        start_response("200 OK", list(TEXT))
        return [b"recorded"]


def environ_of(request: bytes, **settings: Any) -> Environ:
    recorder = Recorder()
    ask(recorder, request, **settings)
    return recorder.environ


class Closing:
    """An iterable that counts its close() calls, and says on which threads it was used."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.closed = 0
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.threads.add(threading.get_ident())
        return next(self._pieces)

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1


def answers(result: Iterable[bytes], headers: list[tuple[str, str]] | None = None) -> App:
    """An application that returns this, once."""

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT if headers is None else headers)
        return result

    return app


# ---- environ ----


def test_environ() -> None:
    environ = environ_of(
        b"PUT /a%20b/%E2%82%AC%ff?x=%41&y HTTP/1.1\r\nHost: example.org:8\r\n"
        b"content-TYPE: text/x\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nhi"
    )
    assert type(environ) is dict
    address = environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])
    assert address[0] == "127.0.0.1"
    assert address[1] > 0
    assert int(environ["SERVER_PORT"]) > 0
    expected = {
        "REQUEST_METHOD": "PUT",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/\xe2\x82\xac\xff",
        "QUERY_STRING": "x=%41&y",
        "REQUEST_URI": "/a%20b/%E2%82%AC%ff?x=%41&y",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "2",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "example.org:8",
        "HTTP_X_ONE": "1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    assert {name: environ.get(name) for name in expected} == expected
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTPS"} & environ.keys()


def test_environ_of_the_oldest_request() -> None:
    environ = environ_of(b"GET http://h/?a HTTP/1.0\r\n\r\n")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert environ["HTTP_HOST"] == "h"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/", "a")
    assert "CONTENT_LENGTH" not in environ


def test_fields_that_repeat_are_joined() -> None:
    environ = environ_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nCookie: a=1\r\nX-Y: 1\r\naccept: y;q=0\r\n"
        b"Cookie: b=2\r\nX-Y: 2\r\nx-y: 3\xe9\r\n\r\n"
    )
    assert environ["HTTP_ACCEPT"] == "x, y;q=0"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_Y"] == "1, 2, 3\xe9"


def test_a_name_with_an_underscore_never_shadows() -> None:
    environ = environ_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nX_Auth: no\r\nX-Auth: yes\r\nx_auth: no\r\n"
        b"Content_Length: 5\r\nContent_Type: no\r\nOnly_This: no\r\n\r\n"
    )
    assert environ["HTTP_X_AUTH"] == "yes"
    assert not {"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_ONLY_THIS"} & environ.keys()


def test_a_mounted_application() -> None:
    recorder = Recorder()
    router = Router()
    router.mount("/app", WSGI(recorder))
    with FastServer(router, port=0) as server, RawClient(server.address) as client:
        client.send(b"GET /%61pp/x%2Fy?q HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 200
    environ = recorder.environ
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/x/y")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_the_servers_name_is_the_address_that_the_client_came_to(host: str) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        start_response("200 OK", TEXT)
        return [b"x"]

    with FastServer(WSGI(app), host=host, port=0) as server:
        for _ in range(2):
            with RawClient(("127.0.0.1", server.port)) as client:
                for _ in range(2):
                    client.send(GET)
                    assert client.response().status == 200
    assert {environ["SERVER_NAME"] for environ in seen} == {"127.0.0.1"}
    assert {environ["SERVER_PORT"] for environ in seen} == {str(seen[0]["SERVER_PORT"])}
    assert len({environ["REMOTE_PORT"] for environ in seen}) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no Unix sockets")
def test_environ_over_a_unix_socket(tmp_path: Path) -> None:
    environ = environ_of(GET, uds=str(tmp_path / "s"))
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "80")
    assert environ["REMOTE_ADDR"] == ""


def test_an_environ_is_its_requests_own() -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        before = environ.get("mine", "nothing")
        environ["mine"] = environ["wsgi.url_scheme"] = "changed"
        return [f"{before} {type(environ) is dict}".encode()]

    with serving(app) as client:
        for _ in range(2):
            client.send(GET)
            assert client.response().body == b"nothing True"


def test_options_of_the_server_are_not_the_applications() -> None:
    recorder = Recorder()
    assert ask(recorder, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
    assert recorder.environ["REQUEST_METHOD"] == "GET"


# ---- wsgi.input, wsgi.errors ----

LINES = b"one\ntwo\n\nthree"
CHUNKED = b"4\r\none\n\r\n5\r\ntwo\n\n\r\n5\r\nthree\r\n0\r\n\r\n"


def read_in_many_ways(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    source = environ["wsgi.input"]
    way = environ["QUERY_STRING"]
    start_response("200 OK", TEXT)
    if way == "read":
        found = [source.read(2), source.read(3), source.read(), source.read(), source.read(1)]
    elif way == "readline":
        found = [source.readline(2), source.readline(), source.readline(), *iter(source)]
    elif way == "readlines":
        found = [*source.readlines(1), b"|", *source.readlines()]
    else:
        found = list(source)
    return [repr(found).encode()]


def expected(way: str, content: bytes) -> bytes:
    """What the same reads give of a file in memory."""
    environ = {"wsgi.input": io.BytesIO(content), "QUERY_STRING": way}
    return b"".join(read_in_many_ways(environ, lambda *arguments: None))


@pytest.mark.parametrize("way", ["read", "readline", "readlines", "iterate"])
@pytest.mark.parametrize(
    ("stream_body", "limits"),
    [(False, Limits()), (False, Limits(body_memory_bytes=4)), (True, Limits())],
    ids=["memory", "file", "streamed"],
)
def test_input(way: str, stream_body: bool, limits: Limits) -> None:
    head = f"POST /?{way} HTTP/1.1\r\nHost: a\r\n".encode()
    bodies = (
        (b"Content-Length: %d\r\n\r\n%b" % (len(LINES), LINES), LINES),
        (b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED, LINES),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"\r\n", b""),
    )
    with serving(read_in_many_ways, stream_body=stream_body, limits=limits) as client:
        for framed, content in bodies:
            client.send(head, framed)
            assert client.response().body == expected(way, content)


def test_the_length_of_chunked_content_is_known_when_it_has_arrived() -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED
    environ = environ_of(chunked)
    assert environ["CONTENT_LENGTH"] == str(len(LINES))
    assert "HTTP_TRANSFER_ENCODING" not in environ
    environ = environ_of(chunked, stream_body=True)
    assert "CONTENT_LENGTH" not in environ
    assert environ["HTTP_TRANSFER_ENCODING"] == "chunked"


def test_a_client_is_told_to_continue_when_its_content_is_read() -> None:
    began = threading.Event()

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began.set()
        body = environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [body]

    with serving(app, stream_body=True) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert began.wait(PATIENCE_SECONDS)
        assert client.response().status == 100
        client.send(b"hi")
        assert client.response().body == b"hi"


def test_a_client_is_not_told_to_continue_for_nothing() -> None:
    request = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    response = ask(answers([b"no"]), request, stream_body=True)
    assert (response.status, response.body, response.closes) == (200, b"no", True)


def test_errors_go_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        errors = environ["wsgi.errors"]
        errors.write("one\n")
        errors.writelines(["two\n", "three\n"])
        errors.flush()
        start_response("200 OK", TEXT)
        return []

    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    ask(app)
    assert output.getvalue() == "one\ntwo\nthree\n" * 2
    monkeypatch.setattr(sys, "stderr", None)
    assert ask(app).status == 200


# ---- start_response ----

REFUSED = [
    (TypeError, b"200 OK", []),
    (TypeError, "200 OK", ()),
    (TypeError, "200 OK", [["A", "b"]]),
    (TypeError, "200 OK", [("A",)]),
    (TypeError, "200 OK", [(b"A", "b")]),
    (TypeError, "200 OK", [("A", 1)]),
    (ValueError, "200", []),
    (ValueError, "OK", []),
    (ValueError, "", []),
    (ValueError, "099 Low", []),
    (ValueError, "100 Continue", []),
    (ValueError, "101 Switching Protocols", []),
    (ValueError, "600 High", []),
    (ValueError, "2000 OK", []),
    (ValueError, " 200 OK", []),
    (ValueError, "\u0662\u0660\u0660 OK", []),
    (ValueError, "200 OK\r\nForged: yes", []),
    (ValueError, "200 O\0K", []),
    (ValueError, "200 \u20ac", []),
    (ValueError, "200 OK", [("A", "b\r\nForged: yes")]),
    (ValueError, "200 OK", [("A", "b\n")]),
    (ValueError, "200 OK", [("A", "\x7f")]),
    (ValueError, "200 OK", [("A", "\u20ac")]),
    (ValueError, "200 OK", [("A\r\nForged", "yes")]),
    (ValueError, "200 OK", [("A:", "b")]),
    (ValueError, "200 OK", [("", "b")]),
    (ValueError, "200 OK", [("\xe9", "b")]),
    (ValueError, "200 OK", [("Content-Length", "x")]),
    (ValueError, "200 OK", [("Content-Length", "-1")]),
    (ValueError, "200 OK", [("Content-Length", "1"), ("content-length", "2")]),
    *(
        (ValueError, "200 OK", [(name, "close")])
        for name in (
            *("Connection", "connection", "Keep-Alive", "Proxy-Authenticate", "TE", "Trailer"),
            *("Proxy-Authorization", "Transfer-Encoding", "Upgrade"),
        )
    ),
]


@pytest.mark.parametrize(("kind", "status", "headers"), REFUSED)
def test_start_response_refuses(
    kind: type[Exception], status: Any, headers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[BaseException] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            start_response(status, headers)
        except BaseException as error:
            raised.append(error)
            raise
        return [b"never"]

    response = ask(app)
    assert (response.status, response.get("Forged")) == (500, None)
    assert type(raised[0]) is kind


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("200 Just fine \xe9", [("X-A", " b\xff "), ("X-A", "c"), ("ETag", "")], [b"abc"]),
        ("299 ", [("Content-Length", "3")], [b"abc"]),
        ("200 OK", [("content-length", "3"), ("CONTENT-LENGTH", "3")], [b"a", b"", b"bc"]),
        ("404 Not Found", [("Date", "Tue, 15 Nov 1994 08:12:31 GMT")], [b"abc"]),
        ("200 OK", [], (b"abc",)),
    ],
)
def test_start_response_sends(status: str, headers: Any, body: Any) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, headers)
        headers[:] = []
        return body  # type: ignore[no-any-return]

    given = list(headers)
    with serving(app) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        octets = client.rest()
    line, _, rest = octets.partition(b"\r\n")
    assert line == b"HTTP/1.1 " + status.encode("latin-1")
    assert rest.endswith(b"\r\n\r\nabc")
    fields = rest.decode("latin-1").split("\r\n")
    assert fields.count("Content-Length: 3") == 1
    assert sum(field.startswith("Date: ") for field in fields) == 1
    for name, value in given:
        assert name.lower() == "content-length" or f"{name}: {value.strip()}" in fields


def test_an_application_that_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    for result in ([b"x"], iter([b"x"]), iter([]), [], (b"x",)):
        assert ask(lambda environ, start, result=result: result).status == 500  # type: ignore[misc]
    assert "did not call start_response" in caplog.text


def test_starting_twice_is_an_error() -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return [b"never"]

    assert ask(app).status == 500


def failing(before: bytes, mark: list[str]) -> App:
    """An application that fails behind a piece, and tries to report it."""

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        yield before
        try:
            raise KeyError("reported")
        except KeyError:
            start_response("503 Sorry", TEXT, sys.exc_info())
        mark.append("replaced")
        yield b"sorry"

    return app


def test_exc_info_replaces_what_has_not_been_sent() -> None:
    response = ask(failing(b"", []))
    assert (response.status, response.body) == (503, b"sorry")


def test_exc_info_is_raised_when_it_is_too_late(caplog: pytest.LogCaptureFixture) -> None:
    mark: list[str] = []
    with serving(failing(b"begun", mark)) as client:
        client.send(GET)
        octets = client.expect_cut()
    assert octets.endswith(b"5\r\nbegun\r\n")
    assert "KeyError: 'reported'" in caplog.text
    assert not mark


def test_an_application_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise RuntimeError("secret")

    response = ask(app)
    assert response.status == 500
    assert b"secret" not in response.body
    assert "secret" in caplog.text


# ---- content ----


def test_the_length_of_a_list_is_inferred() -> None:
    assert ask(answers([b"hello"])).get("content-length") == "5"
    assert ask(answers([b"he", b"", b"llo"])).get("content-length") == "5"
    assert ask(answers((b"hello",))).get("content-length") == "5"
    assert ask(answers([])).get("content-length") == "0"


def test_an_iterable_is_streamed() -> None:
    response = ask(lambda environ, start: (start("200 OK", TEXT), iter([b"he", b"", b"llo"]))[1])
    assert (response.framing, response.body) == ("chunked", b"hello")
    length = [("Content-Length", "5")]
    response = ask(lambda environ, start: (start("200 OK", length), iter([b"he", b"llo"]))[1])
    assert (response.framing, response.body) == ("length", b"hello")


@pytest.mark.parametrize("result", [[b"four"], [b""], [b"fo", b"ur"]])
def test_a_list_that_contradicts_its_length(
    result: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(answers(result, [("Content-Length", "3")])).status == 500
    assert "Content-Length" in caplog.text


def test_more_than_was_declared_is_not_sent() -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        yield b"hel"
        yield b"lo, world"
        yield b"!"

    assert ask(app).body == b"hello"


@pytest.mark.parametrize("piece", ["text", None, 1, [b"x"]])
def test_a_piece_that_is_not_bytes(piece: Any) -> None:
    assert ask(answers([piece])).status == 500
    assert ask(lambda environ, start: (start("200 OK", TEXT), iter([piece]))[1]).status == 500


@pytest.mark.parametrize("stream", [False, True])
def test_head_has_no_content(stream: bool) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        return iter([b"he", b"llo"]) if stream else [b"hello"]

    head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert ask(app, head).get("content-length") == "5"
    empty: App = lambda environ, start: (start("200 OK", [("Content-Length", "5")]), [])[1]  # noqa: E731
    with serving(empty) as client:
        client.send(head)
        assert client.response("HEAD").get("content-length") == "5"


def test_head_states_no_length_that_get_might_not_have() -> None:
    with serving(answers([])) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response("HEAD").get("content-length") is None


def test_statuses_without_content() -> None:
    for status in ("204 No Content", "304 Not Modified"):
        for result in ([], [b"x"]):
            app: App = lambda environ, start, s=status, r=result: (start(s, []), r)[1]  # type: ignore[misc]  # noqa: E731
            assert ask(app).body == b""


# ---- close ----


@pytest.mark.parametrize("headers", [TEXT, [("Content-Length", "5")], [("Content-Length", "9")]])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("pieces", [[b"hello"], [b"", b"he", b"llo"], []], ids=len)
def test_an_iterable_is_closed_once(
    headers: list[tuple[str, str]], method: str, pieces: list[bytes]
) -> None:
    result = Closing(pieces)
    with serving(answers(result, headers)) as client:
        client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        client.finish()
        client.expect_cut()
        assert eventually(lambda: result.closed)
    assert result.closed == 1
    assert len(result.threads) == 1


def test_an_iterable_that_raises_is_closed_once() -> None:
    def pieces(before: bytes) -> Iterator[bytes]:
        yield before
        raise RuntimeError

    for before in (b"", b"begun"):
        result = Closing(pieces(before))
        with serving(answers(result)) as client:
            client.send(GET)
            client.expect_cut() if before else client.response()
            assert eventually(lambda result=result: result.closed)  # type: ignore[misc]
        assert result.closed == 1


def test_what_is_behind_the_last_yield_is_run() -> None:
    ran: list[str] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        try:
            if environ["PATH_INFO"] == "/two":
                yield b"he"
                yield b"llo"
            else:
                yield b"hello"
            ran.append("behind")
        finally:
            ran.append("closed")

    for path in ("/", "/two"):
        with serving(app) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert client.response().body == b"hello"
            assert eventually(lambda: "closed" in ran)
        assert ran == ["behind", "closed"]
        ran.clear()


def test_close_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Closing):
        def close(self) -> None:
            raise RuntimeError("in close")

    def behind() -> Iterator[bytes]:
        yield b"hello"
        raise RuntimeError("behind it")

    length = [("Content-Length", "5")]
    with serving(lambda environ, start: (start("200 OK", length), Failing(behind()))[1]) as client:
        for _ in range(2):
            client.send(GET)
            assert client.response().body == b"hello"
    assert "in close" in caplog.text
    assert "behind it" in caplog.text


# ---- threads and clients ----


def test_an_iterable_stays_on_its_thread_when_the_client_is_slow() -> None:
    used: set[int] = set()
    sizes = [len(BIG) // 8] * 8

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        for size in sizes:
            used.add(threading.get_ident())
            yield bytes(size)
        used.add(threading.get_ident())

    with serving(app) as client:
        client.send(GET)
        assert eventually(lambda: used)
        assert len(client.response().body) == len(BIG)
    assert len(used) == 1


@pytest.mark.parametrize("kind", ["list", "one piece", "file"])
def test_a_slow_client_of_what_is_there_holds_no_worker(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(BIG)

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/quick":
            start_response("200 OK", TEXT)
            return [b"quick"]
        start_response("200 OK", [("Content-Length", str(len(BIG)))])
        if kind == "file":
            file = path.open("rb")
            return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]
        return [BIG] if kind == "list" else Closing([BIG])

    with (
        FastServer(WSGI(app), port=0, workers=1) as server,
        RawClient(server.address) as slow,
        RawClient(server.address) as other,
    ):
        slow.send(GET)
        assert eventually(lambda: server.stats().requests == 1)
        # What the application leaves to do may run yet, but not for as long as the client waits.
        assert eventually(lambda: server.stats().running == 0)
        other.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
        assert other.response().body == b"quick"
        assert len(slow.response().body) == len(BIG)


def test_a_client_that_leaves_a_stream() -> None:
    result = Closing(bytes(65536) for _ in iter(int, 1))
    with serving(answers(result)) as client:
        client.send(GET)
        assert eventually(lambda: result.threads)
        client.close()
        assert eventually(lambda: result.closed)
    assert result.closed == 1
    assert len(result.threads) == 1


def test_a_piece_is_sent_when_it_is_yielded() -> None:
    go_on = threading.Event()

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        yield b"first"
        assert go_on.wait(PATIENCE_SECONDS)
        yield b"other"

    with serving(app) as client:
        client.send(GET)
        while b"first" not in client._received:
            assert client._receive()
        go_on.set()
        assert client.response().body == b"firstother"


# ---- write ----


def test_write() -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = [("Content-Length", "9")] if environ["PATH_INFO"] == "/length" else TEXT
        write = start_response("200 OK", headers)
        write(b"")
        write(b"abc")
        write(b"def")
        return {"/list": [b"ghi"], "/none": []}.get(environ["PATH_INFO"], Closing([b"", b"ghi"]))

    for path, framing, body in (
        ("/", "chunked", b"abcdefghi"),
        ("/list", "chunked", b"abcdefghi"),
        ("/none", "chunked", b"abcdef"),
        ("/length", "length", b"abcdefghi"),
    ):
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        response = ask(app, request)
        assert (response.framing, response.body) == (framing, body)
        assert ask(app, b"HEAD" + request[3:]).body == b""


def test_what_is_written_is_sent_at_once() -> None:
    go_on = threading.Event()

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)(b"first")
        assert go_on.wait(PATIENCE_SECONDS)
        return [b"other"]

    with serving(app) as client:
        client.send(GET)
        while b"first" not in client._received:
            assert client._receive()
        go_on.set()
        assert client.response().body == b"firstother"


def test_write_takes_bytes_only() -> None:
    assert ask(lambda environ, start: start("200 OK", TEXT)("text")).status == 500


def test_an_application_that_fails_after_writing(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)(b"begun")
        raise RuntimeError("after it")

    with serving(app) as client:
        client.send(GET)
        assert client.expect_cut().endswith(b"5\r\nbegun\r\n")
    assert "after it" in caplog.text


def test_an_iterable_that_fails_after_writing_is_closed_once() -> None:
    def pieces() -> Iterator[bytes]:
        raise RuntimeError
        yield b""

    result = Closing(pieces())

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)(b"begun")
        return result

    with serving(app) as client:
        client.send(GET)
        client.expect_cut()
        assert eventually(lambda: result.closed)
    assert result.closed == 1


def test_writing_to_a_client_that_has_left(caplog: pytest.LogCaptureFixture) -> None:
    raised: list[BaseException] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        try:
            while True:
                write(bytes(65536))
        except ClientDisconnected as error:
            raised.append(error)
            raise

    with serving(app) as client:
        client.send(GET)
        assert not client.ended()
        client.close()
        assert eventually(lambda: raised)
    assert not caplog.records


# ---- wsgi.file_wrapper ----


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("headers", [[], [("Content-Length", "200000")], [("Content-Length", "9")]])
def test_a_file(buffering: int, headers: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000) + b"content, " + bytes(199_991))
    files = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        file = path.open("rb", buffering)
        file.read(1000)
        files.append(file)
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](file, 512)  # type: ignore[no-any-return]

    response = ask(app)
    assert response.framing == "length"
    assert response.body == path.read_bytes()[1000:][: int(response.get("content-length") or 0)]
    assert ask(app, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    assert all(file.closed for file in files)


def test_a_file_that_was_just_written() -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the wrapper closes it
        file.write(b"never sent, sent")
        file.seek(12)
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]

    response = ask(app)
    assert (response.get("content-length"), response.body) == ("4", b"sent")


def test_a_file_that_only_looks_like_one(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"not compressed"))

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        file: Any = io.BytesIO(b"in memory")
        if environ["PATH_INFO"] == "/gzip":
            file = gzip.open(path)  # noqa: SIM115 - the wrapper closes it
        return environ["wsgi.file_wrapper"](file, 4)  # type: ignore[no-any-return]

    assert ask(app).body == b"in memory"
    assert ask(app, b"GET /gzip HTTP/1.1\r\nHost: a\r\n\r\n").body == b"not compressed"


def test_what_is_wrapped_need_not_close() -> None:
    class Source:
        def __init__(self) -> None:
            self.read = io.BytesIO(b"read").read

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"](Source())  # type: ignore[no-any-return]

    assert ask(app).body == b"read"


# ---- the standard library's word ----


def validated(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    body = environ["wsgi.input"].read(100)
    if environ["PATH_INFO"] == "/write":
        write(b"written")
    if environ["PATH_INFO"] == "/stream":
        return (b"%d" % number for number in range(10))
    return [body, b"!"]


@pytest.mark.parametrize("stream_body", [False, True])
def test_the_validator_finds_nothing(stream_body: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = validator(validated)
    posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
    with serving(app, stream_body=stream_body) as client:
        for path in (b"/", b"/write", b"/stream", b"/%e9?q=1", b"http://a/"):
            for request in (GET, posted, posted.replace(b"POST", b"PUT"), b"HEAD" + GET[3:]):
                client.send(request.replace(b"/ HTTP", path + b" HTTP"))
                assert client.response(request.partition(b" ")[0].decode()).status == 200
    assert not caplog.records


def test_an_application_must_be_callable() -> None:
    with pytest.raises(TypeError, match="callable"):
        WSGI(None)  # type: ignore[arg-type]

    async def asynchronous(environ: object, start_response: object) -> list[bytes]:
        return []

    with pytest.raises(TypeError, match="application must be a plain function"):
        WSGI(asynchronous)  # type: ignore[arg-type]


def test_the_access_log_knows_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastraw.access")
    with serving(validated) as client:
        for path in ("/x", "/write", "/stream"):
            client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert client.response().status == 200
        assert eventually(lambda: len(caplog.records) == 3)
    sizes = [record.getMessage().rpartition('" ')[2].split()[:2] for record in caplog.records]
    assert sizes == [["200", "1"], ["200", "8"], ["200", "10"]]
