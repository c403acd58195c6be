"""One connection's life, from accept to close.

ready -> recv -> parse_head -> content -> Request            (intake.py) by a permit holder
run: handler(request) -> encode -> send -> finish            by the same thread, or apart
finish -> the next request, or close                         (channel.py)
"""

from __future__ import annotations

import contextlib
import logging
import socket
from time import monotonic

from ..encode import closes, encode, encode_error, encode_ordinary, encode_stream_head
from ..errors import ClientDisconnected, HTTPError, ParseError
from ..request import Request
from ..response import Response, as_response
from .bodystream import BodyStream
from .channel import BODY, LINGERING, READING, SKIPPING, WRITING
from .intake import SKIP_BYTES, Intake
from .poller import READABLE
from .service import Address, Service
from .stream import ResponseStream, close_iterable

# What a client is told to wait after a 503. The queue that made it wait is seconds long.
RETRY_AFTER = ("Retry-After", "5")
# Connections beyond Limits.connections that are told so at the same time; others are just closed.
REFUSED_AT_ONCE = 256

_access = logging.getLogger("fastraw.access")
_error = logging.getLogger("fastraw.error")


class Connection(Intake):
    """A client's connection, and the requests that come by it."""

    __slots__ = ("broken", "keep", "stream")

    def __init__(self, sock: socket.socket, client: Address, service: Service) -> None:
        super().__init__(sock, client, service)
        self.keep = True
        self.stream: ResponseStream | None = None
        self.broken = False
        """The client of a streamed response is gone; its iterable is still to be closed."""

    # ---- on the thread that runs the job ----

    def run(self, request: Request) -> None:
        """Run the handler, or go on with its stream, and answer.

        Nearly every request and response are ordinary; for those, `_answer` and `_send` would do
        just what is written out here.
        """
        service = self.service
        if self.stream is not None:
            self._pump(request, self.stream)
            return
        try:
            response = service.handler(request)
            if type(response) is not Response:
                response = as_response(response)
            if not (request.ordinary and response.ordinary and service.ordinary):
                self._answer(request, response)
                return
            out = encode_ordinary(response, service.deadlines.date)
        except BaseException as error:
            self._answer_failure(request, error)
            return
        try:
            sent = self.sock.send(out)
        except OSError:
            sent = 0  # the client is slow, or gone: a second try will tell
        if sent != len(out):
            self._send(out[sent:], request, True)
        elif self.more:
            self._finish(request, True)
        else:
            self.deadline = service.deadlines.idle
            self.lock.release()
            if self.stirred:
                self.look_again()

    def _answer(self, request: Request, response: Response) -> None:
        """Any response to any request. Raises what is wrong with the response."""
        service, head = self.service, request.head
        keep = head.keep_alive and not service.draining and not closes(response)
        if self.body_stream is not None:
            keep = keep and _skippable(self.body_stream)
        if response.iterable is not None:
            self._begin_stream(request, response, keep)
            return
        out = encode(response, head.method, head.minor_version, keep, service.deadlines.date)
        request.answered = response.status, len(response.body) * (head.method != "HEAD")
        self._send(out, request, keep)

    def _answer_failure(self, request: Request, error: BaseException) -> None:
        """What a request is answered with whose handler raised: its HTTPError, or 500."""
        if isinstance(error, ClientDisconnected):
            self._lose(request)
            return
        if not isinstance(error, HTTPError):
            _error.error("Exception in the handler of %r", request, exc_info=error)
            error = HTTPError(500, "The server failed to answer this request.")
        head, date = request.head, self.service.deadlines.date
        keep = head.keep_alive and not self.service.draining
        if self.body_stream is not None:
            keep = keep and _skippable(self.body_stream) and not isinstance(error, ParseError)
        try:
            out = encode_error(error, head.method, head.minor_version, keep, date)
        except ValueError:
            _error.exception("The headers of an HTTPError cannot be sent")
            error = HTTPError(500)
            out = encode_error(error, head.method, head.minor_version, keep, date)
        request.answered = error.status, content_bytes(out)
        self._send(out, request, keep)

    def overload(self, request: Request) -> None:
        """Refuse a request that has waited too long for a worker."""
        error = HTTPError(503, "The server is busy.", headers=[RETRY_AFTER])
        self._answer_failure(request, error)

    def refuse(self, error: HTTPError, method: str = "") -> None:
        """Answer with an error and close; nothing more is parsed."""
        request = self.request
        if request is not None:
            method = request.head.method
        out = encode_error(error, method, 1, False, self.service.deadlines.date)
        if request is not None:
            request.answered = error.status, content_bytes(out)
            self._finish_request(request)
        elif self.service.logging:
            line = '%s "-" %d %d 0.0'
            _access.info(line, client_name(self.client), error.status, content_bytes(out))
        self._send(out, None, False)

    def _send(self, out: bytes, request: Request | None, keep: bool) -> None:
        """Send all of it, now or as the client takes it, and finish."""
        try:
            sent = self.send_some(out)
        except OSError:
            self._lose(request)
            return
        if sent == len(out):
            self._finish(request, keep)
        else:
            self.request, self.keep = request, keep
            self.park(memoryview(out)[sent:])

    def _lose(self, request: Request | None) -> None:
        """The client is gone, or must go."""
        if request is not None:
            self._finish_request(request)
        self.close()

    def _finish(self, request: Request | None, keep: bool) -> None:
        """The answer has been handed to the kernel: on to the next request, or close."""
        service = self.service
        if request is None:
            self.close_gently()
            return
        if service.logging or self.request is not None:
            self._finish_request(request)
        if not keep:
            # Who asked for the close has nothing more to say; others may be sending already.
            if request.head.keep_alive or self.more:
                self.close_gently()
            else:
                self.close()
            return
        self.deadline = service.deadlines.idle
        if self.body_stream is not None and not self._leave_stream(self.body_stream):
            return
        if self.more:
            self.scheduler.resume(self)
        else:
            self.let_go()

    def _leave_stream(self, stream: BodyStream) -> bool:
        """Done with content that the handler read itself; False when some is to be skipped."""
        self.body_stream = None
        if stream.decoder.done:
            return True
        self.skip_content(stream)
        return False

    def _finish_request(self, request: Request) -> None:
        """Give back what the request held, and log it."""
        self.request = None
        if self.spool is not None:
            self.spool.close()
            self.spool = None
        if self.service.logging and request.began:
            _access.info(
                '%s "%s %s %s" %d %d %.1f',
                client_name(self.client), request.method, request.target, request.version,
                *request.answered, (monotonic() - request.began) * 1000,
            )  # fmt: skip

    # ---- a streamed answer ----

    def _begin_stream(self, request: Request, response: Response, keep: bool) -> None:
        assert response.iterable is not None
        head = request.head
        try:
            octets, framing, keep = encode_stream_head(
                response, head.method, head.minor_version, keep, self.service.deadlines.date
            )
        except BaseException:
            close_iterable(response.iterable)
            raise
        stream = ResponseStream(response.iterable, octets, framing, keep, response.status)
        self.request, self.stream = request, stream
        self._pump(request, stream)

    def _pump(self, request: Request, stream: ResponseStream) -> None:
        """Send piece by piece until the client takes no more, or the stream ends."""
        try:
            while not self.broken and (octets := stream.next()) is not None:
                try:
                    sent = self.send_some(octets)
                except OSError:
                    self.broken = True
                    break
                if sent < len(octets):
                    self.park(memoryview(octets)[sent:])
                    return
        except BaseException as error:
            self._end_stream(request, stream)
            if not stream.head_sent:
                self._answer_failure(request, error)
                return
            _error.error("Exception in the response stream of %r", request, exc_info=error)
            self.abort()
            return
        self._end_stream(request, stream)
        if self.broken:
            self.close()
        elif not stream.complete:
            _error.error("The response stream of %r ended before its Content-Length", request)
            self.close()
        else:
            self._send(stream.last(), request, stream.keep)

    def _end_stream(self, request: Request, stream: ResponseStream) -> None:
        self.stream = None
        stream.close()
        request.answered = stream.status, stream.content_bytes

    # ---- on a permit holder's thread ----

    def go_on(self, mask: int) -> Request | None:
        """An event in another phase than READING."""
        phase = self.phase
        if mask & READABLE:
            self.more = True
        if phase in (BODY, SKIPPING):
            return self.collect()
        if phase == WRITING:
            return self._write_on()
        if phase == LINGERING:
            self.linger()
        return None

    def _write_on(self) -> Request | None:
        """The client takes more; the job again, when a stream has to go on."""
        request = self.request
        try:
            if not self.broken and not self.flush():
                return None
        except OSError:
            self.broken = True
        if self.stream is not None:
            self.phase = READING
            return request
        if self.broken:
            self._lose(request)
        else:
            self._finish(request, self.keep)
        return None

    def expire(self) -> None:
        """A phase took too long."""
        if self.phase == READING and type(self.buffer) is not bytearray:
            self.close()  # nobody waits for an answer
        elif self.phase == READING:
            self.refuse(HTTPError(408, "The request did not arrive in time."))
        elif self.phase in (BODY, SKIPPING):
            self.refuse(HTTPError(408, "The content did not arrive in time."))
        elif self.phase == WRITING:
            self.broken = True
            self.deadline = self.service.deadlines.write
            self.scheduler.resume(self)
        else:
            self.close()

    def drain(self) -> None:
        """The server stops: close unless a request is under way."""
        if self.phase == READING and type(self.buffer) is not bytes:
            self.close()
        else:
            self.let_go()

    def close(self) -> None:
        """Close at once, and give back what a request that was under way held."""
        if self.spool is not None:
            self.spool.close()
            self.spool = None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        super().close()

    def cut(self) -> None:
        """The time that `stop` gave is over. On the stopping thread, without owning anything: a
        handler that runs learns of it by the socket, and closes."""
        if self.lock.acquire(blocking=False):
            if self.stream is not None:
                self.broken = True
                self.scheduler.resume(self)
            else:
                self._lose(self.request)
            return
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _skippable(stream: BodyStream) -> bool:
    """Whether what the handler left unread can be read over, to keep the connection."""
    if stream.decoder.done:
        return True
    if stream.wants_continue:
        return False  # the client may send the content or not: only closing is clear
    return getattr(stream.decoder, "_missing", 0) <= SKIP_BYTES


def content_bytes(message: bytes) -> int:
    """Octets of content in a whole message."""
    return len(message) - message.index(b"\r\n\r\n") - 4


def client_name(client: Address) -> str:
    """A client's address for a log line."""
    if isinstance(client, str):
        return client or "unix"
    return client[0]


def adopt(sock: socket.socket, client: Address, service: Service) -> None:
    """Take over an accepted socket, or tell the client that there are too many."""
    connection = Connection(sock, client, service)
    limit = service.limits.connections
    excess = 0 if limit is None else service.connections() - limit
    try:
        if excess < 0 or limit is None:
            service.scheduler.add(connection)
            return
        if excess < REFUSED_AT_ONCE:
            connection.lock.acquire()
            service.scheduler.add(connection)
            connection.refuse(HTTPError(503, "Too many connections.", headers=[RETRY_AFTER]))
            return
    except OSError as error:
        _error.error("Cannot watch a connection: %s", error)
    connection.close()
