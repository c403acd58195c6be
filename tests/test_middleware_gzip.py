"""gzip: compressed for who accepts it, and otherwise as it was."""

from __future__ import annotations

import gzip as gzip_module
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from fastraw import FastServer, HTTPError, Request, Response
from fastraw.apps.middleware import gzip
from fastraw.apps.middleware.gzipping import compressible
from fastraw.testing import RawClient, RawResponse
from tests.waiting import PATIENCE_SECONDS, eventually

LARGE = b"all work and no play " * 1000
INCOMPRESSIBLE = random.Random(1).randbytes(2048)
GZIP = {"Accept-Encoding": "gzip"}


class Recorded:
    """Pieces, and how often they were closed."""

    def __init__(self, pieces: list[Any]) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1


def get(
    response: Response | HTTPError,
    accept: str | None = "gzip",
    method: str = "GET",
    fields: tuple[tuple[str, str], ...] = (),
    **options: Any,
) -> RawResponse:
    """What a client gets for `response`, octet by octet."""

    def handle(request: Request) -> Response:
        if isinstance(response, HTTPError):
            raise response
        return response

    lines = [f"{method} / HTTP/1.1", "Host: a", *(f"{name}: {value}" for name, value in fields)]
    if accept is not None:
        lines.append(f"Accept-Encoding: {accept}")
    with FastServer(gzip(**options)(handle), port=0) as server, RawClient(server.address) as client:
        client.send("\r\n".join((*lines, "", "")).encode())
        return client.response(method)


def text(body: bytes = LARGE, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, headers=named, content_type="text/plain")


def unpacked(response: RawResponse) -> bytes:
    assert response.get("content-encoding") == "gzip"
    return gzip_module.decompress(response.body)


# What the client accepts.


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("br", False),
        ("gzip;q=bad", False),
    ],
)
def test_accepting(accept: str | None, compressed: bool) -> None:
    response = get(text(), accept)
    assert response.get("vary") == "Accept-Encoding"
    if compressed:
        assert unpacked(response) == LARGE
        assert len(response.body) < 1000
        assert response.get("content-length") == str(len(response.body))
    else:
        assert response.body == LARGE
        assert response.get("content-encoding") is None


def test_real_clients() -> None:
    def handle(request: Request) -> Response:
        return Response.stream([LARGE, b"end"]) if request.path == "/stream" else text()

    options = gzip(media_types=lambda media_type: True)
    with FastServer(options(handle), port=0) as server:
        for get in (httpx.get, requests.get):
            whole, stream = get(server.url), get(server.url + "/stream")
            assert (whole.content, stream.content) == (LARGE, LARGE + b"end")
            assert {*whole.headers["Content-Encoding"].split()} == {"gzip"}
            assert stream.headers["Content-Encoding"] == "gzip"


# What is compressed.


@pytest.mark.parametrize(
    "response",
    [
        text(b"x" * 1023),
        text(Content_Encoding="br"),
        text(Content_Encoding="identity"),
        text(Cache_Control="max-age=1, No-Transform"),
        text(Repr_Digest="sha-256=:x:"),
        Response(LARGE),
        Response(LARGE, content_type="image/png"),
        Response(LARGE, headers={"Content-Type": "video/mp4"}, content_type="text/plain"),
        Response(LARGE, 206, {"Content-Range": "bytes 0-9/10"}, "text/plain"),
        Response.stream([LARGE], headers={"Content-Length": "20"}, content_type="text/plain"),
        HTTPError(404, "x" * 100),
    ],
)
def test_left_alone(response: Response | HTTPError) -> None:
    received = get(response)
    assert received.get("vary") is None
    if isinstance(response, Response) and response.iterable is None:
        assert received.body == response.body
        assert received.get_all("content-encoding") == response.headers.get_all("content-encoding")


@pytest.mark.parametrize("status", [204, 205])
def test_nothing_to_compress(status: int) -> None:
    response = get(Response(LARGE, status, content_type="text/plain"))
    assert (response.body, response.get("content-encoding")) == (b"", None)


def test_what_does_not_gain_stays() -> None:
    response = get(Response(INCOMPRESSIBLE, content_type="text/plain", headers={"ETag": '"a"'}))
    assert response.get("content-encoding") is None
    assert response.get("vary") == "Accept-Encoding"
    assert response.get("etag") == '"a"'
    assert response.body == INCOMPRESSIBLE


def test_errors_are_answers() -> None:
    response = get(HTTPError(409, "why " * 500))
    assert response.status == 409
    assert unpacked(response) == b"409 " + b"why " * 500 + b"\n"


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("text/html", True),
        ("text/event-stream", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("image/jpeg", False),
        ("application/zip", False),
        ("font/woff2", False),
        ("", False),
    ],
)
def test_media_types(media_type: str, expected: bool) -> None:
    assert compressible(media_type) is expected


def test_options() -> None:
    assert get(text(b"x" * 100), minimum_bytes=100).get("content-encoding") == "gzip"
    fast, small = (len(get(text(), level=level).body) for level in (1, 9))
    assert small < fast
    octets = Response(LARGE, content_type="A/B; c=d")
    response = get(octets, media_types=lambda media_type: media_type == "a/b")
    assert response.get("content-encoding") == "gzip"
    for level in (0, 10):
        with pytest.raises(ValueError, match="level"):
            gzip(level=level)


# Header fields.


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("Origin", "Origin, Accept-Encoding"),
        ("accept-encoding, Origin", "accept-encoding, Origin"),
        ("*", "*"),
    ],
)
def test_vary_is_merged(own: str, expected: str) -> None:
    assert get(text(Vary=own)).get("vary") == expected


@pytest.mark.parametrize(("own", "weak"), [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"')])
def test_entity_tags(own: str, weak: str) -> None:
    assert get(text(ETag=own)).get("etag") == weak
    assert get(text(ETag=own), accept="br").get("etag") == own


@pytest.mark.parametrize(
    ("known", "expected"),
    [('"a"', '"a"'), ('W/"a"', 'W/"a"'), ('"b", W/"a"', 'W/"a"'), ("*", '"a"')],
)
def test_not_modified_says_what_the_answer_said(known: str, expected: str) -> None:
    response = get(
        Response(status=304, headers={"ETag": '"a"'}), fields=(("If-None-Match", known),)
    )
    assert response.status == 304
    assert (response.get("etag"), response.get("vary")) == (expected, "Accept-Encoding")


def test_ranges_are_of_other_octets() -> None:
    assert get(text(Accept_Ranges="bytes")).get("accept-ranges") is None
    assert get(text(Accept_Ranges="bytes"), accept=None).get("accept-ranges") == "bytes"


def test_a_contradiction_is_seen_for_what_it_is() -> None:
    assert get(text(Content_Length="5")).status == 500
    assert get(text(Content_Length=str(len(LARGE)))).status == 200


@pytest.mark.parametrize(
    "make",
    [
        text,
        lambda: text(b"short"),
        lambda: text(ETag='"a"', Content_Length=str(len(LARGE))),
        lambda: Response.stream(iter([LARGE]), content_type="text/plain"),
        lambda: Response.stream([b"short"], headers={"Content-Length": "5"}, content_type="text/a"),
    ],
)
def test_head_is_told_what_get_would_be(make: Any) -> None:
    def fields(response: RawResponse) -> list[tuple[str, str]]:
        return [(name, value) for name, value in response.fields if name != "Date"]

    assert fields(get(make(), method="HEAD")) == fields(get(make()))


def test_head_without_content() -> None:
    """Its compressed length is not known, so none is stated."""
    response = get(text(b"", Content_Length="5000"), method="HEAD")
    assert response.get("content-encoding") == "gzip"
    assert response.get("content-length") is None
    response = get(text(b"", Content_Length="50"), method="HEAD")
    assert (response.get("content-encoding"), response.get("content-length")) == (None, "50")


# Streams.


@pytest.mark.parametrize(
    ("pieces", "fields"),
    [
        ([b"a", b"", b"b" * 5000, bytearray(b"c"), memoryview(b"d")], {}),
        ([LARGE, LARGE], {"Content-Length": str(2 * len(LARGE))}),
        ([], {}),
        ([b"", b""], {}),
    ],
)
def test_streams(pieces: list[bytes], fields: dict[str, str]) -> None:
    iterable = Recorded(pieces)
    response = get(Response.stream(iterable, headers=fields, content_type="text/plain"))
    assert unpacked(response) == b"".join(pieces)
    assert response.framing == "chunked"
    assert eventually(lambda: iterable.closed == 1)


def test_no_more_than_was_stated_is_sent() -> None:
    iterable = Recorded([LARGE, b"surplus"])
    fields = {"Content-Length": str(len(LARGE))}
    assert unpacked(get(Response.stream(iterable, 200, fields, "text/plain"))) == LARGE
    assert eventually(lambda: iterable.closed == 1)


@pytest.mark.parametrize("path", ["/short", "/fail"])
def test_a_stream_that_fails_is_cut(path: str, caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Iterator[bytes]:
        yield LARGE
        if path == "/fail":
            raise RuntimeError("on purpose")

    def handle(request: Request) -> Response:
        fields = {"Content-Length": str(len(LARGE) + 1)}
        return Response.stream(pieces(), headers=fields, content_type="text/plain")

    with FastServer(gzip()(handle), port=0) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        assert not client.expect_cut().endswith(b"0\r\n\r\n")
    assert "Exception in the response stream" in caplog.text


def test_each_piece_leaves_at_once() -> None:
    """The next event is made when the client has read the one before."""
    read = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"data: 0\n\n"
        yield b"data: %d\n\n" % read.wait(PATIENCE_SECONDS)

    def handle(request: Request) -> Response:
        return Response.stream(pieces(), content_type="text/event-stream")

    with (
        FastServer(gzip()(handle), port=0) as server,
        httpx.stream("GET", server.url, headers=GZIP) as response,
    ):
        received = response.iter_bytes()
        assert next(received) == b"data: 0\n\n"
        read.set()
        assert b"".join(received) == b"data: 1\n\n"
    assert response.headers["Content-Encoding"] == "gzip"


def test_a_client_that_leaves_closes_the_iterable_once() -> None:
    closed: list[int] = []

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield LARGE

        def close(self) -> None:
            closed.append(1)

    def handle(request: Request) -> Response:
        return Response.stream(Endless(), content_type="text/plain")

    with FastServer(gzip()(handle), port=0) as server:
        for method in ("GET", "HEAD"):
            with RawClient(server.address) as client:
                client.send(
                    b"%b / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n" % method.encode()
                )
                assert client.sock.recv(1)
        assert eventually(lambda: len(closed) == 2)
    assert len(closed) == 2


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(LARGE * 50)

    def handle(request: Request) -> Response:
        return Response.file(path)

    with FastServer(gzip()(handle), port=0) as server:
        response = httpx.get(server.url, headers=GZIP)
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.content == LARGE * 50
        plain = httpx.get(server.url, headers={"Accept-Encoding": "identity"})
        assert plain.headers["Content-Length"] == str(len(LARGE) * 50)
        assert plain.content == LARGE * 50


def test_old_clients() -> None:
    def handle(request: Request) -> Response:
        return Response.stream([LARGE], content_type="text/plain")

    with FastServer(gzip()(handle), port=0) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
        response = client.response()
    assert response.framing == "close"
    assert unpacked(response) == LARGE
