"""Behind nginx and HAProxy, set up as docs/deployment.md says: connections are kept, content goes
both ways, and the handler sees the client's address."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fastraw import FastServer, Request, Response, Router
from fastraw.apps.middleware import proxy_headers
from fastraw.route import Handler, wrap
from tests.program import PATIENCE_SECONDS
from tests.waiting import eventually

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/content; proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream app {{ server 127.0.0.1:{app}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 10m;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option forwardfor
    http-reuse always
listen app
    bind 127.0.0.1:{port}
    server app 127.0.0.1:{app}
"""
CONTENT = b"0123456789abcdef" * 65536

router = Router()
ports: set[int] = set()
"""Of the proxy, from which the requests came."""


def noted(handler: Handler) -> Handler:
    """Middleware outside of proxy_headers, which sees the proxy itself."""

    def call(request: Request) -> Any:
        ports.add(int(request.client[1]))
        return handler(request)

    return wrap(handler, call)


@router.get("/who")
def who(request: Request) -> dict[str, Any]:
    return {"client": request.client[0], "peer": request.headers.get("x-forwarded-for")}


@router.post("/digest")
def digest(request: Request) -> str:
    return sha256(request.body).hexdigest()


@router.get("/stream")
def stream(request: Request) -> Response:
    return Response.stream(CONTENT[begin : begin + 65536] for begin in range(0, 1 << 20, 65536))


def command(proxy: str, folder: Path, port: int, app: int) -> list[str]:
    """How the proxy is started; its configuration is written."""
    text, package = {"nginx": (NGINX, "nginx-light"), "haproxy": (HAPROXY, "haproxy")}[proxy]
    program = shutil.which(proxy, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip(f"no {proxy}; on Debian: apt-get install {package}")
    path = folder / "proxy.conf"
    path.write_text(text.format(folder=folder, port=port, app=app))
    if proxy == "nginx":
        return [program, "-p", str(folder), "-e", str(folder / "errors"), "-c", str(path)]
    return [program, "-db", "-f", str(path)]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, FastServer]]:
    """The port of a proxy, and the server behind it."""
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    handler = noted(proxy_headers(trusted=["127.0.0.1"])(router))
    with (
        FastServer(handler, port=0) as server,
        subprocess.Popen(
            command(request.param, folder, port, server.port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            assert eventually(lambda: listens(port))
            yield port, server
        finally:
            process.terminate()


@pytest.fixture
def client(proxied: tuple[int, FastServer]) -> Iterator[http.client.HTTPConnection]:
    with closing(
        http.client.HTTPConnection("127.0.0.1", proxied[0], timeout=PATIENCE_SECONDS)
    ) as connection:
        yield connection


def ask(client: http.client.HTTPConnection, method: str, path: str, **more: Any) -> bytes:
    client.request(method, path, **more)
    answer = client.getresponse()
    assert answer.status == 200
    return answer.read()


def test_connections_are_kept(client: http.client.HTTPConnection) -> None:
    """Twenty requests come by one or two connections of the proxy."""
    ports.clear()
    for _ in range(20):
        ask(client, "GET", "/who")
    assert 1 <= len(ports) <= 2


def test_content_arrives(client: http.client.HTTPConnection) -> None:
    wanted = sha256(CONTENT).hexdigest().encode()
    assert ask(client, "POST", "/digest", body=CONTENT) == wanted
    pieces = (CONTENT[begin : begin + 10_000] for begin in range(0, len(CONTENT), 10_000))
    assert ask(client, "POST", "/digest", body=pieces, encode_chunked=True,
               headers={"Transfer-Encoding": "chunked"}) == wanted  # fmt: skip


def test_a_stream_comes_out_whole(client: http.client.HTTPConnection) -> None:
    assert ask(client, "GET", "/stream") == CONTENT


def test_the_handler_sees_the_client(client: http.client.HTTPConnection) -> None:
    """The proxy is trusted, and so is its client, 127.0.0.1, which speaks for another."""
    answer = ask(client, "GET", "/who", headers={"X-Forwarded-For": "192.0.2.1"})
    assert b'"client": "192.0.2.1"' in answer
