"""What the parsers and decoders make of octets, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastraw import Limits, ParseError
from fastraw.body import ChunkedDecoder

Outcome = tuple[Any, ...] | None
"""None: not complete yet; ("fault", status, sentence); or what was found."""


def of_head(parse_head: Callable[..., Any], *arguments: Any) -> Outcome:
    """What `parse_head` makes of its arguments."""
    try:
        head = parse_head(*arguments)
    except ParseError as error:
        return "fault", error.status, error.detail
    if head is None:
        return None
    return (
        head.method,
        head.target,
        head.minor_version,
        head.headers.items(),
        head.content_length,
        head.chunked,
        head.keep_alive,
        head.expect_continue,
        head.upgrade,
        head.size,
        # Derived from the above; a parser that differs here alone would still be a difference.
        head.ordinary,
    )


def of_head_in_pieces(
    parse_head: Callable[..., Any], octets: bytes, start: int, cuts: Iterable[int], limits: Limits
) -> Outcome:
    """The same, of a buffer that grows to each of `cuts` in turn, and then to its end."""
    buffer = bytearray(octets[:start])
    outcome: Outcome = None
    for end in (*cuts, len(octets)):
        seen = len(buffer)
        buffer += octets[seen:end]
        outcome = of_head(parse_head, buffer, start, seen if seen > start else 0, limits)
        if outcome is not None:
            break
    return outcome


def of_content(octets: bytes, cuts: Iterable[int], limits: Limits, room: int | None) -> Outcome:
    """What a ChunkedDecoder makes of `octets` that come cut up: its content so far, how much of
    them it took, the trailers, and the fault that ended it."""
    decoder = ChunkedDecoder(limits, room)
    content: list[bytes] = []
    begin = taken = 0
    fault = None
    for end in (*cuts, len(octets)):
        try:
            used = decoder.feed(octets[begin:end], 0, content.append)
        except ParseError as error:
            fault = error.status, error.detail
            break
        taken += used
        begin = end
        if decoder.done:
            break
    trailers = None if decoder.trailers is None else decoder.trailers.items()
    return b"".join(content), None if fault else taken, decoder.done, trailers, fault
