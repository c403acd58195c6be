"""Answers compressed with gzip, for clients that accept it (RFC 9110 section 8.4.1.3).

1. An answer that could be compressed says `Vary: Accept-Encoding`, whether it is or not.
2. Compressed are media types that gain by it, from a size on. Left alone: what has a
   Content-Encoding, a digest of its octets, or `no-transform`; 204, 205, 206 and 304; content
   that is pushed, since a compressor would hold 256 KiB for each subscriber.
3. The client's weights decide (section 12.5.3); among equals gzip is taken.
4. A strong entity tag becomes weak: the octets are others (section 8.8.3.3).
5. Of a stream, each piece leaves at once, which costs small pieces most of what they would gain.
   HEAD is told what GET would be.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from ...fields import add_to_list, combined, parse_entity_tags, quality, split_list
from ...file import FileSlice
from ...headers import Headers
from ...request import Request
from ...response import Piece, Response
from ...route import Handler, Middleware, wrap
from .chain import answer

# Less fits into one packet anyway.
MINIMUM_BYTES = 1024
# Beyond it zlib takes much longer and gains little; it is zlib's own choice too.
LEVEL = 6
# zlib's way to ask for gzip's format, with the largest window.
_GZIP_WINDOW_BITS = 31

_NEVER = frozenset((204, 205, 206))
_TEXT_LIKE = frozenset(
    (
        *("application/javascript", "application/json", "application/rtf", "application/sql"),
        *("application/toml", "application/wasm", "application/x-javascript", "application/xml"),
        *("application/x-ndjson", "application/x-sh", "application/yaml", "font/otf", "font/ttf"),
        *("image/bmp", "image/vnd.microsoft.icon", "image/x-icon"),
    )
)
# They speak of octets that would no longer be sent (RFC 9530).
_DIGESTS = ("content-digest", "repr-digest", "digest", "content-md5")


def compressible(media_type: str) -> bool:
    """Whether content of a media type, in lower case without parameters, gains by compression."""
    return (
        media_type.startswith("text/")
        or media_type in _TEXT_LIKE
        or media_type.endswith(("+json", "+xml", "+text", "+yaml"))
    )


def gzip(
    *,
    minimum_bytes: int = MINIMUM_BYTES,
    level: int = LEVEL,
    media_types: Callable[[str], bool] = compressible,
) -> Middleware:
    """Compress answers for clients that accept it.

    Args:
        minimum_bytes: smaller content is left as it is.
        level: 1, the fastest, to 9, the smallest.
        media_types: says of a media type, in lower case, whether to compress it.

    Each piece of a stream is flushed, so that it leaves at once; pieces of a few octets hardly
    shrink by it.

    What a page says in secret beside what an attacker makes it say can be guessed from its
    compressed size (BREACH): leave such answers out, with `Cache-Control: no-transform`.

    Raises ValueError when `level` is out of range.
    """
    if level not in range(1, 10):
        raise ValueError(f"level must be 1 to 9, not {level!r}")

    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Response:
            response = answer(handler, request)
            if response.status == 304:
                return _not_modified(request, response)
            if response.ordinary and len(response.body) < minimum_bytes:
                return response  # and stays as quick to send
            length = _length(request, response)
            media_type = _media_type(response)
            if not _allowed(response) or not media_types(media_type):
                return response
            if length is not None and length < minimum_bytes:
                return response
            response = response.copy()
            add_to_list(response.headers, "Vary", "Accept-Encoding")
            if _wanted(request):
                _compress(response, length, level)
            return response

        return wrap(handler, call)

    return middleware


def _wanted(request: Request) -> bool:
    accepted = combined(request.headers, "Accept-Encoding")
    weight = quality(accepted, "gzip")
    return weight > 0 and weight >= quality(accepted, "identity")


def _media_type(response: Response) -> str:
    stated = response.headers.get("content-type") or response.content_type or ""
    return stated.partition(";")[0].strip(" \t").lower()


def _length(request: Request, response: Response) -> int | None:
    """Octets of content, as far as it is known before it is sent."""
    stated = response.headers.get("content-length", "")
    declared = int(stated) if stated and stated.isascii() and stated.isdigit() else None
    if response.iterable is not None or (request.method == "HEAD" and not response.body):
        return declared
    return len(response.body)


def _allowed(response: Response) -> bool:
    headers = response.headers
    if response.status in _NEVER or response.source is not None:
        return False
    if "content-encoding" in headers or any(name in headers for name in _DIGESTS):
        return False
    directives = split_list((combined(headers, "cache-control") or "").lower())
    if "no-transform" in directives:
        return False
    stated = headers.get_all("content-length")
    if response.iterable is None and response.body:
        # A Content-Length that contradicts the content is the handler's error, and is seen as
        # one only if it is left as it is.
        return stated in ([], [str(len(response.body))])
    # A head without content: nothing is known of what GET would have.
    return response.iterable is not None or bool(stated)


def _compress(response: Response, length: int | None, level: int) -> None:
    if response.iterable is not None:
        response.iterable = Gzipped(response.iterable, level, length)
    elif response.body:
        compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW_BITS)
        body = compressor.compress(response.body) + compressor.flush()
        if len(body) >= len(response.body):
            return
        response.body = body
    else:
        # To HEAD, by a handler that leaves the content out: its compressed length is not known,
        # and a stream is what is sent without one.
        response.iterable = ()
    headers = response.headers
    for name in ("Content-Length", "Accept-Ranges"):
        if name in headers:
            del headers[name]
    headers["Content-Encoding"] = "gzip"
    _weaken(headers)


def _weaken(headers: Headers) -> None:
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        headers["ETag"] = f"W/{tag}"


def _not_modified(request: Request, response: Response) -> Response:
    """304 has the Vary and the entity tag that 200 would have (RFC 9110 section 15.4.5). The
    client says which: it has got the weak one if it was compressed for it."""
    response = response.copy()
    headers = response.headers
    add_to_list(headers, "Vary", "Accept-Encoding")
    known = parse_entity_tags(combined(request.headers, "If-None-Match") or "")
    if known is not None and f"W/{headers.get('etag')}" in known:
        _weaken(headers)
    return response


class Gzipped:
    """An iterable's pieces, compressed. Closing it closes the iterable, begun or not."""

    def __init__(self, iterable: Iterable[Piece], level: int, length: int | None) -> None:
        self._iterable = iterable
        self._octets = self._compressed(level, length)

    def __iter__(self) -> Iterator[bytes]:
        return self._octets

    def _compressed(self, level: int, length: int | None) -> Iterator[bytes]:
        """`length` is what was stated: no more is taken, and less is an error, as without
        compression."""
        compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW_BITS)
        missing = length
        for piece in self._iterable:
            part = piece if isinstance(piece, FileSlice) else bytes(piece)
            if missing is not None:
                part = part[:missing]
                missing -= len(part)
            for octets in part.pieces() if isinstance(part, FileSlice) else (part,):
                yield compressor.compress(octets)
            if part:
                yield compressor.flush(zlib.Z_SYNC_FLUSH)
            if missing == 0:
                break
        if missing:
            raise EOFError("the stream ended before its Content-Length")
        yield compressor.flush()

    def close(self) -> None:
        self._octets.close()  # type: ignore[attr-defined]  # a generator
        close = getattr(self._iterable, "close", None)
        if close is not None:
            close()
