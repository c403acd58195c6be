"""What every request and response has, in Python: the reference that `_parse` must agree with.

The extension keeps these few attributes where C finds them; the classes that users see are built
on either, and have everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

from ._environ_py import raw_path_and_query
from ._parse_py import Head, parse_head
from .limits import Limits

OCTETS = "application/octet-stream"

HeadKey = tuple[int, str | None, int]
_Class = TypeVar("_Class", bound=type)
_Peer = TypeVar("_Peer")
_Request = TypeVar("_Request")


class RequestBase:
    """A request's head, the connection it came by, and what most handlers ask for."""

    head: Head
    _peer: Any
    ordinary: bool
    """For the server: neither this request nor the way it is served asks for special care."""

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
    """Content, status and media type; `ordinary`, for the server, says whether that is all."""

    body: bytes
    status: int
    content_type: str | None
    ordinary: bool


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


def known_answer(
    request: RequestBase, response: ResponseBase, heads: dict[HeadKey, bytes], date: bytes
) -> bytes | None:
    """The whole answer, when both are ordinary and `heads` knows the head up to Date."""
    if not (request.ordinary and response.ordinary):
        return None
    body = response.body
    head = heads.get((response.status, response.content_type, len(body)))
    return None if head is None else head + date + body
