"""A request's content: collected while it comes, read by the handler itself, or left by it.

To collect it is a permit holder's affair, and waits for nothing. `receive_content` runs on, and
blocks, the thread of a handler that chose to read its content itself.
"""

from __future__ import annotations

import logging
import socket
from io import BufferedReader
from time import monotonic

from ..body import ChunkedDecoder, LengthDecoder
from ..encode import CONTINUE
from ..errors import ClientDisconnected, HTTPError
from ..request import Request
from ..spool import Spool
from .bodystream import BodyStream, Discard
from .channel import BODY, READING, SKIPPING, Channel
from .clients import Address
from .poller import READABLE, wait_until
from .service import Service

# Content comes in larger pieces; a turn ends after some of them, so that others get theirs.
BODY_READ_BYTES = 256 * 1024
READS_A_TURN = 8
# A handler that reads at least so much at once has it received where it wants it.
DIRECT_BYTES = 32 * 1024
# Content left unread is read over if no more than this is missing, about what the sockets'
# buffers hold anyway; beyond it closing is cheaper (RFC 9112 section 9.3 allows either).
SKIP_BYTES = 256 * 1024

_error = logging.getLogger("fastraw.error")


class Content(Channel):
    """What a connection has received, as the content of its requests.

    `buffer` holds octets received and not yet used: a bytearray is an incomplete head, searched
    as far as it goes; bytes follow a request, and are used up to `position`.
    """

    __slots__ = ("body_stream", "buffer", "decoder", "position", "request", "spool")

    def __init__(self, sock: socket.socket, client: Address, service: Service) -> None:
        super().__init__(sock, client, service)
        self.buffer: bytes | bytearray | None = None
        self.position = 0
        self.request: Request | None = None
        """The request that the connection is at, where it must outlive a call."""
        self.decoder: LengthDecoder | ChunkedDecoder | None = None
        self.spool: Spool | Discard | None = None
        self.body_stream: BodyStream | None = None

    # What Connection adds.

    def refuse(self, error: HTTPError, method: str = "") -> None:
        """Answer with an error and close; nothing more is parsed."""
        raise NotImplementedError

    # Collected by who holds a permit.

    def begin_content(self, request: Request) -> Request | None:
        head, service, buffer = request.head, self.service, self.buffer
        self.request = request
        try:
            options = service.route_options(request)
        except Exception as error:
            self._refuse_unasked(request, error)
            return None
        length, limit = head.content_length, options.max_body_bytes or service.limits.body_bytes
        if length is not None and limit is not None and length > limit:
            self.refuse(HTTPError(413, "The content is larger than allowed."), head.method)
            return None
        decoder = ChunkedDecoder(service.limits, limit) if length is None else LengthDecoder(length)
        wants_continue = head.expect_continue and buffer is None
        if options.stream_body:
            self.body_stream = BodyStream(self, request, decoder, wants_continue)
            request.use_content(BufferedReader(self.body_stream))
            return request
        if length is not None and buffer is not None and len(buffer) - self.position >= length:
            start = self.position
            request.use_content(bytes(buffer[start : start + length]))
            self._put_back(buffer, start + length)
            return request
        self.decoder = decoder
        self.spool = Spool(service.limits.body_memory_bytes, service.spares)
        self.phase = BODY
        self.deadline = service.deadlines.body
        if wants_continue and not self._send_continue():
            return None
        return self.collect()

    def _refuse_unasked(self, request: Request, error: Exception) -> None:
        """The handler's `route_options` or `stream_body` has failed."""
        if not isinstance(error, HTTPError):
            _error.error("Exception in the route options of %r", request, exc_info=error)
            error = HTTPError(500, "The server failed to answer this request.")
        self.refuse(error)

    def _send_continue(self) -> bool:
        """100 (Continue), RFC 9110 section 15.2.1; False when the client is gone."""
        try:
            if self.sock.send(CONTINUE) == len(CONTINUE):
                return True
        except OSError:
            pass
        self.close()
        return False

    def collect(self) -> Request | None:
        """Feed the decoder what is here; the request, when that was the end of its content."""
        assert self.decoder is not None and self.spool is not None
        data: bytes | bytearray | memoryview | None = self.buffer
        if data is not None and not self._feed(data, self.position):
            return None
        room = self._take_room()
        rooms, reads = self.service.rooms, 0
        try:
            while not self.decoder.done:
                if self.phase == SKIPPING and self.spool.size > SKIP_BYTES:
                    self.close_gently()
                    return None
                if reads == READS_A_TURN:
                    self.scheduler.resume(self)
                    return None
                reads += 1
                data = self._receive(room)
                if data is None or not self._feed(data, 0):
                    return None
        finally:
            rooms.append(room)
        return self._collected()

    def _take_room(self) -> memoryview:
        """Memory that has been used lately is quicker than new, and lies in the caches."""
        try:
            return self.service.rooms.pop()
        except IndexError:
            return memoryview(bytearray(BODY_READ_BYTES))

    def _receive(self, room: memoryview) -> bytes | memoryview | None:
        """What has come; None when that is nothing, or the end, and the connection has been seen
        to."""
        try:
            data = self.receive(room)
        except BlockingIOError:
            self.more = False
            self.let_go()
            return None
        except OSError:
            data = b""
        if data:
            return data
        self.close()  # end of file before the end of the content: no request
        return None

    def _feed(self, data: bytes | bytearray | memoryview, start: int) -> bool:
        """Give the decoder what has come, and keep what it leaves; False when that ended it."""
        assert self.decoder is not None and self.spool is not None
        try:
            used = self.decoder.feed(data, start, self.spool.write)
        except HTTPError as error:
            if self.phase == SKIPPING:
                self.close_gently()  # the request has had its answer
            else:
                self.refuse(error)
            return False
        except OSError as error:
            _error.error("Cannot store the content of a request: %s", error)
            self.refuse(HTTPError(500, "The server failed to store the content."))
            return False
        self._put_back(data, used)
        return True

    def take_buffer(self) -> bytes:
        buffer, self.buffer = self.buffer, None
        return b"" if buffer is None else bytes(memoryview(buffer)[self.position :])

    def _put_back(self, data: bytes | bytearray | memoryview, start: int) -> None:
        """Keep what follows `start` for later; bytes are not copied, since many requests may lie
        in them."""
        self.position = start
        self.buffer = None
        if start < len(data):
            self.buffer = data if type(data) is bytes else bytes(data)
            self.more = True

    def _collected(self) -> Request | None:
        request, decoder, spool = self.request, self.decoder, self.spool
        self.decoder = None
        self.more = True  # the last read may have left something in the socket
        skipped, self.phase = self.phase == SKIPPING, READING
        if skipped:
            self.spool = None
            self.deadline = self.service.deadlines.idle
            self.scheduler.resume(self)
            return None
        assert request is not None and decoder is not None and isinstance(spool, Spool)
        request.use_content(spool, decoder.trailers)
        return request

    # Content that the handler reads itself, or leaves.

    def receive_content(self, stream: BodyStream, room: memoryview) -> int:
        """Give `stream` more content, or put it into `room`, and say how many octets these were;
        waits for it. On the handler's thread."""
        data: bytes | bytearray | memoryview = self.buffer or b""
        start, self.buffer = self.position, None
        decoder = stream.decoder
        if not isinstance(decoder, LengthDecoder) or len(room) < DIRECT_BYTES:
            room = room[:0]
        elif len(room) > decoder.missing:
            room = room[: decoder.missing]
        while not data:
            start = 0
            if stream.wants_continue:
                stream.wants_continue = False
                self._say_continue()
            try:
                received = self.receive(room) if room else self.sock.recv(BODY_READ_BYTES)
            except BlockingIOError:
                self._wait_for_content(stream)
                continue
            except OSError as error:
                raise ClientDisconnected(str(error)) from error
            if not received:
                raise ClientDisconnected("the client left before the end of the content")
            data = received
        self.more = True  # whether the socket is empty is not known; look after the answer
        if isinstance(data, memoryview):
            return decoder.feed(data, 0, _in_place)
        used = decoder.feed(data, start, stream.add)
        self._put_back(data, used)
        if decoder.done:
            stream.request.trailers = decoder.trailers
        return 0

    def _wait_for_content(self, stream: BodyStream) -> None:
        """Until there is some. The waiting is summed up: what the handler does between two reads
        is not the client's fault, but a client that drips gains nothing by it."""
        began, limit = monotonic(), self.service.timeouts.body_seconds
        left = None if limit is None else max(0.0, limit - stream.waited_seconds)
        if not wait_until(self.sock, READABLE, left):
            raise HTTPError(408, "The content did not arrive in time.")
        stream.waited_seconds += monotonic() - began

    def _say_continue(self) -> None:
        """100 (Continue), on the handler's thread; a client that takes nothing goes without."""
        try:
            self.sock.send(CONTINUE)
        except BlockingIOError:
            pass
        except OSError as error:
            raise ClientDisconnected(str(error)) from error

    def skip_content(self, stream: BodyStream) -> None:
        """Read over what the handler has left, then go on with the next request."""
        self.decoder = stream.decoder
        self.spool = Discard()
        self.phase = SKIPPING
        self.deadline = self.service.deadlines.body
        self.scheduler.resume(self)


def _in_place(piece: object) -> None:
    """Where a piece belongs that lies there already."""
