"""WSGI: an application of PEP 3333 as a handler.

request -> environ -> application -> iterable
                        start_response -> status and fields, checked and encoded
iterable:  a list, or one piece of the declared length   -> content, sent as any handler's is
           a file in a wsgi.file_wrapper                 -> sent by the kernel
           anything else                                 -> streamed

1. An iterable is iterated and closed on the thread that called the application; what frameworks
   keep with a thread is there. So a slow client holds a worker while something other than a list
   or a file is streamed to it, and only then.
2. An iterable is closed exactly once, whatever happens.
3. Nothing is sent before there is something to send, so that the application can still replace
   its response by one that reports an error (`exc_info`).
4. Content is sent as soon as it is yielded or written. If it is all that was declared it goes out
   with the answers to other requests, a few milliseconds later at most, whatever the application
   does behind it (engine/scheduler.py, rule 10).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from ..request import Request
from ..response import Response
from ..route import check_callable
from ..spool import Spool
from .pep3333.answers import answer, file, stream
from .pep3333.file_wrapper import FileWrapper
from .pep3333.pieces import Pieces
from .pep3333.start_response import Adapter, Start

Environ = dict[str, Any]
Address = tuple[str, int] | str
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# More than a dict of 32 slots holds.
_FULL = 22
# Addresses of ours that an environ has been prepared for. A server has one, or few.
_TEMPLATES_LIMIT = 64


class Errors:
    """wsgi.errors: standard error, as it is when something is written."""

    def write(self, text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if sys.stderr is not None:
            sys.stderr.flush()


class NoInput:
    """wsgi.input of a request without content. Has no state, so one does for all."""

    def read(self, size: int | None = -1) -> bytes:
        return b""

    def readline(self, size: int | None = -1) -> bytes:
        return b""

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        return []

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


class WSGI(Adapter):
    """A handler that calls a WSGI application (PEP 3333).

    Args:
        application: called on up to `workers` threads at once.
        stream_body: call it at the end of the head; `wsgi.input` then reads from the client.
            Without it the content has arrived when the application is called, in memory or in a
            temporary file.

    An `OPTIONS *` is answered here: it asks about the server, not about a resource of the
    application (RFC 9110 section 9.3.7).

    Raises TypeError when the application cannot be called, or is asynchronous.
    """

    def __init__(self, application: Application, *, stream_body: bool = False) -> None:
        check_callable("application", application)
        super().__init__(application)
        self.stream_body = stream_body
        self._lock = threading.Lock()
        self._templates: dict[tuple[Address, str], Environ] = {}

    def environ_of(self, request: Request) -> Environ | None:
        """The environ of any request; None for one that is not the application's."""
        head, peer = request.head, request._peer
        if head.target == "*":
            return None
        server, scheme = peer.server, peer.scheme
        template = self._templates.get((server, scheme))
        if template is None:
            template = self._prepare(server, scheme)
        if self.usual is None:
            with self._lock:
                self.usual = self.usual or (peer.origin, template)
        environ = head.environ(template, peer.client)
        if head.content_length or head.chunked:
            _put_content(environ, request)
        if request.mount_path:
            _put_mount(environ, request)
        return environ

    def _prepare(self, server: Address, scheme: str) -> Environ:
        template = _template(server, scheme)
        with self._lock:
            if len(self._templates) >= _TEMPLATES_LIMIT:
                self._templates.clear()
            self._templates[server, scheme] = template
        return template

    def iterate(self, start: Start, iterable: Iterable[bytes]) -> Response:
        """The response to a result that is not one piece in a list."""
        return _iterate(start, iterable, self.stream_body)


def _template(server: Address, scheme: str) -> Environ:
    # PEP 3333: these two must not be empty, and a Unix socket has neither.
    default_port = "443" if scheme == "https" else "80"
    name, port = ("localhost", default_port) if isinstance(server, str) else server
    template: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REQUEST_URI": "",
        "SERVER_NAME": name,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "fastraw",
        "REMOTE_ADDR": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": NoInput(),
        "wsgi.input_terminated": True,
        "wsgi.errors": Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if scheme == "https":
        template["HTTPS"] = "on"
    # A copy of a dict has its capacity, and to grow costs as much as all the rest. Filled to
    # what 32 slots take, a dict grows to 64: enough for the fields of most requests.
    fillers = [f"filler {number}" for number in range(_FULL - len(template))]
    for filler in fillers:
        template[filler] = None
    for filler in fillers:
        del template[filler]
    return template


def _put_content(environ: Environ, request: Request) -> None:
    content = request._content
    if request.head.chunked and isinstance(content, Spool):
        # The coding is gone, and the length is known.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(content.size)
    environ["wsgi.input"] = request.stream


def _put_mount(environ: Environ, request: Request) -> None:
    """The part of the path that led to the application is its name, the rest its path."""
    environ["SCRIPT_NAME"] = unquote(request.mount_path, "latin-1")
    environ["PATH_INFO"] = unquote(request.subpath, "latin-1")


def _iterate(start: Start, iterable: Iterable[bytes], streamed_body: bool) -> Response:
    """The response that an iterable makes; its first piece may be what calls start_response."""
    begun = start.written
    if type(iterable) in (list, tuple) and begun is None:
        body = b"".join(iterable)
        if body or start.request.head.method != "HEAD":
            return answer(start, body)
    pieces = Pieces() if begun is None else begun.iterable
    assert isinstance(pieces, Pieces)
    pieces.own(iterable)
    try:
        if type(iterable) is FileWrapper and begun is None:
            rest = iterable.rest()
            if rest is not None:
                return file(start, rest, pieces)
        first = pieces.begin()
        if begun is not None:
            return begun
        if streamed_body or start.length < 0 or (first and len(first) != start.length):
            pieces.left = start.length
            return stream(start, pieces)
        # All that was declared is here: the application may go on to its end; but
        # not while it may still be reading content, which the connection must wait for.
        response = answer(start, first)
    except BaseException:
        pieces.close()
        raise
    if first:
        response.after = pieces.finish
    else:
        pieces.close()
    return response
