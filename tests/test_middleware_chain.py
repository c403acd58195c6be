"""Composing middleware, and what all of it relies on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import pytest

import fastraw
from fastraw import FastServer, HTTPError, ParseError, Request, Response
from fastraw.apps.middleware import (
    Middleware,
    answer,
    compose,
    cors,
    gzip,
    proxy_headers,
    request_id,
)
from fastraw.route import Answer, Handler, RouteOptions, wrap
from fastraw.testing import RawClient
from tests.waiting import PATIENCE_SECONDS

IN_THE_BOX = {
    "gzip": gzip(),
    "request_id": request_id(),
    "proxy_headers": proxy_headers(["127.0.0.1"]),
    "cors": cors("*"),
}


def tag(name: str) -> Middleware:
    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Answer:
            request.state.setdefault("way", []).append(name)
            response = answer(handler, request).copy()
            response.headers.add("X-Way", name)
            return response

        return wrap(handler, call)

    return middleware


def test_composed_of_what_is_none() -> None:
    with pytest.raises(TypeError, match=r"^a middleware must be callable, not 'gzip'$"):
        compose(tag("a"), "gzip")(lambda request: "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"must make a handler, not None$"):
        compose(tag("a"), lambda handler: None)(lambda request: "x")  # type: ignore[arg-type,return-value]


def test_the_first_is_the_outermost() -> None:
    handler = compose(tag("a"), compose(tag("b"), tag("c")))(lambda request: request.state["way"])
    with FastServer(handler, port=0) as server:
        response = httpx.get(server.url)
    assert response.json() == ["a", "b", "c"]
    assert response.headers["X-Way"] == "c, b, a"


def test_composing_nothing() -> None:
    def handler(request: Request) -> str:
        return ""

    assert compose()(handler) is handler
    assert fastraw.compose is compose


@pytest.mark.parametrize("name", IN_THE_BOX)
def test_what_a_handler_tells_is_passed_on(name: str) -> None:
    def handler(request: Request) -> str:
        return ""

    handler.stream_body = True  # type: ignore[attr-defined]
    handler.route_key = lambda request: "key"  # type: ignore[attr-defined]
    handler.route_options = lambda request: RouteOptions()  # type: ignore[attr-defined]
    wrapped = IN_THE_BOX[name](handler)
    for told in ("stream_body", "route_key", "route_options"):
        assert getattr(wrapped, told) is getattr(handler, told)
    assert not hasattr(IN_THE_BOX[name](lambda request: ""), "route_key")


def test_a_shared_response_stays_as_it_is() -> None:
    shared = Response.text("x" * 5000, headers={"ETag": '"a"'})
    handler = compose(*IN_THE_BOX.values())(lambda request: shared)
    with FastServer(handler, port=0) as server, httpx.Client(base_url=server.url) as client:
        first, second = (client.get("/", headers={"Origin": "http://a"}) for _ in range(2))
    assert first.text == second.text == "x" * 5000
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert shared.headers.items() == [("ETag", '"a"')]
    assert len(shared.body) == 5000


def failing(request: Request) -> object:
    match request.path:
        case "/http":
            raise HTTPError(404, "No such thing.", headers=[("X-More", "1")])
        case "/bad-header":
            raise HTTPError(404, headers=[("X-More", "\n")])
        case "/parse":
            raise ParseError(400, "Not like this.")
        case "/type":
            return 1
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("path", "status", "logged"),
    [
        ("/http", 404, ""),
        ("/bad-header", 500, "The headers of an HTTPError cannot be sent"),
        ("/type", 500, "a handler returns Response"),
        ("/other", 500, "secret"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
def test_errors_are_the_same_in_middleware(
    path: str, status: int, logged: str, wrapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    handler: Callable[[Request], object] = failing
    if wrapped:
        handler = compose(tag("a"), *IN_THE_BOX.values())(failing)  # type: ignore[arg-type]
    with FastServer(handler, port=0) as server:  # type: ignore[arg-type]
        response = httpx.get(server.url + path)
    assert response.status_code == status
    assert response.headers.get("X-Way") == ("a" if wrapped else None)
    assert response.headers.get("X-More") == ("1" if status == 404 else None)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "secret" not in response.text
    assert logged in caplog.text
    assert bool(caplog.records) == bool(logged)


def test_nothing_is_parsed_after_a_malformed_request() -> None:
    with (
        FastServer(compose(tag("a"))(failing), port=0) as server,  # type: ignore[arg-type]
        RawClient(server.address) as client,
    ):
        client.send(b"GET /parse HTTP/1.1\r\nHost: a\r\n\r\nGET /http HTTP/1.1\r\nHost: a\r\n\r\n")
        response = client.response()
        assert response.status == 400
        assert response.closes
        client.expect_end()


def test_a_client_that_leaves_is_nobodys_failure(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def read(request: Request) -> bytes:
        try:
            return request.stream.read()
        finally:
            ended.set()

    read.stream_body = True  # type: ignore[attr-defined]
    with FastServer(compose(*IN_THE_BOX.values())(read), port=0) as server:
        with RawClient(server.address) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        assert ended.wait(PATIENCE_SECONDS)
    assert not caplog.records


def test_upgrades_pass_through(caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: Request) -> None:
        with request.upgrade("echo") as upgraded:
            upgraded.socket.sendall(upgraded.socket.recv(100))
            if request.path == "/fail":
                raise HTTPError(400, "too late")

    handler = compose(*IN_THE_BOX.values())(echo)  # type: ignore[arg-type]
    with FastServer(handler, port=0) as server:
        for path in (b"/", b"/fail"):
            with RawClient(server.address) as client:
                client.send(
                    b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                    % path
                )
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += client.sock.recv(1)
                client.send(b"hello")
                assert client.rest() == b"hello"
    (record,) = caplog.records
    assert "Exception after the upgrade of <Request GET /fail" in record.getMessage()
