"""TLSStream: octets over TLS, received and sent without waiting.

    recv:  socket -> records -> _incoming -> SSLObject -> octets
    send:  octets -> SSLObject -> _outgoing -> records -> socket

OpenSSL works on memory and the system calls are ours, for three reasons: a request costs one recv
(on a socket, OpenSSL reads the header of a record and the rest of it by itself, and once more to
find that there is nothing else); it is known when the socket is drained, which edge-triggered
events ask for; and no read has to wait for a write, nor a write for a read.

1. `recv` gives less than asked only when nothing more has come. When the end has come behind what
   it gives, it has the connection look again, since no event will tell.
2. `send` says that an octet is gone when the records that hold it are in the socket. What is
   encrypted and did not fit is kept; the caller comes again with the same octets.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

# Where it is not known how many octets are wanted, as in a handshake.
READ_BYTES = 16 * 1024
# Read beside the octets asked for, so that the records that hold them come with one call: a
# record adds 22 octets in TLS 1.3, 29 in TLS 1.2 with the ciphers in use.
OVERHEAD_BYTES = 512
# Encrypted at once, and kept beside the octets themselves for a client that is slow.
WRITE_BYTES = 64 * 1024
# Unsent replies to what a peer asks of TLS itself (new keys); beyond it the peer is cut off.
REPLY_BYTES = 16 * 1024

_recv = socket.socket.recv
_send = socket.socket.send


class Owner(Protocol):
    """Who looks again, after letting go, if this is True."""

    stirred: bool


def _read_and_write(
    tls: ssl.SSLObject,
) -> tuple[Callable[[int], bytes], Callable[[bytes | memoryview], int]]:
    """An SSLObject only hands these two on, each request, to an object of OpenSSL's; so they are
    looked up once, where the program has not put a class of its own in its place."""
    inner: Any = getattr(tls, "_sslobj", tls) if type(tls) is ssl.SSLObject else tls
    return inner.read, inner.write


class TLSStream(socket.socket):
    """Takes over the descriptor of `sock`."""

    __slots__ = (
        "_begun", "_ended", "_gone_bytes", "_held", "_incoming", "_may_say_all", "_outgoing",
        "_owed_bytes", "_owner", "_parting", "_read", "_tls", "_unsent", "_write", "must_read",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._read, self._write = _read_and_write(self._tls)
        self._owner: Owner | None = None
        self._begun = False
        # Whether OpenSSL may have something that it was not asked for, or nothing more is received.
        self._held = False
        self._ended = False
        self._may_say_all = False
        self._parting = False
        self._unsent = memoryview(b"")
        # Octets in `_unsent`, and octets that have gone since the caller was last told.
        self._owed_bytes = 0
        self._gone_bytes = 0
        self.must_read = False
        """Nothing can be sent before the peer has sent something (a renegotiation)."""

    def belongs_to(self, owner: Owner) -> None:
        """Whom to stir, until `close`."""
        self._owner = owner

    @property
    def has_unsent(self) -> bool:
        """Whether records wait for room in the socket."""
        return bool(self._unsent)

    # Receiving.

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Up to `size` octets; empty at the end. Raises BlockingIOError when there are none."""
        if self._held:
            return self._gather(size, [], False)
        octets = _recv(self, size + OVERHEAD_BYTES)
        count = len(octets)
        if not count:
            self._ended = self._held = True
            return b""
        incoming = self._incoming
        incoming.write(octets)
        if count >= size:
            self._held = True
            return self._gather(size, [], count < size + OVERHEAD_BYTES)
        try:
            # No more than has come: most requests fit into an object that is cheap to make.
            piece: bytes | None = self._read(count)
        except ssl.SSLError as error:
            piece = self._no_octets(error)
        if piece and len(piece) < count and not incoming.pending and not self._outgoing.pending:
            return piece  # one record, one request: nearly always
        piece = self._note(piece, count)
        return self._gather(size - len(piece), [piece] if piece else [], True)

    def _gather(self, size: int, pieces: list[bytes], drained: bool) -> bytes:
        """The same when there is more to it: several records, or parts of one, or the end."""
        if self._parting:
            return self._discard(size)
        asked = size + OVERHEAD_BYTES
        while size and not self._ended:
            if self._held:
                piece = self._decrypt(size)
                if piece:
                    pieces.append(piece)
                    size -= len(piece)
                continue
            if drained and pieces:
                break
            # A record without octets for the caller, or a part of one, may be the last thing that
            # came before the end, and told by the same event: only the socket knows.
            try:
                octets = _recv(self, asked)
            except BlockingIOError:
                break
            drained = len(octets) < asked
            self._ended = not octets
            self._held = True
            self._incoming.write(octets)
        if self._ended:
            if pieces:
                self._stir()
        elif not pieces:
            raise BlockingIOError
        return b"".join(pieces)

    def _discard(self, size: int) -> bytes:
        """What still comes, for nobody: as it is, since it costs less."""
        if self._unsent and self._flush():
            super().shutdown(socket.SHUT_WR)
        return _recv(self, size)

    def _decrypt(self, size: int) -> bytes:
        """Octets of one record; none when it is not complete, or at the end."""
        try:
            piece: bytes | None = self._read(size)
        except ssl.SSLError as error:
            piece = self._no_octets(error)
        return self._note(piece, size)

    def _no_octets(self, error: ssl.SSLError) -> bytes | None:
        """Why there are none: None when a record is not complete, empty when the end is said.
        Raises the error when it is one."""
        if isinstance(error, ssl.SSLWantReadError):
            return None
        if isinstance(error, ssl.SSLZeroReturnError):
            return b""
        self._may_say_all = False
        self._reply()  # an alert, which says what was wrong
        raise error

    def _note(self, piece: bytes | None, size: int) -> bytes:
        """What is left after a read of `size` octets, which gave `piece`."""
        if self._outgoing.pending:
            self._reply()
        self._ended = piece == b""  # close_notify
        if not piece:
            self._held = self._ended
            return b""
        self._held = len(piece) == size or self._incoming.pending > 0
        return piece

    def _stir(self) -> None:
        if self._owner is not None:
            self._owner.stirred = True

    def _reply(self) -> None:
        """Send what TLS itself has to say, and keep what does not fit."""
        self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())
        if not self._flush() and len(self._unsent) > WRITE_BYTES + REPLY_BYTES:
            raise ConnectionError("the client asks for answers that it does not take")

    # Sending.

    def send(self, octets: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        """How many of `octets` have gone; fewer than there are when the socket is full.

        Raises BlockingIOError when it is none of them.
        """
        if self._unsent or self._gone_bytes or not 0 < len(octets) <= WRITE_BYTES:
            return self._send_on(memoryview(octets))
        try:
            count = self._write(octets)
        except ssl.SSLWantReadError:
            return self._send_on(memoryview(octets))
        records = self._outgoing.read()
        try:
            sent = _send(self, records)
        except BlockingIOError:
            sent = 0
        if sent == len(records):
            return count
        self._keep(records, count, sent)
        return self._report(0)

    def _send_on(self, octets: memoryview) -> int:
        """The same, in portions, after what is left of an earlier one."""
        self._flush()
        gone = min(self._gone_bytes, len(octets))
        self._gone_bytes -= gone
        while not self._unsent and gone < len(octets):
            try:
                count = self._encrypt(octets[gone : gone + WRITE_BYTES])
            except BlockingIOError:
                break
            if not self._sent_records(count):
                return self._report(gone)
            gone += count
        if not gone and octets:
            raise BlockingIOError
        return gone

    def _encrypt(self, octets: bytes | memoryview) -> int:
        try:
            return self._write(octets)
        except ssl.SSLWantReadError:
            return self._renegotiate(octets)

    def _sent_records(self, count: int) -> bool:
        """Send the records of `count` octets; whether all of them have gone."""
        records = self._outgoing.read()
        sent = 0
        if not self._unsent:
            with contextlib.suppress(BlockingIOError):
                sent = _send(self, records)
        if sent == len(records):
            return True
        self._keep(records, count, sent)
        return False

    def _keep(self, records: bytes, count: int, sent: int) -> None:
        """`sent` octets of the records of `count` octets have gone; the others will."""
        self._owed_bytes = count
        # A reply that waits comes first.
        self._unsent = (
            memoryview(bytes(self._unsent) + records) if self._unsent else memoryview(records)
        )
        self._went(sent)

    def _report(self, gone: int) -> int:
        """`gone` octets, and those that have gone of a portion that did not fit."""
        gone += self._gone_bytes
        self._gone_bytes = 0
        if not gone:
            raise BlockingIOError
        return gone

    def sendall(self, octets: Any, flags: int = 0) -> None:
        """Only for a socket that has been made to block, before an upgrade."""
        left = memoryview(octets).cast("B")
        while left:
            left = left[self.send(left) :]

    def _flush(self) -> bool:
        """Send what is kept; whether that was all."""
        if self._unsent:
            try:
                self._went(_send(self, self._unsent))
            except BlockingIOError:
                return False
        return not self._unsent

    def _went(self, sent: int) -> None:
        """`sent` octets of `_unsent` have gone, and with them as large a part of what is owed;
        the last octet of that not before the last record."""
        gone = self._owed_bytes * sent // len(self._unsent)
        self._owed_bytes -= gone
        self._gone_bytes += gone
        self._unsent = self._unsent[sent:]

    def _renegotiate(self, octets: bytes | memoryview) -> int:
        """The peer has begun a new handshake, as a context of the program's own may allow: its
        next part comes before our octets."""
        self.must_read = True
        while True:
            self._reply()
            received = _recv(self, READ_BYTES)
            if not received:
                raise ConnectionError("the client left during a renegotiation")
            self._incoming.write(received)
            self._held = True
            self._stir()
            with contextlib.suppress(ssl.SSLWantReadError):
                count = self._write(octets)
                self.must_read = False
                return count
