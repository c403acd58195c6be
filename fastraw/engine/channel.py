"""A connection's socket: what it is waiting for, sending without waiting, closing without loss.

Whoever runs a method here owns the connection: it holds `lock`, and each method ends by giving
the lock up (`let_go`), by passing it on (`Scheduler.resume`, a job returned or begun), or by
keeping it for ever (`close`). Nothing of the connection may be touched after that.
"""

from __future__ import annotations

import contextlib
import socket
import struct

from .poller import READABLE, WRITABLE
from .service import Address, Service
from .task import Task

# What a connection is doing.
READING = 0  # waits for a request, or collects its head; also while a handler runs
BODY = 1  # collects the content of a request
SKIPPING = 2  # reads on to the end of content that the handler left unread
WRITING = 3  # has octets that the client did not take yet
LINGERING = 4  # has answered for the last time and discards what still comes
CLOSED = 5  # its lock is never given back

# What a lingering connection discards before it is closed regardless.
LINGER_BYTES = 4 * 1024 * 1024
LINGER_READ_BYTES = 64 * 1024


class Channel(Task):
    """Socket and phase of a connection. `more` says that there may be octets, received already
    or still in the socket, or its end, for which no event will come."""

    __slots__ = ("client", "discarded_bytes", "more", "out", "phase", "service", "sock")

    def __init__(self, sock: socket.socket, client: Address, service: Service) -> None:
        super().__init__(sock.fileno(), service.scheduler)
        self.sock = sock
        self.client = client
        self.service = service
        self.phase = READING
        self.deadline = service.deadlines.idle
        self.more = False
        self.out: memoryview | None = None
        self.discarded_bytes = 0

    # What a request sees of its connection.

    @property
    def server(self) -> Address:
        name = self.sock.getsockname()
        return name if isinstance(name, str) else name[:2]

    @property
    def scheme(self) -> str:
        return self.service.scheme

    def disconnected(self) -> bool:
        """Whether the client has closed its side; octets that still wait hide that."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    # Sending.

    def send_some(self, octets: bytes | memoryview) -> int:
        """How many of `octets` the socket took; OSError when the client is gone."""
        try:
            return self.sock.send(octets)
        except BlockingIOError:
            return 0

    def park(self, out: memoryview) -> None:
        """The client is slow: have the poller say when it takes more. No thread waits."""
        self.out = out
        self.phase = WRITING
        self.deadline = self.service.deadlines.write
        self.let_go(WRITABLE)

    def flush(self) -> bool:
        """Send what is parked. True when all of it has gone; OSError when the client is gone."""
        assert self.out is not None
        while self.out:
            sent = self.send_some(self.out)
            if not sent:
                self.let_go(WRITABLE)
                return False
            self.out = self.out[sent:]
            self.deadline = self.service.deadlines.write
        self.out = None
        self.phase = READING
        return True

    # Closing.

    def close(self) -> None:
        """Close at once. The lock is kept, so that no event reaches what is gone."""
        self.phase = CLOSED
        self.scheduler.forget(self)
        with contextlib.suppress(OSError):
            self.sock.close()
        if self.service.draining:
            self.service.on_close()

    def abort(self) -> None:
        """Close with a reset: the client must not take what it has got for the whole answer."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close_gently(self) -> None:
        """Say that this was all, and discard what still comes for a moment: closing over unread
        octets would send a reset, which can overtake the answer (RFC 9112 section 9.6)."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.phase = LINGERING
        self.deadline = self.service.deadlines.linger
        self.linger()

    def linger(self) -> None:
        """Discard what has come."""
        while self.discarded_bytes < LINGER_BYTES:
            try:
                data = self.sock.recv(LINGER_READ_BYTES)
            except BlockingIOError:
                self.let_go(READABLE)
                return
            except OSError:
                break
            if not data:
                break
            self.discarded_bytes += len(data)
        self.close()
