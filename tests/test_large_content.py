"""Content that does not stay in memory reaches the handler octet by octet as it was sent, whatever
content the file and the memory that it passes through have held before."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Any, BinaryIO

import pytest

from fastraw import WSGI, FastServer, Limits, Request
from fastraw.engine import intake
from fastraw.engine.poller import EpollPoller, SelectorPoller
from fastraw.testing import RawClient
from tests.authority import Authority
from tests.tls_client import TLSClient
from tests.waiting import eventually

MIB = 1024 * 1024
OCTETS = random.Random(2).randbytes(5 * MIB)
MEMORY_BYTES = 64 * 1024
# Longer and shorter ones in turn: a file that is used again must not show what it held.
SIZES = [3 * MIB, MEMORY_BYTES + 1, MIB, 100, 5 * MIB, MEMORY_BYTES, MIB + 1, intake.READ_BYTES]

Connect = Callable[[], RawClient]


class Handler:
    """Answers with a digest of the content, read in the way that the path names."""

    def stream_body(self, request: Request) -> bool:
        return request.path.startswith("/streamed")

    def __call__(self, request: Request) -> str:
        digest, path = sha256(), request.path
        if path == "/body":
            digest.update(request.body)
        elif path == "/both":
            digest.update(request.stream.read(10))
            assert request.body[:10] == OCTETS[:10]
            digest.update(request.stream.read())
        elif path.endswith("/lines"):
            for line in request.stream:
                digest.update(line)
        else:
            while piece := request.stream.read1(MIB if path.endswith("/large") else 1000):
                digest.update(piece)
        return digest.hexdigest()


PATHS = ["/body", "/both", "/lines", "/small", "/streamed/lines", "/streamed/large", "/streamed"]


@pytest.fixture(scope="module", params=["epoll", "selectors", "tls"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    authority: Authority | None = None
    if request.param == "tls":
        authority = request.getfixturevalue("authority")
    poller = SelectorPoller if request.param == "selectors" else EpollPoller
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastraw.running.default_poller", poller)
        server = FastServer(Handler(), port=0, tls=authority.tls() if authority else None)
        stack.enter_context(server)
        address = ("127.0.0.1", server.port)
        yield lambda: TLSClient(address, authority.client()) if authority else RawClient(address)


def message(path: str, size: int, chunked: bool = False) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n"
    if not chunked:
        return f"{head}Content-Length: {size}\r\n\r\n".encode() + OCTETS[:size]
    chunks = [b"Transfer-Encoding: chunked\r\n\r\n"]
    for start in range(0, size, 300_000):
        piece = OCTETS[start : min(size, start + 300_000)]
        chunks.append(b"%x\r\n%b\r\n" % (len(piece), piece))
    return head.encode() + b"".join(chunks) + b"0\r\n\r\n"


def digest_of(size: int) -> bytes:
    return sha256(OCTETS[:size]).hexdigest().encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("path", PATHS)
def test_one_after_the_other(connect: Connect, path: str, chunked: bool) -> None:
    """In one go, so that what follows a message comes with the end of its content."""
    with connect() as client:
        messages = [message(path, size, chunked) for size in SIZES]
        sender = threading.Thread(target=client.send, args=[b"".join(messages)])
        sender.start()
        for size in SIZES:
            response = client.response()
            assert (response.status, response.body) == (200, digest_of(size))
        sender.join()


def test_at_the_same_time(connect: Connect) -> None:
    """Piece by piece, by turns."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect()) for _ in SIZES]
        sent = [message("/body", size) for size in SIZES]
        for start in range(0, max(map(len, sent)), 200_000):
            for client, octets in zip(clients, sent, strict=True):
                client.send(octets[start : start + 200_000])
        for client, size in zip(clients, SIZES, strict=True):
            assert client.response().body == digest_of(size)


OWN, OTHERS = b"o" * 10_000, b"#" * 200_000
PART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%b\r\n' % OWN
FORM = 2 * PART + b"--b--\r\n"


def everything(file: BinaryIO) -> bytes:
    """What can be read of a file, and far behind its end; nothing when it is closed."""
    found = []
    for way in (file.read, file.readline, file.readlines):
        for place, whence in ((0, os.SEEK_SET), (1_000, os.SEEK_SET), (1, os.SEEK_END)):
            with contextlib.suppress(ValueError):
                file.seek(place, whence)
                octets = way()
                found.append(b"".join(octets) if isinstance(octets, list) else octets)
    return b"".join(found)


class Keeping:
    """A handler, and a WSGI application, that keep what they get beyond the answer."""

    def __init__(self) -> None:
        self.wsgi = WSGI(self.application)
        self.files: list[BinaryIO] = []
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> object:
        if request.path == "/other":
            return str(len(request.body))
        if request.path == "/wsgi":
            return self.wsgi(request)
        self.requests.append(request)
        self.files.append(request.stream)
        if request.path == "/form":
            self.files += [
                each.file for each in request.form(file_memory_bytes=1).files.get_all("f")
            ]
        return everything(self.files[-1])

    def application(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        self.files.append(environ["wsgi.input"])
        return [everything(environ["wsgi.input"])]

    def read_again(self) -> bytes:
        found = list(map(everything, self.files))
        for request in self.requests:
            for way in ("body", "stream", "_open"):
                with contextlib.suppress(ValueError):
                    got: Any = getattr(request, way)
                    found.append(
                        got if way == "body" else everything(got() if callable(got) else got)
                    )
        return b"".join(found)


@pytest.mark.parametrize("path", ["/", "/wsgi", "/form"])
def test_nothing_of_anothers_content_is_read(path: str) -> None:
    """Neither by the request that gets the file in which it was, nor once the file is another's."""
    app = Keeping()
    with (
        FastServer(app, port=0, limits=Limits(body_memory_bytes=1000)) as server,
        RawClient(("127.0.0.1", server.port)) as client,
    ):

        def post(path: str, content: bytes) -> bytes:
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n"
            kind = "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            client.send((head + kind).encode(), content)
            response = client.response()
            assert response.status == 200
            return response.body

        post("/other", OTHERS)
        answer = post(path, FORM if path == "/form" else OWN)
        assert OWN in answer
        assert b"#" not in answer
        post("/other", OTHERS)
        assert b"#" not in app.read_again()
        assert server._running is not None
        spares = server._running.service.spares
        assert eventually(lambda: len(spares._files) == 1)  # all had the same


def temporary_files() -> int:
    """Open files without a name."""
    paths = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    folder = tempfile.gettempdir()
    return sum(path.startswith(folder) and path.endswith(" (deleted)") for path in paths)


def test_content_that_cannot_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    """As on a full disk: the request is answered, the connection closed, the file used again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    server = FastServer(Handler(), port=0)
    with server, RawClient(("127.0.0.1", server.port)) as client:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY_BYTES, hard))
        try:
            client.send(message("/body", MIB))
            response = client.response()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (response.status, response.closes) == (500, True)
        assert "Cannot store the content of a request: " in caplog.text
        with RawClient(("127.0.0.1", server.port)) as other:
            other.send(message("/body", 2 * MIB))
            assert other.response().body == digest_of(2 * MIB)


def test_no_file_is_left_behind() -> None:
    before = temporary_files()
    server = FastServer(Handler(), port=0)
    for _ in range(2):
        with server, RawClient(("127.0.0.1", server.port)) as client:
            client.send(message("/body", MIB) * 2)
            assert [client.response().status for _ in range(2)] == [200, 200]
            assert eventually(lambda: server.stats().running == 0)
            assert temporary_files() > before
        assert temporary_files() == before
