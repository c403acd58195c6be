"""Representation: what a plain GET of a resource would send; and the answer to any other.

Representation, Content -> conditions -> 304, 412
                        -> ranges     -> 206 (one, several), 416
                        -> 200; HEAD without content
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from ...dates import format_date
from ...encode import prepared_start
from ...errors import HTTPError
from ...headers import Headers
from ...request import Request
from ...response import Piece, Response
from .conditional import failed_condition, wanted_ranges
from .ranges import Multipart, Range, content_range, parse_ranges

# Content up to this size is read and sent together with its head: one system call each. It is
# also what a client that takes nothing costs in memory.
SMALL_BYTES = 64 * 1024

# With any of these a request may get something else than the whole.
CONDITIONAL = frozenset(
    (
        *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"),
        *("if-range", "range"),
    )
)
# Left out of a 304 (RFC 9110 section 15.4.5): what describes content that is not sent.
_OF_CONTENT = frozenset(("Last-Modified", "Accept-Ranges", "Content-Encoding"))

Fields = list[tuple[str, str]]


class Content(Protocol):
    """The octets of a representation."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, count: int) -> bytes:
        """These octets."""

    def slice(self, start: int, count: int) -> Piece:
        """The same, to be sent piece by piece."""

    def close(self) -> None: ...


class Representation:
    """The metadata of a representation (RFC 9110 section 8).

    Args:
        content_type: its media type.
        etag: a strong entity tag.
        modified_seconds: when it was last modified, since the epoch; None when nobody knows.
        more: more header fields of a 200.

    Attributes:
        start: the head of a 200, as Response.prepared takes it.
    """

    __slots__ = ("_fields", "content_type", "etag", "modified_seconds", "start")

    def __init__(
        self, content_type: str, etag: str, modified_seconds: int | None, more: Fields
    ) -> None:
        self.content_type = content_type
        self.etag = etag
        self.modified_seconds = modified_seconds
        self._fields = [("ETag", etag), ("Accept-Ranges", "bytes"), *more]
        if modified_seconds is not None:
            self._fields.append(("Last-Modified", format_date(modified_seconds)))
        response = Response(b"", 200, self._fields, content_type)
        self.start = prepared_start(response)

    def answer(self, request: Request, content: Content) -> Response:
        """What the request gets, by its method and conditions. The content is taken over.

        Raises HTTPError: 412, 416, and what reading the content raises.
        """
        response = None
        try:
            response = self._answer(request, content)
        finally:
            if response is None or response.iterable is None:
                content.close()
        return response

    def _answer(self, request: Request, content: Content) -> Response:
        headers, method, size = request.headers, request.method, content.size
        failed = failed_condition(headers, method, self.etag, self.modified_seconds)
        if failed == 412:
            raise HTTPError(412, "The condition of the request is not met.")
        if failed is not None:
            kept = [field for field in self._fields if field[0] not in _OF_CONTENT]
            return Response(b"", failed, kept)
        wanted = wanted_ranges(headers, method, self.etag, self.modified_seconds)
        ranges = None if wanted is None else parse_ranges(wanted, size)
        if ranges is None:
            return self._send(method, content, 200, self.content_type, [(0, size)])
        if not ranges:
            fields = [("Content-Range", f"bytes */{size}"), ("Accept-Ranges", "bytes")]
            raise HTTPError(416, "No part of the range is there.", headers=fields)
        if len(ranges) == 1:
            field = ("Content-Range", content_range(ranges[0], size))
            return self._send(method, content, 206, self.content_type, ranges, field)
        several = Multipart(ranges, size, self.content_type)
        return self._send(method, content, 206, several.content_type, several.parts)

    def _send(
        self,
        method: str,
        content: Content,
        status: int,
        content_type: str,
        parts: Sequence[bytes | Range],
        *more: tuple[str, str],
    ) -> Response:
        size = sum(len(part) if isinstance(part, bytes) else part[1] for part in parts)
        fields = Headers.from_parsed([*self._fields, *more, ("Content-Length", str(size))])
        if method == "HEAD":
            return Response(b"", status, fields, content_type)
        if size > SMALL_BYTES:
            return Response.stream(_Body(content, parts), status, fields, content_type)
        pieces = [part if isinstance(part, bytes) else content.read(*part) for part in parts]
        return Response(b"".join(pieces), status, fields, content_type)


class _Body:
    """Parts of a content, to be sent one after the other."""

    def __init__(self, content: Content, parts: Sequence[bytes | Range]) -> None:
        self._content = content
        self._parts = parts

    def __iter__(self) -> Iterator[Piece]:
        for part in self._parts:
            yield part if isinstance(part, bytes) else self._content.slice(*part)

    def close(self) -> None:
        self._content.close()
