"""A streamed response on its way: the handler's iterable, framed piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..encode import LAST_CHUNK, Framing

_error = logging.getLogger("fastraw.error")


class ResponseStream:
    """Yields the octets to send; used by one thread at a time.

    Attributes:
        head_sent: whether the client has seen any of it, so that only cutting off is left.
        content_bytes: octets of content handed out.
        keep: whether the connection is kept when the stream is complete.
    """

    __slots__ = ("_closable", "_framing", "_head", "_iterator", "content_bytes", "keep", "status")

    def __init__(
        self, iterable: Iterable[bytes], head: bytes, framing: Framing, keep: bool, status: int
    ) -> None:
        self._closable: Iterable[bytes] | None = iterable
        self._framing = framing
        self._head = head
        self._iterator = iter(iterable)
        self.keep = keep
        self.status = status
        self.content_bytes = 0

    @property
    def head_sent(self) -> bool:
        return not self._head

    @property
    def complete(self) -> bool:
        """Whether the stated length, if any, has been handed out."""
        return not self._framing.remaining

    def next(self) -> bytes | None:
        """The octets of the next piece, the head before the first; None after the last.

        Raises what the iterable raises, and TypeError for a piece that is not bytes.
        """
        framing = self._framing
        while framing.remaining != 0:
            piece = next(self._iterator, None)
            if piece is None:
                break
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise TypeError(f"a stream yields bytes, not {type(piece).__name__}")
            octets = framing.frame(bytes(piece))
            if octets:
                self.content_bytes += len(piece)
                return self._with_head(octets)
        return None

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
