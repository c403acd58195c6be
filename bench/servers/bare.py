"""The limit: one Python thread, edge-triggered epoll, recv, send. Nothing is parsed.

Each mode does the least that its load can be answered with; the requests of a load are all the
same, so that their size is all there is to know about them.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import select
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any

from servers import BACKLOG, HOST, app, options

LOOK_SECONDS = 50e-6
"""How long a loop that looks again polls before it sleeps; as fastraw does."""

READ_BYTES = 64 * 1024
HASH_READ_BYTES = 128 * 1024
_length = re.compile(rb"(?is).*\ncontent-length: *([0-9]+)").match
EVENTS = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET

Serve = Callable[[socket.socket], bool]
"""Answers what has arrived on a connection; False when the connection is done with."""


def response(body: bytes, more: str = "") -> bytes:
    """A complete response, with the fields that a real server sends, and more of them."""
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        f"Content-Type: {app.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


HELLO = response(app.HELLO)
GOODBYE = response(app.HELLO, "Connection: close\r\n")


def hello(client: socket.socket) -> bool:
    """One request in each read, kept alive."""
    if not client.recv(READ_BYTES):
        return False
    client.send(HELLO)
    return True


def close(client: socket.socket) -> bool:
    """One request, then the end."""
    if client.recv(READ_BYTES):
        client.send(GOODBYE)
    return False


def pipeline(client: socket.socket) -> bool:
    """As many answers as there are ends of a head."""
    data = client.recv(READ_BYTES)
    client.send(HELLO * data.count(b"\r\n\r\n"))
    return bool(data)


class Cpu:
    """Python work before each answer; the amount is read from the first request."""

    turns = 0

    def __call__(self, client: socket.socket) -> bool:
        data = client.recv(READ_BYTES)
        if not data:
            return False
        if not self.turns:
            query = data.partition(b" HTTP/")[0].decode().partition("?")[2]
            self.turns = app.number(query) if query else 0
        app.work(self.turns)
        client.send(HELLO)
        return True


class Upload:
    """Reads until a request's octets have arrived; the first read tells how many they are."""

    answer = response(b"%d" % len(app.BIG))

    def __init__(self) -> None:
        self.left: weakref.WeakKeyDictionary[socket.socket, int] = weakref.WeakKeyDictionary()

    def __call__(self, client: socket.socket) -> bool:
        with contextlib.suppress(BlockingIOError):
            left = 1
            while left:
                data = client.recv(READ_BYTES)
                if not data:
                    return False
                left = (self.left.get(client, 0) or self._size(data)) - len(data)
                self.left[client] = left
            client.send(self.answer)
        return True

    @staticmethod
    def _size(data: bytes) -> int:
        head = data.find(b"\r\n\r\n") + 4
        return head + (len(app.BIG) if data.startswith(b"POST") else 0)


class Hash:
    """Hashes what is sent as it comes; the first read tells how much that is."""

    def __init__(self) -> None:
        self.going: weakref.WeakKeyDictionary[socket.socket, tuple[int, Any]]
        self.going = weakref.WeakKeyDictionary()

    def __call__(self, client: socket.socket) -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                data = client.recv(HASH_READ_BYTES)
                if not data:
                    return False
                if client in self.going:
                    left, digest = self.going[client]
                else:
                    head, _, data = data.partition(b"\r\n\r\n")
                    length = _length(head)
                    left, digest = int(length[1]) if length else 0, hashlib.sha256()
                digest.update(data)
                left -= len(data)
                self.going[client] = left, digest
                if not left:
                    break
            del self.going[client]
            client.send(response(digest.hexdigest().encode()))
        return True


class Download:
    """Sends 1 MiB for each request, as the socket takes it."""

    answer = memoryview(response(app.BIG))

    def __init__(self) -> None:
        self.sent: weakref.WeakKeyDictionary[socket.socket, int] = weakref.WeakKeyDictionary()

    def __call__(self, client: socket.socket) -> bool:
        with contextlib.suppress(BlockingIOError):
            if client not in self.sent:
                if not client.recv(READ_BYTES):
                    return False
                self.sent[client] = 0
            while self.sent[client] < len(self.answer):
                self.sent[client] += client.send(self.answer[self.sent[client] :])
            del self.sent[client]
        return True


MODES: dict[str, Callable[[], Serve]] = {
    "hello": lambda: hello,
    "close": lambda: close,
    "pipeline": lambda: pipeline,
    "cpu": Cpu,
    "upload": Upload,
    "hash": Hash,
    "download": Download,
}


def encrypted(context: ssl.SSLContext) -> Callable[[socket.socket], socket.socket]:
    """Makes a TLS connection of an accepted one; the handshake is left to the first reads."""

    def wrap(client: socket.socket) -> socket.socket:
        return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)

    return wrap


def loop(
    listener: socket.socket,
    serve: Serve,
    look: bool,
    wrap: Callable[[socket.socket], socket.socket] | None,
) -> None:
    """Accept and serve until the process is terminated."""
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    events = EVENTS | (select.EPOLLOUT if isinstance(serve, Download) else 0)
    clients: dict[int, socket.socket] = {}
    listening = listener.fileno()
    poll = poller.poll
    while True:
        for ready, _ in look_again(poll) if look else poll():
            if ready == listening:
                client = listener.accept()[0]
                client.setblocking(False)
                if wrap is not None:
                    client = wrap(client)
                clients[client.fileno()] = client
                poller.register(client, events)
            else:
                client = clients[ready]
            try:
                alive = serve(client)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:
                alive = False
            if not alive:
                del clients[client.fileno()]
                client.close()


def look_again(poll: Callable[..., list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Poll without blocking for a moment, then block."""
    events = poll(0)
    if not events:
        end = time.perf_counter() + LOOK_SECONDS
        while not events and time.perf_counter() < end:
            events = poll(0)
    return events or poll()


def main() -> None:
    given = options()
    listener = socket.create_server((HOST, given.port), backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wrap = None
    if given.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*given.tls)
        wrap = encrypted(given.without_resumption(context))
    loop(listener, MODES[given.mode](), given.look, wrap)


if __name__ == "__main__":
    main()
