"""A connection that speaks TLS: the handshake comes before the first request.

ready -> handshake -> ... -> READING: from here on a Connection like any other  (tls_socket.py)
      -> plain HTTP: told so, closed
      -> a fault: closed
"""

from __future__ import annotations

import logging
import select
import socket
from typing import Any

from ..errors import HTTPError
from ..headers import HeaderFields
from ..request import Request
from .channel import READING
from .clients import Address
from .connection import Connection
from .poller import HANGUP, READABLE, WRITABLE
from .service import Service
from .tls import Certificates
from .tls_blocking import BlockingTLS
from .tls_socket import PlainHTTP, TLSSocket

# One more phase beside those of a channel.
HANDSHAKE = 100

_error = logging.getLogger("fastraw.error")


class TLSConnection(Connection):
    """A client's connection over TLS. `refusal` is what it is told after the handshake, in place
    of answers."""

    __slots__ = ("refusal",)

    def __init__(
        self, sock: socket.socket, client: Address, service: Service, certificates: Certificates
    ) -> None:
        deadlines = service.deadlines
        tls = TLSSocket(sock, certificates.context(deadlines.now))
        super().__init__(tls, client, service)
        tls.belongs_to(self)
        self.phase = HANDSHAKE
        self.deadline = deadlines.handshake
        self.refusal: HTTPError | None = None

    can_sendfile = can_gather = False

    def receive(self, room: memoryview) -> bytes | memoryview:
        """What has come."""
        return self.sock.recv(len(room))

    def go_on(self, mask: int) -> Request | None:
        """An event in another phase than READING."""
        sock = self.sock
        if self.phase != HANDSHAKE or not isinstance(sock, TLSSocket):
            return super().go_on(mask)
        if mask == WRITABLE and not sock.has_unsent:
            self.let_go()
            return None
        try:
            more = sock.handshake()
        except PlainHTTP as found:
            self._answer_plainly(sock, found.octets)
            return None
        except OSError as error:
            _error.debug("TLS handshake with %s: %s", self.client, error)
            self.sock = sock.bare()
            self.close_gently()  # a reset might overtake the alert that says what was wrong
            return None
        if more is None:
            # The end has come, too, and no other event will tell of it.
            self.stirred = self.stirred or mask & HANGUP != 0
            self.let_go(WRITABLE if sock.has_unsent else READABLE)
            return None
        self.phase = READING
        self.deadline = self.service.deadlines.idle
        if self.refusal is not None:
            self.refuse(self.refusal)
        elif more or mask & HANGUP:
            return self.ready(mask | READABLE)
        else:
            self.let_go()
        return None

    def _answer_plainly(self, sock: TLSSocket, octets: bytes) -> None:
        self.sock = sock.bare()
        self.phase = READING
        error = HTTPError(400, "This port speaks TLS: its addresses begin with https.")
        self.refuse(error, "HEAD" if octets.startswith(b"HEAD ") else "")

    def refuse(self, error: HTTPError, method: str = "") -> None:
        """Answer with an error and close; during the handshake, after it."""
        if self.phase == HANDSHAKE:
            self.refusal = error
            self.let_go()
        else:
            super().refuse(error, method)

    def let_go(self, mask: int = READABLE) -> None:
        """Give up the connection until it is READABLE or WRITABLE as `mask` says."""
        sock = self.sock
        if isinstance(sock, TLSSocket) and sock.must_read:
            mask = READABLE
        super().let_go(mask)

    def drain(self) -> None:
        """The server stops: close unless a request is under way."""
        if self.phase == HANDSHAKE:
            self.close()
        else:
            super().drain()

    def abort(self) -> None:
        """Close with a reset."""
        if isinstance(self.sock, TLSSocket):
            self.sock.forsake()
        super().abort()

    def upgrade(self, request: Request, protocol: str, fields: HeaderFields) -> tuple[Any, bytes]:
        """See Request.upgrade. On the handler's thread."""
        sock, received = super().upgrade(request, protocol, fields)
        blocking: Any = BlockingTLS(sock)
        self.sock = blocking  # for `cut`
        return blocking, received

    # What a request sees of its connection.

    def disconnected(self) -> bool:
        """Whether the client has closed its side.

        Octets of TLS, its own goodbye among them, may wait to be read, and hide the end of the
        stream from a look at the first one; the system knows about it all the same.
        """
        sock: Any = self.sock
        try:
            if not hasattr(select, "POLLRDHUP"):
                bare = sock.bare if isinstance(sock, BlockingTLS) else sock
                # Not the recv of a TLSSocket, which would take the octet.
                return socket.socket.recv(bare, 1, socket.MSG_PEEK) == b""
            poll = select.poll()
            poll.register(sock, select.POLLRDHUP)
            return bool(poll.poll(0))
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True  # closed, here or there

    def peer_certificate(self) -> dict[str, object] | None:
        """The client's certificate, None without one."""
        return self.sock.peer_certificate() if isinstance(self.sock, TLSSocket) else None
