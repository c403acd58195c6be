"""What a handler does with a connection that it has upgraded over TLS, and what its client sees."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fastraw import FastServer, Request
from fastraw.testing import BadResponse
from tests.authority import Authority
from tests.tls_client import TLSClient

ASK = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: talk\r\n\r\n"
# More than the sockets of both sides hold.
BIG = bytes(64 * 1024 * 1024)
SMALL_BUFFER_BYTES = 64 * 1024

Talk = Callable[[Any], None]


@contextmanager
def upgraded(authority: Authority, talk: Talk) -> Iterator[TLSClient]:
    """A client whose connection `talk` has on the other side; what that raises is raised here."""
    faults: list[BaseException] = []

    def handler(request: Request) -> None:
        with request.upgrade("talk").socket as sock:
            sock.settimeout(15)
            try:
                talk(sock)
            except BaseException as fault:
                faults.append(fault)

    with (
        FastServer(handler, port=0, workers=2, tls=authority.tls()) as running,
        TLSClient(
            ("127.0.0.1", running.port),
            authority.client(),
            receive_buffer_bytes=SMALL_BUFFER_BYTES,
        ) as client,
    ):
        client.send(ASK)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.tls.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        yield client
    if faults:
        raise faults[0]


def test_one_side_ends_before_the_other(authority: Authority) -> None:
    heard = []

    def talk(sock: Any) -> None:
        sock.sendall(b"all")
        sock.shutdown(socket.SHUT_WR)
        while octets := sock.recv(100):
            heard.append(octets)

    with upgraded(authority, talk) as client:
        assert client.tls.recv(100) == b"all"
        assert client.tls.recv(100) == b""
        client.send(b"more")
        client.finish()
        client.expect_end()
    assert b"".join(heard) == b"more"


def test_end_without_close_notify(authority: Authority) -> None:
    heard = []
    with upgraded(authority, lambda sock: heard.append(sock.recv(100))) as client:
        client.tls.raw.shutdown(socket.SHUT_WR)
        client.expect_end()
    assert heard == [b""]


def test_close_says_so_and_may_be_said_twice(authority: Authority) -> None:
    def talk(sock: Any) -> None:
        assert sock.send(b"") == 0
        assert sock.send(b"octets") == 6
        sock.close()
        sock.close()
        assert sock.fileno() == -1

    with upgraded(authority, talk) as client:
        assert client.tls.recv(100) == b"octets"
        client.expect_end()


def test_close_while_another_thread_sends_is_no_good_end(authority: Authority) -> None:
    def talk(sock: Any) -> None:
        def send() -> None:
            with contextlib.suppress(OSError):
                sock.sendall(BIG)

        sender = threading.Thread(target=send)
        sender.start()
        assert sock.recv(100) == b"enough"
        sock.close()
        sender.join()

    with upgraded(authority, talk) as client:
        assert client.tls.recv(1) == b"\0"
        client.send(b"enough")
        with pytest.raises((BadResponse, ConnectionResetError)):
            list(iter(lambda: client.tls.recv(65536), b""))


def test_both_ways_at_once(authority: Authority) -> None:
    """Two threads on each side, and OpenSSL for one of them at a time."""
    octets = BIG[: 1 << 20]
    heard = []

    def talk(sock: Any) -> None:
        sender = threading.Thread(target=sock.sendall, args=(octets,))
        sender.start()
        heard.append(sum(map(len, iter(lambda: sock.recv(5000), b""))))
        sender.join()

    with upgraded(authority, talk) as client:
        sender = threading.Thread(target=client.send, args=(octets,))
        sender.start()
        received = 0
        while received < len(octets):
            received += len(client.tls.recv(5000))
        sender.join()
        client.finish()
        client.expect_end()
    assert heard == [len(octets)]
