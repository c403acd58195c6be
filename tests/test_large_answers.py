"""Answers too large to be copied behind their head: both go to the socket from where they lie, and
arrive as one message, however slowly the client reads."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fastraw import WSGI, FastServer, Request, Response
from fastraw._message_py import JOINED_BYTES
from fastraw.engine.channel import Channel
from fastraw.engine.poller import EpollPoller, SelectorPoller
from fastraw.testing import RawClient
from tests.authority import Authority
from tests.tls_client import TLSClient
from tests.waiting import eventually

MIB = 1024 * 1024
OCTETS = random.Random(1).randbytes(6 * MIB)
SIZES = [JOINED_BYTES - 1, JOINED_BYTES, JOINED_BYTES + 1, MIB + 7, 6 * MIB]

Connect = Callable[[], RawClient]


def content(size: int) -> bytes:
    """Octets that are others for another size."""
    return OCTETS[-size:]


def handler(request: Request) -> object:
    """As many octets as the path says; more than an ordinary answer where it asks for that."""
    size = int(request.path.strip("/"))
    if request.query_string == "fields":
        return Response(content(size), headers={"X-Size": str(size)})
    if request.query_string == "none":
        return Response(content(size), status=204)
    return content(size)


def application(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
    body = content(int(str(environ["PATH_INFO"]).strip("/")))
    start_response("200 OK", [("Content-Type", "a/b"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(scope="module", params=["epoll", "selectors", "joined", "tls", "wsgi"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Connects to a server; `joined` is one whose system cannot gather."""
    authority: Authority | None = None
    if request.param == "tls":
        authority = request.getfixturevalue("authority")
    poller = SelectorPoller if request.param == "selectors" else EpollPoller
    app = WSGI(application) if request.param == "wsgi" else handler
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastraw.running.default_poller", poller)
        patch.setattr(Channel, "can_gather", request.param != "joined")
        server = FastServer(app, port=0, tls=authority.tls() if authority else None)
        stack.enter_context(server)
        address = ("127.0.0.1", server.port)
        yield lambda: TLSClient(address, authority.client()) if authority else RawClient(address)


def ask(size: int, method: str = "GET", version: str = "1.1", query: str = "") -> bytes:
    return f"{method} /{size}{query} HTTP/{version}\r\nHost: a\r\n\r\n".encode()


@pytest.mark.parametrize("size", SIZES)
def test_whole(connect: Connect, size: int) -> None:
    with connect() as client:
        client.send(ask(size))
        assert client.response().body == content(size)
        client.send(ask(size, "HEAD"))
        head = client.response("HEAD")
        assert (head.get("content-length"), head.body) == (str(size), b"")
        client.send(ask(size, version="1.0"))
        last = client.response()
        assert (last.body, last.closes, client.rest()) == (content(size), True, b"")


def test_more_than_ordinary() -> None:
    with (
        FastServer(handler, port=0) as server,
        RawClient(("127.0.0.1", server.port)) as client,
    ):
        client.send(ask(MIB, query="?fields"))
        response = client.response()
        assert (response.get("x-size"), response.body) == (str(MIB), content(MIB))
        client.send(ask(MIB, query="?none") + ask(1))
        assert (client.response().status, client.response().body) == (204, content(1))


def test_slow_reader_of_many(connect: Connect) -> None:
    """Small and large answers to one client, which does not read before the socket is full: heads
    and content are cut anywhere, and come in order."""
    sizes = [JOINED_BYTES + 1, 1, 2 * MIB, JOINED_BYTES, 3 * MIB, 5] * 4
    with connect() as client:
        if not isinstance(client, TLSClient):
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sender = threading.Thread(target=client.send, args=[b"".join(map(ask, sizes))])
        sender.start()
        for size in sizes:
            assert client.response().body == content(size)
        sender.join()


def test_no_room_for_the_head() -> None:
    filled = []

    def fill(request: Request) -> bytes:
        """Leave no room in the socket before the answer."""
        sock: socket.socket = request._peer.sock  # type: ignore[attr-defined]
        with contextlib.suppress(BlockingIOError):
            while True:
                filled.append(sock.send(bytes(MIB)))
        return content(MIB)

    with (
        FastServer(fill, port=0) as server,
        RawClient(("127.0.0.1", server.port)) as client,
    ):
        client.send(ask(MIB))
        assert eventually(lambda: server.stats().requests == 1 and not server.stats().running)
        left = sum(filled)
        while left:
            left -= len(client.sock.recv(min(left, MIB)))
        assert client.response().body == content(MIB)


@pytest.mark.parametrize("read", [0, 100, MIB])
def test_client_leaves(read: int) -> None:
    with FastServer(handler, port=0) as server:
        client = RawClient(("127.0.0.1", server.port))
        client.send(ask(6 * MIB) * 3)
        client.sock.recv(read)
        client.close()
        assert eventually(lambda: server.stats().connections == 0)
