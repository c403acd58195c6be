"""A streamed response on its way: the handler's iterable, framed piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ..encode import LAST_CHUNK, Framing
from ..file import FileSlice
from ..response import Piece

# What is read from a file and sent with the head, or between other pieces: two system calls cost
# less than the extra packet.
READ_BYTES = 32 * 1024

_error = logging.getLogger("fastraw.error")


class ResponseStream:
    """Yields the octets to send; used by one thread at a time.

    Attributes:
        head_sent: whether the client has seen any of it, so that only cutting off is left.
        content_bytes: octets of content handed out.
        keep: whether the connection is kept when the stream is complete.
        one_thread: the iterable stays on its thread, which then has to wait for the client.
    """

    __slots__ = (
        "_closable", "_framing", "_head", "_held", "_iterator", "_reading", "_sendfile",
        "content_bytes", "keep", "one_thread", "status",
    )  # fmt: skip

    def __init__(
        self,
        iterable: Iterable[Piece],
        head: bytes,
        framing: Framing,
        keep: bool,
        status: int,
        sendfile: bool,
    ) -> None:
        self._closable: Iterable[Piece] | None = iterable
        self._framing = framing
        self._head = head
        self._iterator = iter(iterable)
        self._sendfile = sendfile and not framing.chunked
        self._reading: Iterator[bytes] | None = None
        """The octets of a file slice that are read, one piece after the other."""
        self._held: FileSlice | None = None
        """What follows the head, handed out alone."""
        self.keep = keep
        self.status = status
        self.content_bytes = 0
        self.one_thread = False

    @property
    def head_sent(self) -> bool:
        return not self._head

    @property
    def complete(self) -> bool:
        """Whether the stated length, if any, has been handed out."""
        return not self._framing.remaining

    @property
    def open_ended(self) -> bool:
        """Whether only the end of the connection tells the client where the content ends."""
        return self._framing.remaining is None and not self._framing.chunked

    def next(self) -> bytes | FileSlice | None:
        """What to send next, the head before all else; None after the last piece.

        Raises what the iterable raises, TypeError for a piece that is not bytes, and EOFError
        when a file has become too short.
        """
        framing = self._framing
        if self._held is not None:
            held, self._held = self._held, None
            return held
        while framing.remaining != 0:
            piece = self._take()
            if piece is None:
                break
            out: bytes | FileSlice
            out = framing.clip(piece) if isinstance(piece, FileSlice) else framing.frame(piece)
            if not out:
                continue
            self.content_bytes += len(piece) if framing.chunked else len(out)
            if isinstance(out, bytes):
                return self._with_head(out)
            if self._head:
                self._held = out
                return self._with_head(b"")
            return out
        return None

    def _take(self) -> bytes | FileSlice | None:
        """The next piece; a file slice only where sendfile can take it and is worth it."""
        while True:
            if self._reading is not None:
                read = next(self._reading, None)
                if read is not None:
                    return read
                self._reading = None
            piece = next(self._iterator, None)
            if piece is None or type(piece) is bytes:
                return piece
            if isinstance(piece, FileSlice):
                if self._sendfile and len(piece) > READ_BYTES:
                    return piece
                self._reading = piece.pieces()
            elif isinstance(piece, (bytes, bytearray, memoryview)):
                return bytes(piece)
            else:
                raise TypeError(f"a stream yields bytes, not {type(piece).__name__}")

    def take(self, piece: bytes) -> bytes:
        """What to send of a piece that is not the iterable's, the head before the first one."""
        octets = self._framing.frame(piece)
        self.content_bytes += len(piece) if self._framing.chunked else len(octets)
        return self._with_head(octets) if octets else b""

    def last(self) -> bytes:
        """What is to be sent after the last piece."""
        return self._with_head(LAST_CHUNK if self._framing.chunked else b"")

    def _with_head(self, octets: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + octets

    def close(self) -> None:
        """Close the handler's iterable, the first time this is called."""
        closable, self._closable = self._closable, None
        close_iterable(closable)


def close_iterable(iterable: object) -> None:
    """Call its `close`, if it has one; what that raises is logged."""
    close = getattr(iterable, "close", None)
    if close is not None:
        try:
            close()
        except BaseException:
            _error.exception("Exception in close() of a response's iterable")
