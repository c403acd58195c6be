"""What an application makes of its `start_response`: a Response, whole, streamed or of a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...file import FileSlice
from ...request import Request
from ...response import Response
from .pieces import FileRest, Pieces

NOT_CALLED = "the application did not call start_response"


class Start(Protocol):
    """What is asked of a `start_response`; see `_wsgi_py.Start`."""

    committed: bool
    written: Response | None

    @property
    def request(self) -> Request: ...
    @property
    def start(self) -> bytes | None: ...
    @property
    def code(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def dated(self) -> bool: ...


def answer(start: Start, body: bytes) -> Response:
    """The response, with all of its content."""
    if start.start is None:
        raise RuntimeError(NOT_CALLED)
    start.committed = True
    if not start.dated and (start.length == len(body) or start.length < 0):
        return Response.prepared(start.start, start.code, body)
    response = _unusual(start)
    response.body = body
    return response


def stream(start: Start, pieces: Iterable[bytes]) -> Response:
    """The response, with content that comes in pieces, made on this thread."""
    response = _unusual(start)
    response.iterable = pieces
    response.one_thread = True
    return response


def file(start: Start, rest: FileSlice, pieces: Pieces) -> Response:
    """The response, with what is left of a file, sent by whichever thread has time."""
    response = _unusual(start)
    response.iterable = FileRest(rest, pieces)
    response.headers.setdefault("Content-Length", str(len(rest)))
    return response


def write(start: Start, data: bytes) -> None:
    """Send a piece of the content now, and wait for the client to take it.

    Raises ClientDisconnected when that is gone.
    """
    if type(data) is not bytes:
        raise TypeError(f"write() takes bytes, not {type(data).__name__}")
    if data:
        if start.written is None:
            start.written = stream(start, Pieces())
        start.request._peer.write(start.request, start.written, data)


def _unusual(start: Start) -> Response:
    """A response that the encoder looks into: there is a Date, or a length to compare."""
    if start.start is None:
        raise RuntimeError(NOT_CALLED)
    start.committed = True
    response = Response.prepared(start.start, start.code, b"")
    headers = response.headers
    if start.length >= 0:
        headers["Content-Length"] = str(start.length)
    line = start.start[: start.start.index(b"\r\n")].decode("latin-1")
    response.reason = line[len("HTTP/1.1 200 ") :]
    return response
