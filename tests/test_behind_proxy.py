"""Behind nginx and HAProxy, set up as docs/deployment.md says: the real programs.

    client at 127.0.0.2 -> proxy on 127.0.0.1 -> fastraw, which trusts 127.0.0.1

Where a request can be read in two ways, both sides of the proxy have to count alike: what the
handler was called with has been answered to whoever asked, and nothing else was.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from fastraw import Broadcast, FastServer, Request, Response
from fastraw.apps.middleware import proxy_headers
from tests.program import PATIENCE_SECONDS, ROOT, Program
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="127.0.0.2 is an address of every machine only with Linux"
)

CLIENT = "127.0.0.2"
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}
NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path .;
    proxy_temp_path .;
    fastcgi_temp_path .;
    uwsgi_temp_path .;
    scgi_temp_path .;
{}
}}
"""


class App:
    """Tells what it was asked, and notes it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.connections: list[object] = []
        self.go_on = threading.Event()
        self.news = Broadcast()
        self._trusting = proxy_headers(trusted=["127.0.0.1"])(self._answer)

    def __call__(self, request: Request) -> object:
        self.asked.append(request.path)
        self.connections.append(request.client)
        return self._trusting(request)

    def _answer(self, request: Request) -> Response:
        if request.path == "/events":
            return self.news.subscribe(request)
        if request.path == "/stream":
            return Response.stream(self._pieces(), headers={"X-Accel-Buffering": "no"})
        told = {
            "client": request.client[0],
            "scheme": request.scheme,
            "host": request.headers["host"],
            "digest": hashlib.sha256(request.body).hexdigest(),
        }
        answer = Response.json(told)
        answer.headers["X-Path"] = request.path
        return answer

    def _pieces(self) -> Iterator[bytes]:
        yield b"first\n"
        assert self.go_on.wait(PATIENCE_SECONDS)
        yield b"second\n"


def documented(begin: str) -> str:
    """The block of docs/deployment.md that begins so."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^```\w+\n({begin}.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


def command(name: str, app: str, port: int, folder: Path) -> list[str]:
    """How the proxy is started, with what the page shows; only the addresses are others."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"no {name}; on Debian: apt-get install {PACKAGES[name]}")
    path = folder / f"{name}.conf"
    if name == "nginx":
        block = documented("upstream").replace("listen 80;", f"listen 127.0.0.1:{port};")
        path.write_text(NGINX.format(block.replace("127.0.0.1:7878", app)))
        return [program, "-p", str(folder), "-e", "stderr", "-c", str(path)]
    block = documented("defaults").replace("bind :80", f"bind 127.0.0.1:{port}")
    path.write_text(block.replace("127.0.0.1:7878", app))
    return [program, "-db", "-f", str(path)]


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def proxy(name: str, app: str, folder: Path) -> Iterator[int]:
    """Its port, while it runs in front of the app."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Program(*command(name, app, port, folder), folder=folder) as program:
        assert eventually(lambda: is_listening(port)), program.output
        yield port


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[App, int]]:
    """The app, and the port of the proxy in front of it."""
    app = App()
    with (
        FastServer(app, port=0) as server,
        proxy(request.param, f"127.0.0.1:{server.port}", tmp_path_factory.mktemp("proxy")) as port,
    ):
        yield app, port


@pytest.fixture
def app(behind: tuple[App, int]) -> App:
    behind[0].asked.clear()
    behind[0].connections.clear()
    behind[0].go_on.clear()
    return behind[0]


@pytest.fixture
def client(behind: tuple[App, int]) -> Iterator[HTTPConnection]:
    with closing(connect(behind[1])) as connection:
        yield connection


def connect(port: int) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS, source_address=(CLIENT, 0))


def get(client: HTTPConnection, path: str, **headers: str) -> dict[str, str]:
    client.request("GET", path, headers={name.replace("_", "-"): headers[name] for name in headers})
    response = client.getresponse()
    assert response.status == 200
    found: dict[str, str] = json.loads(response.read())
    return found


def test_requests_share_a_connection(app: App, client: HTTPConnection) -> None:
    for number in range(10):
        get(client, f"/{number}")
    assert len(set(app.connections)) == 1


def test_the_handler_sees_the_client(app: App, client: HTTPConnection) -> None:
    told = get(client, "/")
    assert (told["client"], told["scheme"]) == (CLIENT, "http")
    assert told["host"].startswith("127.0.0.1")


def test_what_a_client_makes_up_is_not_believed(app: App, client: HTTPConnection) -> None:
    made_up = {
        "X_Forwarded_For": "192.0.2.1",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "elsewhere.example",
        "Forwarded": "for=192.0.2.1;proto=https;host=elsewhere.example",
    }
    assert get(client, "/", **made_up) == get(client, "/")
    assert get(client, "/", **made_up)["client"] == CLIENT


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_upload(app: App, client: HTTPConnection, chunked: bool) -> None:
    """More than a proxy keeps in memory, and more than fastraw does."""
    content = bytes(range(256)) * 12_000
    pieces = (content[at : at + 65_536] for at in range(0, len(content), 65_536))
    client.request("POST", "/upload", pieces if chunked else content, encode_chunked=chunked)
    told = json.load(client.getresponse())
    assert told["digest"] == hashlib.sha256(content).hexdigest()


def test_upload_that_is_too_large(app: App, client: HTTPConnection) -> None:
    client.putrequest("POST", "/upload")
    client.putheader("Content-Length", str(17 << 20))
    client.endheaders()
    assert client.getresponse().status == 413
    assert app.asked == []


def test_stream_arrives_as_it_is_made(app: App, client: HTTPConnection) -> None:
    client.request("GET", "/stream")
    response = client.getresponse()
    assert response.readline() == b"first\n"
    app.go_on.set()
    assert response.read() == b"second\n"


def test_event_arrives_when_it_is_sent(app: App, client: HTTPConnection) -> None:
    client.request("GET", "/events")
    response = client.getresponse()
    assert app.news.send("It rains.") == 1
    assert event(response) == b"data: It rains.\n"


def event(response: HTTPResponse) -> bytes:
    """The first line of the first event."""
    return next(line for line in iter(response.readline, b"") if line.startswith(b"data"))


@pytest.mark.parametrize(("name", "prefix"), [("nginx", "unix:"), ("haproxy", "unix@")])
def test_by_a_unix_socket(tmp_path: Path, name: str, prefix: str) -> None:
    path = tmp_path / "app.sock"
    app = proxy_headers(trusted=["unix"])(lambda request: request.client[0])
    with (
        FastServer(app, uds=str(path)),
        proxy(name, f"{prefix}{path}", tmp_path) as port,
        closing(connect(port)) as client,
    ):
        client.request("GET", "/")
        assert client.getresponse().read() == CLIENT.encode()


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(*fields: bytes, content: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    lines = [b"POST /first " + version, b"Host: a", *fields, b"", content]
    return b"\r\n".join(lines)


def length(count: int) -> bytes:
    return b"Content-Length: %d" % count


CHUNKED = b"Transfer-Encoding: chunked"
EMPTY = b"0\r\n\r\n"
ONE = b"5\r\nhello\r\n"
WHOLE = length(len(EMPTY + HIDDEN))

AMBIGUOUS = {
    "a length beside chunked": post(WHOLE, CHUNKED, content=EMPTY + HIDDEN),
    "chunked beside a length": post(CHUNKED, WHOLE, content=EMPTY + HIDDEN),
    "chunked beside a short length": post(
        length(4), CHUNKED, content=b"%x\r\n%s\r\n" % (len(HIDDEN), HIDDEN) + EMPTY
    ),
    "two lengths": post(length(0), length(len(HIDDEN)), content=HIDDEN),
    "a list of lengths": post(b"Content-Length: 0, %d" % len(HIDDEN), content=HIDDEN),
    "a length with a sign": post(b"Content-Length: +%d" % len(HIDDEN), content=HIDDEN),
    "a length in hex": post(b"Content-Length: 0x%x" % len(HIDDEN), content=HIDDEN),
    "a length with an underscore": post(b"Content_Length: %d" % len(HIDDEN), content=HIDDEN),
    "a space before the colon": post(b"Transfer-Encoding : chunked", WHOLE, content=EMPTY + HIDDEN),
    "a tab after the value": post(b"Transfer-Encoding: chunked\t", content=EMPTY + HIDDEN),
    "a vertical tab": post(b"Transfer-Encoding:\x0bchunked", WHOLE, content=EMPTY + HIDDEN),
    "a folded line": post(b"Transfer-Encoding:\r\n chunked", WHOLE, content=EMPTY + HIDDEN),
    "a bare LF in the head": post(b"X: a\nTransfer-Encoding: chunked", content=EMPTY + HIDDEN),
    "a bare CR in the head": post(b"X: a\rTransfer-Encoding: chunked", content=HIDDEN),
    "a NUL in the head": post(b"X: a\0b", CHUNKED, content=EMPTY + HIDDEN),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", WHOLE, content=EMPTY + HIDDEN),
    "identity": post(b"Transfer-Encoding: identity", WHOLE, content=EMPTY + HIDDEN),
    "chunked twice": post(CHUNKED, CHUNKED, content=EMPTY + HIDDEN),
    "chunked, then identity": post(b"Transfer-Encoding: chunked, identity", content=EMPTY + HIDDEN),
    "chunked in HTTP/1.0": post(CHUNKED, WHOLE, content=EMPTY + HIDDEN, version=b"HTTP/1.0"),
    "a size with 0x": post(CHUNKED, content=b"0x5\r\nhello\r\n" + EMPTY + HIDDEN),
    "a size with a sign": post(CHUNKED, content=b"+5\r\nhello\r\n" + EMPTY + HIDDEN),
    "a size beyond 64 bits": post(CHUNKED, content=b"1" + b"0" * 16 + b"\r\n" + EMPTY + HIDDEN),
    "a size that ends with LF": post(CHUNKED, content=b"5\nhello\r\n" + EMPTY + HIDDEN),
    "a chunk that ends with LF": post(CHUNKED, content=b"5\r\nhello\n" + EMPTY + HIDDEN),
    "a chunk that ends with XX": post(CHUNKED, content=b"5\r\nhelloXX" + EMPTY + HIDDEN),
    "an extension with LF": post(CHUNKED, content=b"5;a\nhello\r\n" + ONE + EMPTY + HIDDEN),
    "a length in a trailer": post(
        CHUNKED, content=b"0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
    ),
    "content of a GET": b"GET /first HTTP/1.1\r\nHost: a\r\n"
    + WHOLE
    + b"\r\n\r\n"
    + EMPTY
    + HIDDEN,
    "an absolute target": b"GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "two hosts": b"GET /first HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + HIDDEN,
    "a space in the target": b"GET /first /x HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /first\r\n" + HIDDEN,
    "an upgrade to h2c": (
        b"GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + HIDDEN
    ),
    "a dropped length": post(b"Connection: Content-Length", length(len(HIDDEN)), content=HIDDEN),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_both_count_the_same_requests(behind: tuple[App, int], app: App, case: str) -> None:
    port = behind[1]
    received = b""
    with socket.create_connection(
        ("127.0.0.1", port), PATIENCE_SECONDS, source_address=(CLIENT, 0)
    ) as sock:
        sock.sendall(AMBIGUOUS[case] + LAST)
        while piece := receive(sock):
            received += piece
    answered = [path.decode() for path in re.findall(rb"(?i)\r\nx-path: (\S+)\r\n", received)]
    assert app.asked == answered, received
    with closing(connect(port)) as other:
        other.request("GET", "/other")
        response = other.getresponse()
        assert (response.status, response.getheader("X-Path")) == (200, "/other")
        response.read()


def receive(sock: socket.socket) -> bytes:
    """What comes next; empty at the end, orderly or not."""
    try:
        return sock.recv(65_536)
    except ConnectionResetError:
        return b""
