"""What every request and response has, in Python: the reference that `_parse` must agree with.

The extension keeps these few attributes where C finds them; the classes that users see are built
on either, and have everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from ._environ_py import raw_path_and_query
from ._parse_py import Head, parse_head
from .limits import Limits

if TYPE_CHECKING:
    from typing_extensions import Self

OCTETS = "application/octet-stream"

# RFC 9110 section 6.4.1 and 15.3.6: responses to these never have content.
NO_CONTENT = frozenset((204, 205, 304))

# Content up to this size is sent with its head in one piece; to copy more takes longer than a send
# of two pieces, and memory that the allocator asks the system for.
JOINED_BYTES = 32 * 1024

Starts = tuple[dict[str, bytes], ...]
_Class = TypeVar("_Class", bound=type)
_Peer = TypeVar("_Peer")
_Request = TypeVar("_Request")


class RequestBase:
    """A request's head, the connection it came by, and what most handlers ask for."""

    head: Head
    _peer: Any
    ordinary: bool
    """For the server: neither this request nor the way it is served asks for special care."""
    mount_path: str = ""
    """The part of `raw_path` that mounts have consumed, as received: `/app` in a handler mounted
    there, empty at the top. `path`, `raw_path` and `target` stay whole."""

    @property
    def method(self) -> str:
        """The method, in the case received; methods are case-sensitive (RFC 9110 section 9)."""
        return self.head.method

    @property
    def target(self) -> str:
        """The request target as received (RFC 9112 section 3.2)."""
        return self.head.target

    @property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8; octets that are not UTF-8 become U+FFFD."""
        target = self.head.target
        if "?" in target or "%" in target or target[0] != "/":
            return unquote(raw_path_and_query(target)[0])
        return target


class ResponseBase:
    """Content, status and media type; `ordinary`, for the server, says whether that is all.

    Attributes:
        start: of a response that is `prepared`, the beginning of its head.
        after: called once the answer is on its way, on the thread that ran the handler.
    """

    body: bytes
    status: int
    content_type: str | None
    ordinary: bool
    start: bytes | None = None
    after: Callable[[], object] | None = None

    @classmethod
    def prepared(cls, start: bytes, status: int, body: bytes) -> Self:
        """A response whose status line and fields are octets already, checked by the caller.

        `start` ends with a CRLF and holds neither Date nor what frames the content. It holds the
        media type: `content_type` is None, and says another one when it is set.
        """
        response = cls.__new__(cls)
        response.body = body
        response.status = status
        response.content_type = None
        response.start = start
        response.ordinary = False
        return response


def quick(cls: _Class) -> _Class:
    """Class decorator: what its `__init__` does in nearly every call may be done without it.

    Not for a subclass, which may have its own.
    """
    return cls


def parse_request(
    cls: Callable[[Head, _Peer], _Request],
    data: bytes | bytearray,
    seen: int,
    limits: Limits,
    peer: _Peer,
) -> _Request | Head | None:
    """`parse_head`, and `cls(head, peer)` where the data is an ordinary head and nothing more."""
    head = parse_head(data, 0, seen, limits)
    if head is not None and head.ordinary and head.size == len(data):
        return cls(head, peer)
    return head


def prepared_answer(response: ResponseBase, date: bytes) -> bytes | None:
    """The whole answer of a `prepared` response to an ordinary request; None when it has been
    given another media type or status since, or one that content must not follow, or has more
    content than JOINED_BYTES."""
    start, status, body = response.start, response.status, response.body
    if (
        start is None
        or response.content_type is not None
        or status in NO_CONTENT
        or len(body) > JOINED_BYTES
        or start[9:12] != b"%d" % status
    ):
        return None
    return b"%bContent-Length: %d\r\n%b%b" % (start, len(body), date, body)


def known_answer(
    request: RequestBase, response: ResponseBase, starts: Starts, date: bytes
) -> bytes | None:
    """The whole answer to an ordinary request, when `starts` knows what its head begins with, or
    the response has been prepared; None when there is more to it, or to do after it.

    `starts` are told apart by status, then by media type, empty for none.
    """
    if not request.ordinary:
        return None
    if not response.ordinary:
        return None if response.after is not None else prepared_answer(response, date)
    body, status, content_type = response.body, response.status, response.content_type
    if (
        type(body) is not bytes
        or len(body) > JOINED_BYTES
        or type(status) is not int
        or not 200 <= status <= 599
        or not (content_type is None or (type(content_type) is str and content_type))
    ):
        return None
    start = starts[status].get(content_type or "")
    if start is None:
        return None
    return b"%bContent-Length: %d\r\n%b%b" % (start, len(body), date, body)
