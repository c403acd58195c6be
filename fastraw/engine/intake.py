"""Octets in, requests out: recv -> parse_head -> Request, or on to its content (content.py).

Everything here runs on the thread of a permit holder and waits for nothing: a slow client costs it
no more than the octets that it sends.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from ..errors import HTTPError, ParseError
from ..headers import HeaderFields
from ..parse import Head, parse_head, parse_request
from ..request import Request
from ..response import Response
from .channel import READING
from .content import Content
from .poller import HANGUP, READABLE, WRITABLE

# What an edge-triggered poller reports when a request comes.
USUAL = READABLE | WRITABLE
# A request rarely needs more, and a larger buffer costs more to allocate than it saves.
READ_BYTES = 16 * 1024


class Intake(Content):
    """The receiving side of a connection."""

    __slots__ = ()

    # What Connection adds.

    def go_on(self, mask: int) -> Request | None:
        """An event in another phase than READING."""
        raise NotImplementedError

    def upgrade(self, request: Request, protocol: str, fields: HeaderFields) -> tuple[Any, bytes]:
        """See Request.upgrade."""
        raise NotImplementedError

    def write(self, request: Request, response: Response, piece: bytes) -> None:
        """Send a piece of a stream from inside the handler."""
        raise NotImplementedError

    def ready(self, mask: int) -> Request | None:
        """The socket is ready. The path of nearly every request."""
        if self.phase != READING:
            return self.go_on(mask)
        if mask != USUAL:
            if mask == WRITABLE:
                self.let_go()
                return None
            if mask & HANGUP:
                self.more = True  # its end has come already
        try:
            data: bytes | bytearray = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            self.more = False
            self.let_go()
            return None
        except OSError:
            data = b""
        if not data:
            self.close()  # end of file: between requests, or inside a head that never counts
            return None
        # Less than asked for means that the socket is empty, and that what comes later is a new
        # event.
        if len(data) == READ_BYTES:
            self.more = True
        seen = 0
        buffer = self.buffer
        if buffer is not None:
            seen = len(buffer)
            buffer += data
            data = buffer
        service = self.service
        try:
            found = parse_request(Request, data, seen, service.head_limits, self)
        except ParseError as error:
            self._refuse_head(error, data, 0)
            return None
        if not isinstance(found, Request):
            return self._take_head(found, data, 0)
        self.buffer = None
        return found if service.ordinary else self._begin(found)

    def resume(self) -> Request | None:
        """Take up what was left: octets behind a request, a stream, or a socket to look at."""
        if self.phase != READING:
            return self.go_on(READABLE | WRITABLE)
        if type(self.buffer) is bytes:
            return self._parse(self.buffer, self.position)
        self.more = False
        return self.ready(READABLE | HANGUP)

    def _parse(self, data: bytes, start: int) -> Request | None:
        """A head that begins behind a request."""
        try:
            head = parse_head(data, start, 0, self.service.head_limits)
        except ParseError as error:
            self._refuse_head(error, data, start)
            return None
        return self._take_head(head, data, start)

    def _refuse_head(self, error: ParseError, data: bytes | bytearray, start: int) -> None:
        head_asked = data.startswith((b"HEAD ", b"\r\nHEAD "), start)
        self.refuse(error, "HEAD" if head_asked else "")

    def _take_head(self, head: Head | None, data: bytes | bytearray, start: int) -> Request | None:
        """The request of a head, once that is complete and its content is there."""
        if head is None:
            if type(data) is bytes:
                self.buffer = bytearray(memoryview(data)[start:])
                self.deadline = self.service.deadlines.head
            self._read_on()
            return None
        end = start + head.size
        if end == len(data):
            self.buffer = None
        else:
            self.buffer = data if type(data) is bytes else bytes(data)
            self.position = end
            self.more = True
        request = Request(head, self)
        return request if request.ordinary and self.service.ordinary else self._begin(request)

    def _begin(self, request: Request) -> Request | None:
        """Go on with what asks for special care, behind its head."""
        head = request.head
        request.ordinary = False
        request.began = monotonic()
        if head.method == "CONNECT":
            self.request = request
            self.refuse(HTTPError(501, "CONNECT is not supported."))
            return None
        if head.content_length or head.chunked:
            return self.begin_content(request)
        return request

    def _read_on(self) -> None:
        if self.more:
            self.scheduler.resume(self)
        else:
            self.let_go()
