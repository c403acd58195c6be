"""BlockingTLS: what a handler gets in place of a socket when it upgrades a connection over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

from .tls_socket import TLSSocket
from .tls_stream import READ_BYTES, WRITE_BYTES


class BlockingTLS:
    """Has the methods of a blocking socket that a protocol over a stream needs.

    Takes over the descriptor and the TLS of a TLSSocket. One thread may receive while another
    sends: OpenSSL is asked by one at a time, and nobody waits for the network meanwhile.
    """

    def __init__(self, tls_socket: TLSSocket) -> None:
        self._tls, self._incoming, self._outgoing = tls_socket.parts()
        self.bare = tls_socket.bare()
        """The socket without TLS, for those who only look."""
        self.bare.setblocking(True)
        self._asking = threading.Lock()
        # Records go out in the order in which they were made.
        self._sending = threading.Lock()
        self.fileno = self.bare.fileno
        self.getpeername = self.bare.getpeername
        self.getsockname = self.bare.getsockname
        self.gettimeout = self.bare.gettimeout
        self.settimeout = self.bare.settimeout
        self.setblocking = self.bare.setblocking
        self.setsockopt = self.bare.setsockopt

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Up to `size` octets, as soon as there are some; empty at the end."""
        while True:
            with self._asking:
                try:
                    return self._tls.read(size)
                except ssl.SSLZeroReturnError:
                    return b""
                except ssl.SSLWantReadError:
                    pass
            octets = self.bare.recv(READ_BYTES)
            if not octets:
                return b""
            with self._asking:
                self._incoming.write(octets)

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """The same into a buffer; how many they are."""
        view = memoryview(buffer).cast("B")
        data = self.recv(size or len(view))
        view[: len(data)] = data
        return len(data)

    def send(self, octets: Any, flags: int = 0) -> int:
        """Send some of the octets, at least one; how many."""
        with self._sending:
            with self._asking:
                count = self._tls.write(memoryview(octets).cast("B")[:WRITE_BYTES])
                records = self._outgoing.read()
            self.bare.sendall(records)
        return count

    def sendall(self, octets: Any, flags: int = 0) -> None:
        """Send all of them."""
        left = memoryview(octets).cast("B")
        while left:
            left = left[self.send(left) :]

    def shutdown(self, how: int) -> None:
        """As of a socket; before the end of sending, say so."""
        if how == socket.SHUT_WR:
            self._say_goodbye()
        self.bare.shutdown(how)

    def close(self) -> None:
        """Say that this was all, if the peer takes it, and close."""
        if self.fileno() >= 0:
            with contextlib.suppress(OSError):
                self.bare.setblocking(False)
                self._say_goodbye()
            self.bare.close()

    def _say_goodbye(self) -> None:
        if not self._sending.acquire(blocking=False):
            return  # in the middle of something is no good end
        try:
            with self._asking, contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self.bare.sendall(self._outgoing.read())
        finally:
            self._sending.release()

    def __enter__(self) -> BlockingTLS:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
