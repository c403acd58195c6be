"""Response -> the octets to send: status line, fields, framing (RFC 9112 sections 4 to 7).

The server owns what frames a message and what manages the connection. Of a handler's fields:

1. Content-Length must agree with the content; one is sent. A contradiction is an EncodeError.
2. Transfer-Encoding is an EncodeError.
3. Connection can say `close`, which `closes` finds; nothing else of it is sent. What else it has
   to say is known here: `Upgrade` where there is that field, for one (RFC 9110 section 7.8).
4. Date replaces ours; one is sent.
"""

from __future__ import annotations

from typing import TypeVar

from ._message_py import JOINED_BYTES, NO_CONTENT
from .dates import format_date
from .errors import FastrawError, HTTPError, reason_phrase
from .file import FileSlice
from .headers import Headers, field_value
from .parse import prepared_answer
from .response import Response, error_response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Fields that frame a message or manage the connection; written here or not at all.
_MANAGED = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive"))
starts: tuple[dict[str, bytes], ...] = tuple({} for _ in range(600))
"""Of ordinary responses, by status, then by media type (empty for none): the lines that say these.
`encode_ordinary` fills it, and whoever is in a hurry looks here first. A dict whose keys are all
str is read without a lock on free-threaded builds, too."""
# Media types are few; a handler that invents them without end gets no cache.
_STARTS_LIMIT = 64


class EncodeError(FastrawError):
    """A handler's response contradicts itself; the client is answered with 500."""


def date_field(now: float) -> bytes:
    """The Date field line as IMF-fixdate, with its CRLF (RFC 9110 sections 5.6.7 and 6.6.1).

    `now` counts seconds since the epoch.
    """
    return b"Date: %b\r\n" % format_date(now).encode()


def closes(response: Response) -> bool:
    """Whether the handler asked for the connection to be closed after this response."""
    fields = response._headers
    if fields is None:
        return False
    options = ",".join(fields.get_all("connection")).lower().split(",")
    return "close" in (option.strip(" \t") for option in options)


def encode_ordinary(response: Response, date: bytes) -> bytes | None:
    """What `encode` gives for a Response that is `ordinary` or `prepared`, to a request that is
    ordinary; None when there is more to it than that, or too much of it to be copied.

    Args:
        date: the Date field line and the empty line that ends the head.
    """
    if not response.ordinary:
        return prepared_answer(response, date)
    if response.status in NO_CONTENT:
        return None
    body = response.body
    if len(body) > JOINED_BYTES:
        return None
    content_type, known = response.content_type, starts[response.status]
    start = _start(response, content_type)
    if content_type != "" and len(known) < _STARTS_LIMIT:
        known[content_type or ""] = start
    return b"%bContent-Length: %d\r\n%b%b" % (start, len(body), date, body)


def encode(
    response: Response, method: str, minor_version: int, keep_alive: bool, date: bytes
) -> bytes:
    """A whole message: head and content. As `encode_parts`."""
    return b"".join(encode_parts(response, method, minor_version, keep_alive, date))


def encode_parts(
    response: Response, method: str, minor_version: int, keep_alive: bool, date: bytes
) -> tuple[bytes, bytes]:
    """A message's head, and its content as the response has it: a large one is not copied.

    Args:
        response: one whose content is bytes.
        method: the request's method; HEAD gets the head that GET would get, without content.
        minor_version: of the request; a kept connection is stated to an HTTP/1.0 client.
        keep_alive: False sends `Connection: close`.
        date: the Date field line.

    Raises EncodeError.
    """
    status, body = response.status, response.body
    _settle(response)
    declared = _declared_length(response)
    length: int | None = len(body)
    if status in NO_CONTENT:
        # 204 has no Content-Length (RFC 9110 section 8.6); 304 states one only if the handler
        # knows what GET would have; 205 says that it ends at once.
        length = 0 if status == 205 else declared if status == 304 else None
        body = b""
    elif method == "HEAD":
        # A handler that leaves the content out for HEAD may state the length that GET has.
        length = declared if declared is not None and not body else length
        body = b""
    elif declared is not None and declared != length:
        raise EncodeError(f"Content-Length is {declared}, but the content has {length} octets")
    return _head(response, length, False, minor_version, keep_alive, date), body


def prepared_start(response: Response) -> bytes:
    """The status line and the fields of a response, for Response.prepared: for who sends the same
    head again and again. Its fields must be checked, and none that the server manages."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return _start(response, response.content_type) + fields.encode("latin-1")


def encode_stream_head(
    response: Response, method: str, minor_version: int, keep_alive: bool, date: bytes
) -> tuple[bytes, Framing, bool]:
    """The head of a response whose content is an iterable, how its pieces are framed, and
    whether the connection can be kept.

    Unknown length: chunked on 1.1; on 1.0 the end of the connection ends the content
    (RFC 9112 section 6.3). Raises EncodeError.
    """
    _settle(response)
    length = _declared_length(response)
    if response.status in NO_CONTENT:
        length = 0 if response.status == 205 else length if response.status == 304 else None
        chunked = False
    else:
        chunked = length is None and minor_version > 0
        keep_alive = keep_alive and (length is not None or chunked)
    head = _head(response, length, chunked, minor_version, keep_alive, date)
    if method == "HEAD" or response.status in NO_CONTENT:
        return head, Framing(0, False), keep_alive
    return head, Framing(length, chunked), keep_alive


Content = TypeVar("Content", bytes, FileSlice)


class Framing:
    """How the pieces of a streamed response are sent.

    Attributes:
        remaining: octets still to send of a stated length; None when the length is unknown.
        chunked: whether each piece is a chunk (RFC 9112 section 7.1).
    """

    __slots__ = ("chunked", "remaining")

    def __init__(self, remaining: int | None, chunked: bool) -> None:
        self.remaining = remaining
        self.chunked = chunked

    def frame(self, piece: bytes) -> bytes:
        """The octets to send for a piece."""
        if self.chunked:
            return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        return self.clip(piece)

    def clip(self, piece: Content) -> Content:
        """A piece that is not sent as a chunk, without what goes beyond the stated length."""
        if self.remaining is not None:
            piece = piece[: self.remaining]
            self.remaining -= len(piece)
        return piece


def encode_switch(protocol: str, fields: Headers, date: bytes) -> bytes:
    """101 (Switching Protocols), RFC 9110 section 15.2.2."""
    more = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {field_value('Upgrade', protocol)}\r\n"
    return b"%b%bConnection: Upgrade\r\n%b\r\n" % (
        head.encode("latin-1"), date, more.encode("latin-1")
    )  # fmt: skip


def encode_error(
    error: HTTPError, method: str, minor_version: int, keep_alive: bool, date: bytes
) -> bytes:
    """An HTTPError as a complete plain-text answer."""
    return encode(error_response(error), method, minor_version, keep_alive, date)


def _head(
    response: Response,
    length: int | None,
    chunked: bool,
    minor_version: int,
    keep_alive: bool,
    date: bytes,
) -> bytes:
    fields, content_type = response._headers, response.content_type
    more: list[str] = []
    options = [] if keep_alive else ["close"]
    if keep_alive and not minor_version:
        options.append("keep-alive")
    if fields is not None:
        for name, value in fields.items():
            key = name.lower()
            if key == "content-type":
                content_type = None
            elif key == "upgrade":
                options.append("Upgrade")
            elif key == "date":
                if not date:
                    continue
                date = b""
            if key not in _MANAGED:
                more.append(f"{name}: {value}\r\n")
    lines = [_start(response, content_type)]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif length is not None:
        lines.append(b"Content-Length: %d\r\n" % length)
    lines.append(date)
    lines.append("".join(more).encode("latin-1"))
    if options:
        lines.append(f"Connection: {', '.join(options)}\r\n".encode())
    lines.append(b"\r\n")
    return b"".join(lines)


def _settle(response: Response) -> None:
    """Give up a prepared start that says otherwise than what has been set since."""
    start, content_type = response.start, response.content_type
    if start is None or (start[9:12] == b"%d" % response.status and content_type is None):
        return
    fields = response.headers  # made of the start, which is gone with that
    if content_type is not None:
        fields["Content-Type"] = content_type


def _start(response: Response, content_type: str | None) -> bytes:
    """The status line, and what goes with it most often."""
    if response.start is not None:
        return response.start
    status, reason = response.status, response.reason
    line = f"HTTP/1.1 {status} {reason_phrase(status) if reason is None else reason}\r\n"
    if content_type is not None:
        line += f"Content-Type: {field_value('Content-Type', content_type)}\r\n"
    return line.encode("latin-1")


def _declared_length(response: Response) -> int | None:
    """The handler's own Content-Length, checked; EncodeError when it cannot be one."""
    fields = response._headers
    if fields is None:
        return None
    if "transfer-encoding" in fields:
        raise EncodeError("Transfer-Encoding is set by the server, not by a handler")
    values = set(fields.get_all("content-length"))
    if not values:
        return None
    value = values.pop()
    if values or not (value.isascii() and value.isdigit()):
        raise EncodeError("Content-Length must be one decimal number")
    return int(value)
