"""The `start_response` of a request, and what an application makes of it: a Response.

FASTRAW_PURE=1 in the environment forces the part in Python, as for the parser.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...file import FileSlice
from ...response import Response
from .pieces import FileRest, Pieces

if TYPE_CHECKING:
    from ._wsgi_py import Adapter, Start
elif os.environ.get("FASTRAW_PURE", "") in ("", "0") and find_spec("fastraw.apps.pep3333._wsgi"):
    from ._wsgi import Adapter, Start
else:
    from ._wsgi_py import Adapter, Start

__all__ = ["Adapter", "StartResponse"]

NOT_CALLED = "the application did not call start_response"


class StartResponse(Start):
    """The `start_response` of one request (PEP 3333)."""

    __slots__ = ()

    def answer(self, body: bytes) -> Response:
        """The response, with all of its content."""
        if self.start is None:
            raise RuntimeError(NOT_CALLED)
        self.committed = True
        if not self.dated and (self.length == len(body) or self.length < 0):
            return Response.prepared(self.start, self.code, body)
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
        if self.start is None:
            raise RuntimeError(NOT_CALLED)
        self.committed = True
        response = Response.prepared(self.start, self.code, b"")
        headers = response.headers
        if self.length >= 0:
            headers["Content-Length"] = str(self.length)
        line = self.start[: self.start.index(b"\r\n")].decode("latin-1")
        response.reason = line[len("HTTP/1.1 200 ") :]
        return response

    def write(self, data: bytes) -> None:
        """Send a piece of the content now, and wait for the client to take it.

        Raises ClientDisconnected when that is gone.
        """
        if type(data) is not bytes:
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        if data:
            if self.written is None:
                self.written = self.stream(Pieces())
            self.request._peer.write(self.request, self.written, data)
