"""Conditional requests (RFC 9110 section 13): whether to go on, and with all or with ranges.

Evaluated in this order (section 13.2.2), for a representation that a plain request would get:

1. If-Match, strongly compared; else If-Unmodified-Since: 412 when false.
2. If-None-Match, weakly compared; else If-Modified-Since: 304 when false, 412 for methods that
   change something.
3. Range of a GET, unless If-Range says that the client has another representation.

A date that is none, or that is there twice, is no condition (section 13.1.3 and following).
"""

from __future__ import annotations

from ...fields import combined, parse_entity_tags, strongly_equal, weakly_equal
from ...headers import Headers
from .httpdate import parse_date


def failed_condition(
    headers: Headers, method: str, etag: str, modified_seconds: int | None
) -> int | None:
    """The status that answers a request whose condition is false, 304 or 412; None to go on.

    Args:
        headers: of the request.
        method: of the request.
        etag: of the representation, as it is sent.
        modified_seconds: its Last-Modified; None when it has none.
    """
    tags = combined(headers, "if-match")
    if tags is not None:
        listed = parse_entity_tags(tags) or ()
        if not any(tag == "*" or strongly_equal(tag, etag) for tag in listed):
            return 412
    elif modified_seconds is not None:
        since = _date(headers, "if-unmodified-since")
        if since is not None and modified_seconds > since:
            return 412
    tags = combined(headers, "if-none-match")
    reads = method in ("GET", "HEAD")
    if tags is not None:
        listed = parse_entity_tags(tags) or ()
        if any(tag == "*" or weakly_equal(tag, etag) for tag in listed):
            return 304 if reads else 412
    elif reads and modified_seconds is not None:
        since = _date(headers, "if-modified-since")
        if since is not None and modified_seconds <= since:
            return 304
    return None


def wanted_ranges(
    headers: Headers, method: str, etag: str, modified_seconds: int | None
) -> str | None:
    """The Range field when it is to be honoured, None otherwise (RFC 9110 sections 13.1.5 and
    14.2). The arguments are those of `failed_condition`."""
    ranges = combined(headers, "range")
    if ranges is None or method != "GET":
        return None
    validators = headers.get_all("if-range")
    if not validators:
        return ranges
    if len(validators) > 1:
        return None
    if strongly_equal(validators[0], etag):
        return ranges
    # A date has to be the very one that was sent: earlier and later ones are of other content.
    date = parse_date(validators[0])
    return ranges if date is not None and date == modified_seconds else None


def _date(headers: Headers, name: str) -> int | None:
    values = headers.get_all(name)
    return parse_date(values[0]) if len(values) == 1 else None
