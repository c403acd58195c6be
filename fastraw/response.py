"""Response: what a handler gives back, and the short ways to make one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ._message_py import OCTETS
from .cookies import CookieScope, SameSite, format_cookie
from .errors import HTTPError, ParseError
from .file import FileContent, FileSlice, media_type_of, open_regular
from .headers import HeaderFields, Headers
from .parse import ResponseBase, quick

if TYPE_CHECKING:
    from datetime import datetime


TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"

Piece = bytes | FileSlice


class Source(Protocol):
    """Content that is there when it is there; waiting for it takes no thread.

    Attributes:
        ended: nothing more will come; `take` may still have something.
        idle_seconds: after so long without anything sent, a heartbeat is; None for never.
    """

    @property
    def ended(self) -> bool: ...
    @property
    def idle_seconds(self) -> float | None: ...

    def attach(self, wake: Callable[[], None]) -> None:
        """Before all else: `wake` is to be called, from any thread, when there is something.

        What is raised here is answered with 500, and `close` is not called: so a source refuses
        to answer a second request.
        """

    def take(self) -> bytes | None:
        """The next octets, never empty; None when there are none now. Must not block."""

    def heartbeat(self) -> bytes:
        """Octets that mean nothing, and show that the connection lives; may be empty."""

    def end(self) -> None:
        """The server stops: hand out what is left, then be `ended`."""

    def close(self) -> None:
        """The last call: the client has everything, or is gone."""


@quick
class Response(ResponseBase):
    """One answer: status, header fields, and content that is either bytes or an iterable.

    Args:
        body: content as bytes, or as str, which is encoded in UTF-8.
        status: status code, 200 to 599 (RFC 9110 section 15).
        headers: more header fields. Date, framing and Connection are the server's; a
            Content-Length that contradicts the body is answered with 500.
        content_type: media type; without it text/plain for str, application/octet-stream for
            bytes, none for an empty body.

    Raises:
        ValueError: the status is out of range, or a header name or value is not allowed.
        TypeError: the body is neither str nor bytes.
    """

    # What few responses have stands here, and costs the others nothing.
    iterable: Iterable[Piece] | None = None
    source: Source | None = None
    _headers: Headers | None = None
    # For adapters of other interfaces, as are `prepared`, `start` and `after`; see `Connection`.
    reason: str | None = None
    one_thread = False

    def __init__(
        self,
        body: bytes | str = b"",
        status: int = 200,
        headers: HeaderFields | None = None,
        content_type: str | None = None,
    ) -> None:
        if type(body) is not bytes:
            if isinstance(body, str):
                content_type = content_type or TEXT
                body = body.encode()
            elif isinstance(body, (bytes, bytearray, memoryview)):
                body = bytes(body)
            else:
                raise TypeError(f"body must be bytes or str, not {type(body).__name__}")
        if content_type is None and body:
            content_type = OCTETS
        if status != 200:
            _check_status(status)
        self.body = body
        self.status = status
        self.content_type = content_type
        # For the server: whether there is no more to it than that.
        self.ordinary = headers is None
        if headers is not None:
            self._headers = Headers(headers)

    @property
    def headers(self) -> Headers:
        """The header fields beside those that the server adds; change them in place."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers()
            self.ordinary = False
            if self.start is not None:
                lines = self.start.decode("latin-1").split("\r\n")[1:-1]
                headers = self._headers = Headers.from_parsed([_pair(line) for line in lines])
                self.start = None
        return headers

    @classmethod
    def text(cls, text: str, status: int = 200, headers: HeaderFields | None = None) -> Response:
        """Plain text in UTF-8."""
        return cls(text.encode(), status, headers, TEXT)

    @classmethod
    def html(cls, html: str, status: int = 200, headers: HeaderFields | None = None) -> Response:
        """An HTML page in UTF-8."""
        return cls(html.encode(), status, headers, HTML)

    @classmethod
    def json(
        cls,
        value: Any,
        status: int = 200,
        headers: HeaderFields | None = None,
        *,
        dumps: Callable[[Any], str | bytes] = json.dumps,
    ) -> Response:
        """A value as JSON; `dumps` may be another library's, giving str or bytes."""
        data = dumps(value)
        return cls(data if isinstance(data, bytes) else data.encode(), status, headers, JSON)

    @classmethod
    def redirect(
        cls, location: str, status: int = 302, headers: HeaderFields | None = None
    ) -> Response:
        """A redirect to `location`, a URI reference (RFC 9110 sections 10.2.2 and 15.4).

        Raises ValueError when it is not in ASCII, which a URI is; `urllib.parse.quote` helps.
        """
        if not location.isascii():
            raise ValueError(f"location of a redirect must be a URI in ASCII, not {location!r}")
        if not 300 <= status <= 399:
            raise ValueError(f"status of a redirect must be 300 to 399, not {status!r}")
        response = cls(b"", status, headers)
        response.headers["Location"] = location
        return response

    @classmethod
    def stream(
        cls,
        iterable: Iterable[Piece],
        status: int = 200,
        headers: HeaderFields | None = None,
        content_type: str = OCTETS,
    ) -> Response:
        """Content from an iterable of bytes (or FileSlice), sent as it comes.

        It is chunked unless `headers` states a Content-Length. The iterable's `close()`, if it
        has one, is called exactly once, whether it ends, fails, or the client goes away.

        Raises TypeError when `iterable` is None, as a function gives that was to be a generator.
        """
        if iterable is None:
            raise TypeError("iterable must be an iterable of bytes, not None")
        response = cls(b"", status, headers, content_type)
        response.iterable = iterable
        response.ordinary = False
        return response

    @classmethod
    def push(
        cls,
        source: Source,
        status: int = 200,
        headers: HeaderFields | None = None,
        content_type: str = OCTETS,
    ) -> Response:
        """Content from a source, sent when it says that there is some; no worker waits for it.

        The connection is closed behind it. The source's `close()` is called exactly once.
        """
        response = cls(b"", status, headers, content_type)
        response.source = source
        response.ordinary = False
        return response

    @classmethod
    def file(
        cls,
        path: str | os.PathLike[str],
        status: int = 200,
        headers: HeaderFields | None = None,
        content_type: str | None = None,
    ) -> Response:
        """A regular file, sent without passing through Python where the system can.

        Without `content_type` the name's ending says what it is. A file that becomes shorter
        while it is sent ends the connection. Raises OSError when it cannot be opened, ValueError
        when it is no regular file. For files that clients name, see StaticFiles.
        """
        file, size = open_regular(path)
        try:
            response = cls(b"", status, headers, content_type or media_type_of(os.fspath(path)))
            response.headers["Content-Length"] = str(size)
        except BaseException:
            file.close()
            raise
        response.iterable = FileContent(file, 0, size)
        return response

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age_seconds: int | None = None,
        expires: datetime | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: SameSite | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Add a Set-Cookie field (RFC 6265 section 4.1).

        What is left out is the careful choice: scripts cannot read the cookie, other sites'
        requests do not carry it, and it ends with the browser's session. Over TLS say
        `secure=True` as well.

        Args:
            name: a token.
            value: printable ASCII without space, double quote, comma, semicolon or backslash.
            max_age_seconds: how long it is kept; 0 and less delete it.
            expires: until when it is kept: a datetime with a time zone, or seconds since 1970.
                max_age_seconds wins where both are given.
            path: the path under which it is sent; None leaves that to the browser.
            domain: a host name whose hosts all get it; None: this host alone.
            secure: sent over TLS only.
            http_only: out of reach for scripts.
            same_site: `"Strict"`, `"Lax"`, or `"None"`, which needs `secure`; None leaves it out.
            partitioned: kept apart for each site that embeds this one; needs `secure`.

        Raises ValueError, naming the argument.
        """
        scope = CookieScope(path, domain, secure, http_only, same_site, partitioned)
        self.headers.add("Set-Cookie", format_cookie(name, value, scope, max_age_seconds, expires))

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        same_site: SameSite | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Have the browser forget a cookie. It must be named with the `path`, `domain` and
        `partitioned` that it was set with; see set_cookie."""
        scope = CookieScope(path, domain, secure, True, same_site, partitioned)
        self.headers.add("Set-Cookie", format_cookie(name, "", scope, 0, 0))

    def copy(self) -> Response:
        """The same content under header fields that can be changed on their own: a handler may
        give one object again and again. Iterable and source stay the ones they are."""
        twin = Response.__new__(Response)
        twin.__dict__.update(self.__dict__)
        twin.body, twin.status, twin.content_type = self.body, self.status, self.content_type
        twin.ordinary, twin.start, twin.after = self.ordinary, self.start, self.after
        if self._headers is not None:
            twin._headers = self._headers.copy()
        return twin

    def __repr__(self) -> str:
        streamed = self.iterable is not None or self.source is not None
        content = "stream" if streamed else f"{len(self.body)} bytes"
        return f"<Response {self.status}, {content}>"


def as_response(result: object) -> Response:
    """The Response that a handler's result stands for; TypeError for any other type."""
    if isinstance(result, Response):
        return result
    if isinstance(result, str):
        return Response.text(result)
    if isinstance(result, (dict, list)):
        return Response.json(result)
    if isinstance(result, bytes):
        return Response(result, content_type=OCTETS)
    raise TypeError(
        f"a handler returns Response, str, bytes, dict or list, not {type(result).__name__}"
    )


def error_response(error: HTTPError) -> Response:
    """What an HTTPError is answered with: its sentence as plain text, and its header fields.

    After a ParseError nothing that follows can be trusted, so the connection is closed. Raises
    ValueError for header fields that cannot be sent.
    """
    response = Response.text(f"{error}\n", error.status, error.headers)
    if isinstance(error, ParseError):
        response.headers["Connection"] = "close"
    return response


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


def _check_status(status: object) -> None:
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise ValueError(f"status must be an integer from 200 to 599, not {status!r}")
