"""One connection's life, from accept to close.

ready -> recv -> parse_head -> content -> Request        (intake.py, content.py) by a permit holder
run: handler(request) -> encode                          by the same thread, or apart
deliver: send -> finish -> the next request, or close    (outflow.py, channel.py)
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

from .._message_py import JOINED_BYTES
from ..encode import closes, encode_error, encode_ordinary, encode_parts, encode_switch, starts
from ..errors import ClientDisconnected, HTTPError, ParseError
from ..headers import HeaderFields, Headers
from ..parse import known_answer
from ..request import Request
from ..response import Response, as_response
from .bodystream import BodyStream
from .channel import BODY, LINGERING, PUSHING, READING, SKIPPING, UPGRADED, WRITING
from .clients import Address
from .content import SKIP_BYTES
from .outflow import Outflow, client_name
from .poller import READABLE
from .service import Service

# What a client is told to wait after a 503. The queue that made it wait is seconds long.
RETRY_AFTER = ("Retry-After", "5")
# Connections beyond Limits.connections that are told so at the same time; others are just closed.
REFUSED_AT_ONCE = 256

_access = logging.getLogger("fastraw.access")
_error = logging.getLogger("fastraw.error")


class Connection(Outflow):
    """A client's connection, and the requests that come by it."""

    __slots__ = ()

    # ---- on the thread that runs the job ----

    def run(self, request: Request) -> bytes | None:
        """Run the handler, or go on with its stream, and answer.

        Nearly every request and response are ordinary; for those, `_answer` and `finish` would do
        just what is written out here and in `deliver`.
        """
        service = self.service
        if self.stream is not None:
            self.pump(request, self.stream)
            return None
        try:
            response = service.handler(request)
            if type(response) is not Response:
                if self.phase == UPGRADED:
                    self._leave_to_handler(request)
                    return None
                response = as_response(response)
            if service.ordinary:
                date = service.deadlines.date_and_end
                out = known_answer(request, response, starts, date)
                if out is not None:
                    return out
                if request.ordinary and (out := encode_ordinary(response, date)) is not None:
                    if not response.ordinary:
                        self.after = response.after
                    return out
            return self._answer(request, response)
        except BaseException as error:
            self.answer_failure(request, error)
            return None

    def _answer(self, request: Request, response: Response) -> bytes | None:
        """Any response to any request. Raises what is wrong with the response."""
        if self.phase == UPGRADED:
            self._leave_to_handler(request)
            return None
        service, head = self.service, request.head
        keep = self.keeps(request, response)
        if response.iterable is not None:
            self.begin_stream(request, response, keep)
            return None
        if response.source is not None:
            self.begin_push(request, response)
            return None
        out, content = encode_parts(
            response, head.method, head.minor_version, keep, service.deadlines.date
        )
        request.answered = response.status, len(content)
        self.keep = keep
        self.after = response.after
        if len(content) <= JOINED_BYTES:
            return out + content
        self.content = bytes(content)
        return out

    def deliver(self, request: Request, answer: bytes) -> None:
        """Send what `run` has returned, now or as the client takes it, and finish."""
        keep = self.keep
        if keep is not None:
            if self.content is None:
                self.send(answer, request, keep)
            else:
                self.send_large(answer, self.content, request, keep)
            return
        try:
            sent = self.sock.send(answer)
        except OSError:
            sent = 0  # the client is slow, or gone: a second try will tell
        service = self.service
        if sent != len(answer):
            self.send(answer[sent:], request, True)
        elif self.more or not service.ordinary:
            self.finish(request, True)
        else:
            self.deadline = service.deadlines.idle
            self.lock.release()
            if self.stirred:
                self.look_again()

    def keeps(self, request: Request, response: Response) -> bool:
        """Whether the connection is kept after this response, as far as its framing allows."""
        if not request.head.keep_alive or self.service.draining or closes(response):
            return False
        return self.body_stream is None or _skippable(self.body_stream)

    def answer_failure(self, request: Request, error: BaseException) -> None:
        """Answer a request whose handler raised: with its HTTPError, or with 500."""
        if self.stream is not None:
            self.fail_stream(request, self.stream, error)
            return
        if isinstance(error, ClientDisconnected):
            self.lose(request)
            return
        if self.phase == UPGRADED:
            _error.error("Exception after the upgrade of %r", request, exc_info=error)
            self.sock.close()
            self._leave_to_handler(request)
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
        self.send(out, request, keep)

    def queued(self, request: Request, now: float) -> None:
        """A request has to wait for a worker: its deadline counts from here."""
        request.queued_at = now

    def overload(self, request: Request) -> None:
        """Refuse a request that has waited too long for a worker."""
        error = HTTPError(503, "The server is busy.", headers=[RETRY_AFTER])
        self.answer_failure(request, error)

    def refuse(self, error: HTTPError, method: str = "") -> None:
        """Answer with an error and close; nothing more is parsed."""
        request = self.request
        if request is not None:
            method = request.head.method
        out = encode_error(error, method, 1, False, self.service.deadlines.date)
        if request is not None:
            request.answered = error.status, content_bytes(out)
            self.finish_request(request)
        elif self.service.logging:
            line = '%s "-" %d %d 0.0'
            _access.info(line, client_name(self.client), error.status, content_bytes(out))
        self.send(out, None, False)

    # ---- another protocol ----

    def upgrade(self, request: Request, protocol: str, fields: HeaderFields) -> tuple[Any, bytes]:
        """See Request.upgrade. On the handler's thread."""
        if self.phase != READING or self.body_stream is not None:
            raise RuntimeError("a request is upgraded once, and without content of its own")
        head = encode_switch(protocol, Headers(fields), self.service.deadlines.date)
        received = self.take_buffer()
        self.phase = UPGRADED
        request.ordinary = False
        # From here on the descriptor is the handler's, and may be closed and used again.
        self.scheduler.release(self)
        self.service.upgraded.add(self)
        request.answered = 101, 0
        try:
            self.sock.setblocking(True)
            self.sock.sendall(head)
        except OSError as error:
            raise ClientDisconnected(str(error)) from error
        return self.sock, received

    def _leave_to_handler(self, request: Request) -> None:
        """The handler has returned; the socket is its own, open or not. The lock is kept."""
        self.finish_request(request)
        self.service.upgraded.discard(self)
        self.left()

    # ---- on a permit holder's thread ----

    def go_on(self, mask: int) -> Request | None:
        """An event in another phase than READING."""
        phase = self.phase
        if mask & READABLE:
            self.more = True
        if phase in (BODY, SKIPPING):
            return self.collect()
        if phase == WRITING:
            return self.write_on()
        if phase == PUSHING:
            self.push_on(mask)
        elif phase == LINGERING:
            self.linger()
        return None

    def expire(self) -> None:
        """A phase took too long."""
        if self.phase == READING and type(self.buffer) is not bytearray:
            self.close()  # nobody waits for an answer
        elif self.phase == READING:
            self.refuse(HTTPError(408, "The request did not arrive in time."))
        elif self.phase == BODY:
            self.refuse(HTTPError(408, "The content did not arrive in time."))
        elif self.phase == WRITING:
            self.scheduler.resume(self)  # for a last try: see `flush`
        elif self.phase == PUSHING:
            self.beat()
        else:
            self.close()

    def drain(self) -> None:
        """The server stops: close unless a request is under way."""
        if self.phase == READING and type(self.buffer) is not bytes:
            self.close()
        elif self.phase == PUSHING:
            self.end_push()
        else:
            self.put_back()

    def cut(self) -> None:
        """The time that `stop` gave is over. On the stopping thread, without owning anything: a
        handler that runs learns of it by the socket, and closes."""
        if self.lock.acquire(blocking=False):
            if self.stream is not None:
                self.broken = True
                self.scheduler.resume(self)
            else:
                self.lose(self.request)
            return
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


Connect = Callable[[socket.socket, Address, Service], Connection]


def _skippable(stream: BodyStream) -> bool:
    """Whether what the handler left unread can be read over, to keep the connection."""
    if stream.decoder.done:
        return True
    if stream.failed:
        return False  # where its content ends is not known
    if stream.wants_continue:
        return False  # the client may send the content or not: only closing is clear
    return getattr(stream.decoder, "missing", 0) <= SKIP_BYTES


def content_bytes(message: bytes) -> int:
    """Octets of content in a whole message."""
    return len(message) - message.index(b"\r\n\r\n") - 4


def adopt(
    sock: socket.socket, client: Address, service: Service, connect: Connect = Connection
) -> None:
    """Take over an accepted socket, or tell the client that there are too many."""
    connection = connect(sock, client, service)
    limit = service.limits.connections
    excess = -1 if limit is None else service.connections() - limit
    connection.counted = service.clients.enter(client)
    error = None
    if excess >= 0:
        error = HTTPError(503, "Too many connections.", headers=[RETRY_AFTER])
    elif not connection.counted:
        error = HTTPError(429, "Too many connections from this address.", headers=[RETRY_AFTER])
    try:
        connection.lock.acquire()
        if error is None:
            service.scheduler.add(connection)
            connection.put_back()
            return
        if excess < REFUSED_AT_ONCE:
            service.scheduler.add(connection)
            connection.refuse(error)
            return
    except OSError as failure:
        _error.error("Cannot watch a connection: %s", failure)
    connection.close()
