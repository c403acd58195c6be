"""Middleware around what else comes in the box: routers, files, events, WSGI applications."""

from __future__ import annotations

import gzip as gzip_module
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastraw import WSGI, Broadcast, FastServer, HTTPError, Request, Router, StaticFiles, compose
from fastraw.apps.middleware import cors, gzip, proxy_headers, request_id
from fastraw.route import Answer
from fastraw.testing import RawClient
from tests.waiting import eventually

PAGE = b"<p>all work and no play</p>\n" * 200
ALL = compose(proxy_headers(["127.0.0.1"]), request_id(), cors(["https://example.org"]), gzip())
GZIP = {"Accept-Encoding": "gzip"}


def test_a_router_and_its_mounts() -> None:
    inner = Router()
    inner.use(request_id())

    @inner.get("/page")
    def page(request: Request) -> Answer:
        return {"id": request.id, "page": PAGE.decode()}

    @inner.post("/upload", stream_body=True, max_body_bytes=10)
    def upload(request: Request) -> Answer:
        return request.stream.read()

    outer = Router()
    outer.use(gzip(), cors("*"))
    outer.mount("/inner", inner)
    with FastServer(outer, port=0) as server, httpx.Client(base_url=server.url) as client:
        response = client.get("/inner/page", headers=GZIP)
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.json()["id"] == response.headers["X-Request-ID"] != ""
        assert client.post("/inner/upload", content=b"octets").content == b"octets"
        assert client.post("/inner/upload", content=b"x" * 11).status_code == 413
        missing = client.get("/inner/missing")
        assert (missing.status_code, missing.headers["Access-Control-Allow-Origin"]) == (404, "*")
        assert "X-Request-ID" in missing.headers
        assert "X-Request-ID" not in client.get("/missing").headers
        asked = {"Origin": "http://a", "Access-Control-Request-Method": "PUT"}
        assert client.options("/inner/page", headers=asked).status_code == 204
        assert client.options("/inner/page").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_files(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(PAGE)
    (tmp_path / "large.txt").write_bytes(PAGE * 100)
    (tmp_path / "ready.txt").write_bytes(PAGE)
    (tmp_path / "ready.txt.gz").write_bytes(gzip_module.compress(PAGE))
    (tmp_path / "image.png").write_bytes(PAGE)
    handler = ALL(StaticFiles(tmp_path))
    with (
        FastServer(handler, port=0) as server,
        httpx.Client(base_url=server.url, headers=GZIP) as client,
    ):
        page = client.get("/page.html")
        assert (page.content, page.headers["Content-Encoding"]) == (PAGE, "gzip")
        tag = page.headers["ETag"]
        assert tag.startswith("W/")
        head = client.head("/page.html")
        assert head.headers["Content-Encoding"] == "gzip"
        assert head.headers["ETag"] == tag

        again = client.get("/page.html", headers={"If-None-Match": tag})
        assert (again.status_code, again.headers["ETag"]) == (304, tag)
        assert "Accept-Encoding" in again.headers["Vary"]
        assert client.get("/page.html", headers={"If-Match": tag}).status_code == 412

        part = client.get("/page.html", headers={"Range": "bytes=3-5"})
        assert (part.status_code, part.content) == (206, b"all")
        assert "Content-Encoding" not in part.headers
        stale = client.get("/page.html", headers={"Range": "bytes=3-5", "If-Range": tag})
        assert (stale.status_code, stale.content) == (200, PAGE)

        large = client.get("/large.txt")
        assert (large.content, large.headers["Content-Encoding"]) == (PAGE * 100, "gzip")
        ready = client.get("/ready.txt")
        assert (ready.content, ready.headers["Content-Encoding"]) == (PAGE, "gzip")
        assert not ready.headers["ETag"].startswith("W/")
        assert ready.headers["Vary"] == "Origin, Accept-Encoding" or (
            ready.headers["Vary"] == "Accept-Encoding, Origin"
        )
        image = client.get("/image.png")
        assert (image.content, "Content-Encoding" in image.headers) == (PAGE, False)
        assert client.get("/missing").status_code == 404


def test_events() -> None:
    """What is pushed holds no worker, in middleware too, and is not compressed."""
    broadcast = Broadcast()
    with FastServer(ALL(broadcast.subscribe), port=0, workers=1) as server:
        clients = [RawClient(server.address) for _ in range(3)]
        try:
            for client in clients:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            assert eventually(lambda: len(broadcast) == 3)
            broadcast.send("hello")
            for client in clients:
                received = b""
                while b"data: hello\n\n" not in received:
                    received += client.sock.recv(65536)
                assert b"X-Request-ID: " in received
                assert b"Content-Encoding" not in received
        finally:
            for client in clients:
                client.close()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/fail":
        raise HTTPError(418)
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_FORWARDED_FOR")
    body = json.dumps([environ[name] for name in names]).encode()
    start_response("200 Fine", [("Content-Type", "text/plain"), ("ETag", '"a"')])
    if environ["PATH_INFO"] == "/stream":
        return iter((body, b" ", PAGE))
    return [body, b" ", PAGE]


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_wsgi_applications(path: str) -> None:
    forwarded = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "example.org",
    }
    with FastServer(ALL(WSGI(application)), port=0) as server:
        response = httpx.get(server.url + path, headers={**GZIP, **forwarded})
        assert httpx.get(server.url + "/fail").status_code == 418
    expected = b'["192.0.2.1", "https", "example.org", "192.0.2.1"]'
    assert response.content == expected + b" " + PAGE
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["ETag"] == 'W/"a"'
    assert response.headers["Content-Type"] == "text/plain"
    assert "X-Request-ID" in response.headers
