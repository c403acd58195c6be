"""RawClient over TLS, with each octet on the wire at hand.

    with TLSClient(server.address, authority.client()) as client:
        client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        assert client.response().status == 200

It is as strict about the end: one that is not said (close_notify, RFC 8446 section 6.1) is a
BadResponse.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable

import pytest

from fastraw.testing import BadResponse, RawClient
from tests.authority import NAME
from tests.waiting import PATIENCE_SECONDS

Cut = Callable[[bytes], list[bytes]]


def at_once(octets: bytes) -> list[bytes]:
    return [octets]


def one_by_one(octets: bytes) -> list[bytes]:
    return [octets[at : at + 1] for at in range(len(octets))]


class TLSClient(RawClient):
    """One connection; `cut` says in which pieces the handshake is sent."""

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        name: str = NAME,
        cut: Cut = at_once,
        timeout: float = PATIENCE_SECONDS,
        receive_buffer_bytes: int | None = None,
    ) -> None:
        super().__init__(address, timeout)
        if receive_buffer_bytes is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.tls = TLSClientSocket(self.sock, context, name)
        try:
            self.tls.handshake(cut)
        except BaseException:
            self.sock.close()
            raise
        self.sock = self.tls  # type: ignore[assignment]


class TLSClientSocket:
    """The client's side, blocking, with the TLS in memory.

    One thread may send while another receives; OpenSSL is asked by one of them at a time.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self.raw = sock
        self._asking = threading.Lock()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.getsockname = sock.getsockname
        self.settimeout = sock.settimeout

    def handshake(self, cut: Cut = at_once) -> None:
        while True:
            try:
                self.object.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass
            finally:
                for piece in cut(self._outgoing.read()):
                    self.raw.sendall(piece)
            self.receive()

    def records(self, octets: bytes) -> bytes:
        """The octets encrypted, and not sent."""
        with self._asking:
            self.object.write(octets)
            return self._outgoing.read()

    def sendall(self, octets: bytes) -> None:
        self.raw.sendall(self.records(octets))

    def recv(self, size: int) -> bytes:
        while True:
            try:
                with self._asking:
                    return self.object.read(size)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self.receive()

    def receive(self, size: int = 65536) -> None:
        """Take up to `size` octets of what has come."""
        octets = self.raw.recv(size)
        if not octets:
            raise BadResponse("the connection ended without close_notify")
        with self._asking:
            self._incoming.write(octets)

    def shutdown(self, how: int) -> None:
        """Half: say that nothing more will be sent, and go on reading."""
        assert how == socket.SHUT_WR
        self.raw.sendall(self.goodbye())
        self.raw.shutdown(how)

    def goodbye(self) -> bytes:
        """The record that says that nothing more will be sent, not sent."""
        with contextlib.suppress(ssl.SSLError):
            self.object.unwrap()
        return self._outgoing.read()

    def close(self) -> None:
        self.raw.close()


class Openssl:
    """`openssl s_client`, talked to by its standard input."""

    def __init__(self, address: tuple[str, int], *arguments: str) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl; on Debian: apt-get install openssl")
        host, port = address
        self._process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{host}:{port}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = b""

    def say(self, octets: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(octets)
        self._process.stdin.flush()

    def expect(self, octets: bytes) -> None:
        """Read on until this has come; what came before it is dropped."""
        assert self._process.stdout is not None
        while octets not in self.output:
            more = os.read(self._process.stdout.fileno(), 65536)
            assert more, f"no {octets!r} in {self.output[-1000:]!r}"
            self.output += more
        self.output = self.output.partition(octets)[2]

    def __enter__(self) -> Openssl:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()
