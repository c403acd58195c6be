"""A pushed response on its way: what its source has, framed piece by piece."""

from __future__ import annotations

from ..encode import LAST_CHUNK, Framing
from ..response import Source
from .task import NEVER


class Push:
    """Yields the octets to send, as far as there are any; used by one thread at a time.

    Attributes:
        content_bytes: octets of content handed out.
        ended: the last octets have been handed out.
    """

    __slots__ = ("_due", "_framing", "_head", "content_bytes", "ended", "source", "status")

    def __init__(self, source: Source, head: bytes, framing: Framing, status: int) -> None:
        self.source = source
        self.status = status
        self.content_bytes = 0
        self.ended = False
        self._head = head
        self._framing = framing
        self._due = False

    def next(self) -> bytes | None:
        """What is to be sent now, the head before anything else; None when there is nothing."""
        head, self._head = self._head, b""
        if self.ended:
            return head or None
        framing, source = self._framing, self.source
        piece = None if framing.remaining == 0 else source.take()
        if piece is None:
            if framing.remaining == 0 or source.ended:
                self.ended = True
                return head + (LAST_CHUNK if framing.chunked else b"") or None
            if self._due:
                piece = source.heartbeat()
        self._due = False
        if not piece:
            return head or None
        out = framing.frame(piece)
        self.content_bytes += len(piece)
        return head + out

    def beat(self) -> None:
        """Have the next octets be a heartbeat, if there are no others."""
        self._due = True

    def deadline(self, now: float) -> float:
        """When a heartbeat is due."""
        seconds = self.source.idle_seconds
        return NEVER if seconds is None else now + seconds
