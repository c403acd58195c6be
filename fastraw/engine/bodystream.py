"""Content that a handler reads as it comes, and content that nobody wants."""

from __future__ import annotations

import io
from collections import deque
from typing import Any, Protocol

from ..body import ChunkedDecoder, LengthDecoder
from ..errors import ClientDisconnected
from ..request import Request


class Source(Protocol):
    """Where the octets come from."""

    def receive_content(self, stream: BodyStream, room: memoryview) -> int:
        """Call `stream.add` with more content, or put it into `room`, and say how many octets
        these were, or bring the decoder to an end; waits."""


class BodyStream(io.RawIOBase):
    """The content of a request, read from the client by the handler's thread, which waits.

    Wrapped in an io.BufferedReader it is `Request.stream`. Reads raise ClientDisconnected when
    the client goes away, HTTPError 408 when they have waited Timeouts.body_seconds in all, and
    ParseError when the chunks are malformed.

    Attributes:
        wants_continue: the client waits for 100 (Continue), sent when content is first read.
        waited_seconds: what reads have waited for the client so far.
        failed: a read has raised; where the content ends is not known.
    """

    def __init__(
        self,
        source: Source,
        request: Request,
        decoder: LengthDecoder | ChunkedDecoder,
        wants_continue: bool,
    ) -> None:
        self._source = source
        self._pieces: deque[memoryview] = deque()
        self.request = request
        self.decoder = decoder
        self.wants_continue = wants_continue
        self.waited_seconds = 0.0
        self.failed = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pieces:
            if self.decoder.done:
                return 0
            if self.failed:
                raise ClientDisconnected("an earlier read has failed")
            self.failed = True
            count = self._source.receive_content(self, memoryview(buffer))
            self.failed = False
            if count:
                return count
        piece = self._pieces[0]
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size == len(piece):
            self._pieces.popleft()
        else:
            self._pieces[0] = piece[size:]
        return size

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        """Take a decoded piece; it lies in a buffer that will be used again, so it is copied."""
        self._pieces.append(memoryview(bytes(piece)))


class Discard:
    """A spool that keeps nothing but the count."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        self.size += len(piece)

    def close(self) -> None:
        """Nothing to give back."""
