"""A connection's socket: what it is waiting for, sending without waiting, closing without loss.

Whoever runs a method here owns the connection: it holds `lock`, and each method ends by giving
the lock up (`let_go`), by passing it on (`Scheduler.resume`, a job returned or begun), or by
keeping it for ever (`close`). Nothing of the connection may be touched after that.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from time import monotonic

from ..file import FileSlice
from .clients import Address
from .poller import READABLE, WRITABLE, wait_until
from .service import Service
from .task import Task

# What a connection is doing.
READING = 0  # waits for a request, or collects its head; also while a handler runs
BODY = 1  # collects the content of a request
SKIPPING = 2  # reads on to the end of content that the handler left unread
WRITING = 3  # has octets that the client did not take yet
LINGERING = 4  # has answered for the last time and discards what still comes
PUSHING = 5  # sends what a source has, whenever it has something
UPGRADED = 6  # belongs to the handler that speaks another protocol by it
CLOSED = 7  # its lock is never given back

# Without waiting on a socket that waits, either: that of an upgraded connection.
PEEK = socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)
# What a connection sends before others get their turn, and how much of a file at a time.
TURN_BYTES = 4 * 1024 * 1024
SENDFILE_BYTES = 1024 * 1024
# Of content, sent in one piece with the head where the two cannot be gathered.
BEGIN_BYTES = 32 * 1024
# What a lingering connection discards before it is closed regardless.
LINGER_BYTES = 4 * 1024 * 1024
LINGER_READ_BYTES = 64 * 1024


class Channel(Task):
    """Socket and phase of a connection. `more` says that there may be octets, received already
    or still in the socket, or its end, for which no event will come."""

    __slots__ = (
        "client", "counted", "discarded_bytes", "more", "origin", "out", "phase",
        "service", "sock",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, client: Address, service: Service) -> None:
        super().__init__(sock.fileno(), service.scheduler)
        self.sock = sock
        self.client = client
        self.origin = service.address
        """Our end's address, one object for all connections that came to it; None until asked
        for where it depends on the connection."""
        self.counted = False
        self.service = service
        self.phase = READING
        self.deadline = service.deadlines.idle
        self.more = False
        self.out: memoryview | FileSlice | None = None
        self.discarded_bytes = 0

    can_sendfile = hasattr(os, "sendfile")
    """Whether the octets of a file may go to the socket as they are."""
    can_gather = hasattr(socket.socket, "sendmsg")
    """Whether head and content may go to the socket from where they lie."""

    # What a request sees of its connection.

    @property
    def server(self) -> Address:
        if self.origin is None:
            name = self.sock.getsockname()
            self.origin = self.service.known_address(name if isinstance(name, str) else name[:2])
        return self.origin

    @property
    def scheme(self) -> str:
        return self.service.scheme

    def disconnected(self) -> bool:
        """Whether the client has closed its side; octets that still wait hide that."""
        try:
            return self.sock.recv(1, PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def now(self) -> float:
        return monotonic()

    def peer_certificate(self) -> dict[str, object] | None:
        return None

    def receive(self, room: memoryview) -> bytes | memoryview:
        """What has come, which may lie in `room`; empty at the end. Raises OSError."""
        return room[: self.sock.recv_into(room)]

    # Sending.

    def send_some(self, out: bytes | memoryview | FileSlice) -> int:
        """How many octets of `out` the socket took; of a file, no more than SENDFILE_BYTES.

        Raises OSError when the client is gone, EOFError when the file has become too short.
        """
        try:
            if not isinstance(out, FileSlice):
                return self.sock.send(out)
            count = min(out.count, SENDFILE_BYTES)
            sent = os.sendfile(self.fd, out.file.fileno(), out.offset, count)
        except BlockingIOError:
            return 0
        if not sent:
            raise EOFError("the file has become shorter while it was sent")
        return sent

    def send_both(self, head: bytes, content: bytes) -> int:
        """How many octets of the two together the socket took. OSError when the client is gone."""
        try:
            if self.can_gather:
                return self.sock.sendmsg((head, content))
            begin = head + content[:BEGIN_BYTES]
            sent = self.sock.send(begin)
        except BlockingIOError:
            return 0
        if sent == len(begin):
            sent += self.send_some(memoryview(content)[BEGIN_BYTES:])
        return sent

    def park(self, out: memoryview | FileSlice) -> None:
        """The client is slow: have the poller say when it takes more. No thread waits."""
        self.out = out
        self.phase = WRITING
        self.deadline = self.service.deadlines.write
        if isinstance(out, FileSlice):
            self.scheduler.resume(self)  # sent in portions, so the socket may take more at once
        else:
            self.let_go(WRITABLE)

    def flush(self) -> bool:
        """Send what is parked. True when all of it has gone; raises what `send_some` raises.

        False: the connection waits for the client, or for its next turn. TimeoutError when the
        deadline has passed, and the client takes nothing all the same: the poller speaks of room
        only when a third of the kernel's buffer is free, and a slow client makes less than that.
        """
        assert self.out is not None
        turn_bytes = 0
        while self.out:
            sent = self.send_some(self.out)
            if not sent:
                if self.deadline <= monotonic():
                    raise TimeoutError("the client takes no more")
                self.let_go(WRITABLE)
                return False
            self.out = self.out[sent:]
            self.deadline = self.service.deadlines.write
            turn_bytes += sent
            if turn_bytes > TURN_BYTES:
                self.scheduler.resume(self)
                return False
        self.out = None
        self.phase = READING
        return True

    def send_waiting(self, octets: bytes) -> None:
        """Send all of it, on a thread that may wait for the client: a handler's. OSError when
        the client is gone, or takes nothing for Timeouts.write_seconds."""
        out, in_time = memoryview(octets), True
        while True:
            sent = self.send_some(out)
            out = out[sent:]
            if not out:
                return
            if not sent and not in_time:
                raise TimeoutError("the client takes no more")
            in_time = wait_until(self.sock, WRITABLE, self.service.timeouts.write_seconds)

    # Closing.

    def close(self) -> None:
        """Close at once. The lock is kept, so that no event reaches what is gone."""
        self.phase = CLOSED
        self.scheduler.forget(self)
        with contextlib.suppress(OSError):
            self.sock.close()
        self.left()

    def left(self) -> None:
        """The connection is no longer one of the server's."""
        if self.counted:
            self.service.clients.leave(self.client)
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
        """Discard what has come; close when it was the end, or too much."""
        if self.discard():
            self.let_go(READABLE)

    def discard(self) -> bool:
        """Read what has come, for nobody. False when the connection has been closed: the client
        has left, or sends without end."""
        while self.discarded_bytes < LINGER_BYTES:
            try:
                data = self.sock.recv(LINGER_READ_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                break
            if not data:
                break
            self.discarded_bytes += len(data)
        self.close()
        return False
