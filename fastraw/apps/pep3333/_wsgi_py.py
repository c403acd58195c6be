"""What every request to a WSGI application goes through, in Python: the reference that `_wsgi` must
agree with.

PEP 3333: what is wrong with it is an error when `start_response` is called, before anything has
been sent, so that nothing is forged and the application finds its own line in the traceback.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any

from ..._environ_py import ordinary_environ
from ...engine.stream import close_iterable
from ...request import Request
from ...response import Response
from .answers import write
from .file_wrapper import FileWrapper
from .pieces import Begun, finish

# RFC 9112 section 4: three digits, a space, and a reason phrase that may be empty.
_STATUS = re.compile(r"[2-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*").fullmatch
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch  # RFC 9110 section 5.5
_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch

# RFC 9110 section 7.6.1: between server and client only; an application must not set them.
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade"),
    )
)

CALLED_BEFORE = "start_response was called before, and is not given exc_info"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Start:
    """The `start_response` of one request (PEP 3333), and what it was called with, checked and
    encoded.

    Attributes:
        code: the status code.
        start: the status line and the fields as octets, Content-Length left out; None before.
        length: the Content-Length that was declared, or -1.
        dated: whether there is a Date among the fields.
        committed: the response is decided, and cannot be replaced.
        written: the response that `write` has begun, if it has.
    """

    __slots__ = ("code", "committed", "dated", "length", "request", "start", "written")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.start: bytes | None = None
        self.code = 0
        self.length = -1
        self.dated = False
        self.committed = False
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
                if self.committed:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame, which holds it
        elif self.start is not None:
            raise RuntimeError(CALLED_BEFORE)
        self.code, self.start, self.length, self.dated = encode_start(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """See `answers.write`."""
        write(self, data)

    def whole(self, result: object) -> Response | None:
        """The response when the application's result is one piece in a list, as that is what
        most return, and nothing else is unusual about it; None leaves it to the general way."""
        if (
            type(result) is not list
            or len(result) != 1
            or type(result[0]) is not bytes
            or not result[0]
            or self.start is None
            or self.written is not None
            or self.dated
            or self.length not in (-1, len(result[0]))
        ):
            return None
        return Response.prepared(self.start, self.code, result[0])


def encode_start(status: str, headers: list[tuple[str, str]]) -> tuple[int, bytes, int, bool]:
    """Check and encode what an application starts its response with.

    Returns the status code; the status line and the fields as octets, Content-Length left out;
    the length that it declared, or -1; whether there is a Date among the fields.

    Raises TypeError for anything but a str and a list of pairs of str, ValueError for a status
    or a field that must not be sent.
    """
    if type(status) is not str:
        raise TypeError(f"the status must be a str, not {type(status).__name__}")
    if not _STATUS(status):
        raise ValueError(f"the status must be like '200 OK', from 200 to 599, not {status!r}")
    if not isinstance(headers, list):
        raise TypeError(f"the headers must be a list, not {type(headers).__name__}")
    lines = [f"HTTP/1.1 {status}\r\n"]
    length, dated = -1, False
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            raise TypeError(f"a header must be a pair of name and value, not {pair!r}")
        name, value = pair
        if type(name) is not str or type(value) is not str:
            raise TypeError(f"name and value of a header must be str, not {pair!r}")
        if not _TOKEN(name) or not _VALUE(value):
            raise ValueError(
                f"a header must have a token for a name, and no control characters, not {pair!r}"
            )
        key = name.lower()
        if key in HOP_BY_HOP:
            raise ValueError(f"the server sets {name}, not an application")
        if key == "content-length":
            length = _length(value, length)
            continue
        dated = dated or key == "date"
        value = value.strip(" \t")
        lines.append(f"{name}: {value}\r\n")
    return int(status[:3]), "".join(lines).encode("latin-1"), length, dated


def _length(value: str, before: int) -> int:
    value = value.strip(" \t")
    if not _LENGTH(value) or before not in (-1, int(value)):
        raise ValueError("Content-Length must be one decimal number")
    return int(value)


class Adapter:
    """Calls an application. A subclass has `environ_of` and `iterate`.

    Attributes:
        stream_body: the application reads the content from the client.
        usual: the origin that most requests come to, and what their environ begins with. It is
            set once, so that threads read it without a lock.
    """

    environ_of: Callable[[Request], dict[str, Any] | None]
    iterate: Callable[[Any, Iterable[bytes]], Response]

    def __init__(self, application: Application) -> None:
        self._application = application
        self.stream_body = False
        self.usual: tuple[object, dict[str, Any]] | None = None

    def __call__(self, request: Request) -> Response:
        """Answer one request; what the application raises goes on."""
        environ: dict[str, Any] | None = None
        if self.usual is not None:
            environ = ordinary_environ(request, *self.usual)
        if environ is None:
            environ = self.environ_of(request)
            if environ is None:
                return Response(status=204)
        start = Start(request)
        result = self._application(environ, start)
        response = start.whole(result)
        if response is not None:
            return response
        if (
            self.stream_body
            or start.written is not None
            or type(result) in (list, tuple, FileWrapper)
        ):
            return self.iterate(start, result)
        return self._begin(start, result)

    def _begin(self, start: Start, iterable: Iterable[bytes]) -> Response:
        """As `iterate`, if the first piece is all that was declared; else that goes on with it.

        The piece is on its way to the client while the application goes on to its end.
        """
        taken: tuple[bytes, ...] = ()
        try:
            iterator = iter(iterable)
            for piece in iterator:
                if type(piece) is not bytes or piece:
                    taken = (piece,)
                    break
        except BaseException:
            close_iterable(iterable)
            raise
        if (
            not taken
            or type(taken[0]) is not bytes
            or len(taken[0]) != start.length
            or start.start is None
            or start.dated
            or start.written is not None
        ):
            return self.iterate(start, Begun(iterable, taken, iterator))
        start.committed = True
        response = Response.prepared(start.start, start.code, taken[0])
        response.after = partial(finish, iterable, iterator)
        return response
