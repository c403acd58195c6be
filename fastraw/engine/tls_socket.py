"""TLSSocket: a non-blocking socket over TLS, as a connection uses sockets.

    handshake -> recv, send (tls_stream.py) -> shutdown, close

1. A good end is said (close_notify, RFC 8446 section 6.1): without it a client must take the
   answer for cut off. So nothing is said after a fault, or while octets are unsent.
2. One thread at a time, the owner of the connection, uses it; but `shutdown` of both directions
   is for any thread, and leaves TLS alone.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from .tls_stream import READ_BYTES, TLSStream

_recv = socket.socket.recv


class PlainHTTP(Exception):
    """The client does not speak TLS; it sent these octets."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(octets)
        self.octets = octets


class TLSSocket(TLSStream):
    """Takes over the descriptor of `sock`."""

    __slots__ = ()

    # The handshake.

    def handshake(self) -> bool | None:
        """Go on with it. None while the client's next part is missing, or the client does not
        take ours; when it is done, whether more has come behind it, or may have.

        Raises PlainHTTP when what comes first is a letter; OSError when it has failed.
        """
        if not self._flush():
            return None
        while True:
            try:
                octets = _recv(self, READ_BYTES)
            except BlockingIOError:
                return None
            if not octets:
                raise ConnectionError("the client left during the handshake")
            # A record of TLS begins with its type, 20 to 23 (RFC 8446 section 5.1).
            if not self._begun and octets[:1].isalpha():
                raise PlainHTTP(octets)
            self._begun = True
            self._incoming.write(octets)
            drained = len(octets) < READ_BYTES
            if self._shake():
                self._may_say_all = True
                self._held = self._incoming.pending > 0
                return self._held or not drained
            if drained:
                return None

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            if self._outgoing.pending:
                self._reply()  # a fault is told, too
        return True

    # The end.

    def shutdown(self, how: int) -> None:
        """Say that nothing more will be sent, and shut down; waits for no answer."""
        if how == socket.SHUT_WR:
            self._part()
            self._parting = self._held = True
            if self._unsent:
                return  # when the rest has gone
        super().shutdown(how)

    def close(self) -> None:
        """Say that this was all, if that is so, and close."""
        with contextlib.suppress(OSError):
            self._part()
        self._owner = None
        super().close()

    def forsake(self) -> None:
        """There is more that will not be sent: `close` must not sound like an end."""
        self._may_say_all = False

    def parts(self) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The TLS of this connection, with the memory for records received, and to be sent."""
        return self._tls, self._incoming, self._outgoing

    def bare(self) -> socket.socket:
        """The socket without TLS; this object is closed then."""
        self._owner = None
        sock = socket.socket(self.family, self.type, self.proto, fileno=self.detach())
        sock.setblocking(False)
        return sock

    def _part(self) -> None:
        """close_notify, once, when all that was said before has gone."""
        if self._may_say_all and not self._unsent:
            self._may_say_all = False
            # It waits for the peer's by saying that it wants to read, or finds what came unread.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._reply()

    # What is known of the peer.

    def peer_certificate(self) -> dict[str, Any] | None:
        """Of a client that has shown one, and been believed: see ssl.SSLSocket.getpeercert."""
        return self._tls.getpeercert() or None
