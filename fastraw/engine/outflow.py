"""Answers out: from a response to the octets that the client takes, and what follows them.

    send -> finish -> the next request, or close
    begin_stream -> pump: the iterable's pieces, one after the other -> finish
    begin_push -> push: what a source has, each time it says so -> close

What the client does not take at once is parked, and no thread waits for it. A stream goes on as a
job, since its iterable is the handler's code and may block; a file and a source do not block, and
go on with whoever holds a permit.
"""

from __future__ import annotations

import logging
import socket
from time import monotonic

from ..encode import encode_stream_head
from ..errors import ClientDisconnected
from ..request import Request
from ..response import Response
from .bodystream import BodyStream
from .channel import PUSHING, READING, TURN_BYTES
from .clients import Address
from .intake import Intake
from .poller import HANGUP, READABLE
from .push import Push
from .service import Service
from .stream import ResponseStream, close_iterable

_access = logging.getLogger("fastraw.access")
_error = logging.getLogger("fastraw.error")


class Outflow(Intake):
    """The sending side of a connection."""

    __slots__ = ("broken", "content", "keep", "pushed", "stream")

    def __init__(self, sock: socket.socket, client: Address, service: Service) -> None:
        super().__init__(sock, client, service)
        self.keep: bool | None = None
        """Whether the connection is kept after the answer that a job has returned, or that the
        client did not take yet; None where that goes without saying."""
        self.content: bytes | None = None
        """What follows the answer that a job has returned: more than is worth a copy."""
        self.stream: ResponseStream | None = None
        self.pushed: Push | None = None
        self.broken = False
        """The client of a streamed response is gone; its iterable is still to be closed."""

    # What Connection adds.

    def answer_failure(self, request: Request, error: BaseException) -> None:
        """Answer a request whose handler, or the first piece of whose stream, raised."""
        raise NotImplementedError

    def keeps(self, request: Request, response: Response) -> bool:
        """Whether the connection is kept after this response, as far as its framing allows."""
        raise NotImplementedError

    # Whole answers.

    def send(self, out: bytes, request: Request | None, keep: bool) -> None:
        """Send all of it, now or as the client takes it, and finish."""
        try:
            sent = self.send_some(out) if out else 0
        except OSError:
            self.lose(request)
            return
        if sent == len(out):
            self.finish(request, keep)
        else:
            self.request, self.keep = request, keep
            self.park(memoryview(out)[sent:])

    def send_large(self, head: bytes, content: bytes, request: Request, keep: bool) -> None:
        """The same for an answer in two parts."""
        self.content = None
        try:
            sent = self.send_both(head, content)
        except OSError:
            self.lose(request)
            return
        if sent == len(head) + len(content):
            self.finish(request, keep)
            return
        self.request = request
        if sent < len(head):
            self.park(memoryview(head[sent:] + content))  # a client that has left much unread
        else:
            self.park(memoryview(content)[sent - len(head) :])

    def write_on(self) -> Request | None:
        """The client takes more; the job again, when a stream has to go on."""
        request = self.request
        try:
            if not self.broken and not self.flush():
                return None
        except OSError:
            self.broken = True
        except EOFError as error:
            _error.error("The answer to %r is cut off: %s", request, error)
            self.broken = True
        if self.stream is not None:
            self.phase = READING
            return request
        if self.broken:
            self.lose(request)
        elif self.pushed is not None:
            self.phase = PUSHING
            self.push()
        else:
            self.finish(request, self.keep is not False)
        return None

    def lose(self, request: Request | None) -> None:
        """The client is gone, or must go."""
        self.request = request
        self.close()

    def finish(self, request: Request | None, keep: bool) -> None:
        """The answer has been handed to the kernel: on to the next request, or close."""
        service = self.service
        if request is None:
            self.close_gently()
            return
        if service.logging or self.request is not None:
            self.finish_request(request)
        if not keep:
            # Gently even when the client asked for it: what it sends all the same would bring a
            # reset, which can overtake the answer.
            self.close_gently()
            return
        self.keep = None
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
        stream.close()
        if stream.decoder.done:
            return True
        self.skip_content(stream)
        return False

    def finish_request(self, request: Request) -> None:
        """Give back what the request held, and log it."""
        self.request = None
        pushed, self.pushed = self.pushed, None
        if pushed is not None:
            pushed.source.close()
        if self.spool is not None:
            self.spool.close()
            self.spool = None
        request.close()
        if self.service.logging and request.began:
            _access.info(
                '%s "%s %s %s" %d %d %.1f%s',
                client_name(request.client), request.method, request.target, request.version,
                *request.answered, (monotonic() - request.began) * 1000,
                request.id and f" {request.id}",
            )  # fmt: skip

    # A streamed answer.

    @property
    def begun(self) -> bool:
        return self.stream is not None

    def begin_stream(self, request: Request, response: Response, keep: bool) -> None:
        """Answer with an iterable's pieces. Raises what is wrong with the response's head."""
        self.pump(request, self.stream or self._open_stream(request, response, keep))

    def _open_stream(self, request: Request, response: Response, keep: bool) -> ResponseStream:
        assert response.iterable is not None
        head = request.head
        try:
            octets, framing, keep = encode_stream_head(
                response, head.method, head.minor_version, keep, self.service.deadlines.date
            )
            stream = ResponseStream(
                response.iterable, octets, framing, keep, response.status, self.can_sendfile
            )
        except BaseException:
            close_iterable(response.iterable)
            raise
        stream.one_thread = response.one_thread
        self.request, self.stream = request, stream
        return stream

    def write(self, request: Request, response: Response, piece: bytes) -> None:
        """Send a piece of `response`, a stream, from inside the handler that will return it.

        Waits for the client, and raises ClientDisconnected when it is gone.
        """
        stream = self.stream
        if stream is None:
            stream = self._open_stream(request, response, self.keeps(request, response))
        try:
            self.send_waiting(stream.take(piece))
        except OSError as error:
            self.broken = True
            raise ClientDisconnected(str(error)) from error

    def pump(self, request: Request, stream: ResponseStream) -> None:
        """Send piece by piece until the client takes no more, or the stream ends."""
        try:
            while not self.broken and (out := stream.next()) is not None:
                try:
                    sent = self.send_some(out)
                    if sent < len(out) and stream.one_thread and isinstance(out, bytes):
                        self.send_waiting(out[sent:])
                        continue
                except OSError:
                    self.broken = True
                    break
                if sent < len(out):
                    self.park((memoryview(out) if isinstance(out, bytes) else out)[sent:])
                    return
        except BaseException as error:
            self.fail_stream(request, stream, error)
            return
        self._end_stream(request, stream)
        if self.broken and stream.open_ended:
            self.finish_request(request)
            self.abort()
        elif self.broken:
            self.lose(request)
        elif not stream.complete:
            _error.error("The response stream of %r ended before its Content-Length", request)
            self.lose(request)
        else:
            self.send(stream.last(), request, stream.keep)

    def fail_stream(self, request: Request, stream: ResponseStream, error: BaseException) -> None:
        """The iterable raised, or what wrote: another answer if none has begun, else cut off."""
        self._end_stream(request, stream)
        if not stream.head_sent:
            self.answer_failure(request, error)
            return
        if not isinstance(error, ClientDisconnected):
            _error.error("Exception in the response stream of %r", request, exc_info=error)
        self.finish_request(request)
        self.abort()

    def _end_stream(self, request: Request, stream: ResponseStream) -> None:
        self.stream = None
        stream.close()
        request.answered = stream.status, stream.content_bytes

    # A pushed answer.

    def begin_push(self, request: Request, response: Response) -> None:
        """Answer with what a source has, whenever it has something; the connection is not kept.
        Raises what is wrong with the response's head, or what the source raises."""
        source, head = response.source, request.head
        assert source is not None
        source.attach(self.nudge)  # raises when the source is another request's
        try:
            octets, framing, _ = encode_stream_head(
                response, head.method, head.minor_version, False, self.service.deadlines.date
            )
        except BaseException:
            source.close()
            raise
        self.request = request
        self.pushed = Push(source, octets, framing, response.status)
        request.answered = response.status, 0
        self.phase = PUSHING
        self.push()

    def push(self) -> None:
        """Send what the source has; then the connection waits, or is closed."""
        request, pushed = self.request, self.pushed
        assert request is not None and pushed is not None
        try:
            turn_bytes = 0
            while (out := pushed.next()) is not None:
                request.answered = pushed.status, pushed.content_bytes
                sent = self.send_some(out)
                if sent < len(out):
                    self.park(memoryview(out)[sent:])
                    return
                turn_bytes += sent
                if turn_bytes > TURN_BYTES:
                    self.scheduler.resume(self)
                    return
        except OSError:
            self.close()
        except Exception as error:
            _error.error("Exception in the source of %r", request, exc_info=error)
            self.finish_request(request)
            self.abort()
        else:
            if pushed.ended:
                self.finish(request, False)
            else:
                self.deadline = pushed.deadline(self.service.deadlines.now)
                self.let_go()

    def push_on(self, mask: int) -> None:
        """The source has something, or the client has sent something, which counts for nothing,
        or has left."""
        if not mask & (READABLE | HANGUP) or self.discard():
            self.push()

    def end_push(self) -> None:
        """The server stops: send what the source has still got, and the end."""
        assert self.pushed is not None
        self.pushed.source.end()
        self.push()

    def beat(self) -> None:
        """Nothing has been sent for a while."""
        assert self.pushed is not None
        self.pushed.beat()
        self.push()

    # The end.

    def close(self) -> None:
        """Close at once, giving back what the request under way holds."""
        request = self.request
        if request is not None:
            if self.stream is not None:
                self._end_stream(request, self.stream)
            self.finish_request(request)
        super().close()


def client_name(client: Address) -> str:
    """A client's address for a log line."""
    if isinstance(client, str):
        return client or "unix"
    return client[0]
