"""What a program says of a route when it adds it, checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from time import monotonic
from typing import Any, Literal, TypedDict

from ...request import Request
from ...route import Answer, Handler, RouteOptions

_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


class Options(TypedDict, total=False):
    """What can be said of a route beside its pattern and methods."""

    name: str
    """What `url_for` knows it by; without it, the handler's `__name__`."""
    stream_body: bool
    """Call the handler at the end of the head; it reads the content from `request.stream`."""
    max_body_bytes: int
    """Content beyond this is answered with 413, whatever the server's Limits allow."""
    timeout_seconds: float
    """What `request.deadline` begins with when the request is complete; see RouteOptions."""
    lane: Literal["control"]
    """Answered even when every worker is blocked and the queue is full."""


def with_timeout(handler: Handler, seconds: float | None) -> Handler:
    if seconds is None:
        return handler

    def run(request: Request) -> Answer:
        if request.deadline_at is None:  # else something around has begun to count
            request.deadline_at = (request.queued_at or monotonic()) + seconds
        return handler(request)

    return run


def check_options(
    name: str | None = None,
    lane: str | None = None,
    stream_body: bool | None = None,
    max_body_bytes: int | None = None,
    timeout_seconds: float | None = None,
) -> tuple[str | None, dict[str, Any]]:
    """The name, and what is given of RouteOptions."""
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"name must be a str that is not empty, not {name!r}")
    if lane not in (None, "control"):
        raise ValueError(f"lane must be 'control' or left out, not {lane!r}")
    options: dict[str, Any] = {
        "stream_body": stream_body,
        "max_body_bytes": max_body_bytes,
        "timeout_seconds": timeout_seconds,
        "control": None if lane is None else True,
    }
    given = {key: value for key, value in options.items() if value is not None}
    RouteOptions(**given)  # refuses what is wrong
    return name, given


def check_methods(methods: Collection[str]) -> tuple[str, ...]:
    listed = isinstance(methods, Collection) and not isinstance(methods, (str, bytes))
    wanted = tuple(dict.fromkeys(methods)) if listed else ()
    if not wanted:
        raise TypeError(f"methods must be a list of at least one, like ['GET'], not {methods!r}")
    for method in wanted:
        # RFC 9110 section 9.1: a token, and case-sensitive; in small letters it is a slip.
        if not isinstance(method, str) or not _token(method) or method != method.upper():
            raise ValueError(f"a method must be a token like 'GET', not {method!r}")
    return wanted


def name_of(handler: Handler) -> str:
    return str(getattr(handler, "__name__", ""))


def caller(module: dict[str, Any]) -> str:
    """File and line of the code that called into the module with those globals."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals is module:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
