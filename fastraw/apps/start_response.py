"""What a WSGI application makes of a request: `start_response`, `write`, and an iterable.

status, headers  -> checked and encoded when start_response is called
the iterable     -> a Response: its content, or the pieces that are still to come
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType

from ..file import FileSlice
from ..request import Request
from ..response import Response
from ._start_py import encode_start
from .pieces import FileRest, Pieces

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class StartResponse:
    """The `start_response` of one request (PEP 3333).

    Attributes:
        written: the response that `write` has begun; None as long as that was not called.
    """

    __slots__ = ("_committed", "_request", "_start", "written")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._start: tuple[int, bytes, int, bool] | None = None
        self._committed = False
        self.written: Response | None = None

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Begin the response, or replace what has begun by one that reports `exc_info`.

        Returns `write`. Raises TypeError and ValueError for what must not be sent, RuntimeError
        when called again without exc_info, and what exc_info holds when it is too late.
        """
        if exc_info is not None:
            try:
                if self._committed:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame, which holds it
        elif self._start is not None:
            raise RuntimeError("start_response was called before, and is not given exc_info")
        self._start = encode_start(status, headers)
        return self.write

    def answer(self, body: bytes) -> Response:
        """The response, with all of its content."""
        if self._start is None:
            raise RuntimeError("the application did not call start_response")
        self._committed = True
        code, octets, length, dated = self._start
        if not dated and length in (-1, len(body)):
            return Response.prepared(octets, code, body)
        response = self._unusual()
        response.body = body
        return response

    def stream(self, pieces: Iterable[bytes]) -> Response:
        """The response, with content that comes in pieces, made on this thread."""
        response = self._unusual()
        response.iterable = pieces
        response.one_thread = True
        return response

    def file(self, rest: FileSlice, pieces: Pieces) -> Response:
        """The response, with what is left of a file, sent by whichever thread has time."""
        response = self._unusual()
        response.iterable = FileRest(rest, pieces)
        response.headers.setdefault("Content-Length", str(len(rest)))
        return response

    def _unusual(self) -> Response:
        """A response that the encoder looks into: there is a Date, or a length to compare."""
        if self._start is None:
            raise RuntimeError("the application did not call start_response")
        self._committed = True
        code, octets, length, _ = self._start
        response = Response.prepared(octets, code, b"")
        headers = response.headers
        if length >= 0:
            headers["Content-Length"] = str(length)
        line = octets[: octets.index(b"\r\n")].decode("latin-1")
        response.reason = line[len("HTTP/1.1 200 ") :]
        return response

    @property
    def length(self) -> int:
        """The Content-Length that was declared, or -1."""
        return -1 if self._start is None else self._start[2]

    def write(self, data: bytes) -> None:
        """Send a piece of the content now, and wait for the client to take it.

        Raises ClientDisconnected when that is gone.
        """
        if type(data) is not bytes:
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        if data:
            if self.written is None:
                self.written = self.stream(Pieces())
            self._request._peer.write(self._request, self.written, data)
