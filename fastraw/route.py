"""What a handler may tell the server about itself, beside being called.

stream_body    True, or a function of the request: called before the content has arrived
route_key      a function of the request: what stands for its route when slowness is learned
route_options  a function of the request: a RouteOptions; asked instead of stream_body

What wraps a handler passes them on: see `wrap`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from types import CodeType
from typing import Any

from .arguments import is_seconds
from .request import Request
from .response import Response

Answer = Response | str | bytes | dict[str, Any] | list[Any]
Handler = Callable[[Request], Answer]
Middleware = Callable[[Handler], Handler]

_error = logging.getLogger("fastraw.error")

_TOLD = ("stream_body", "route_key", "route_options")

# Of a code object: CO_COROUTINE and CO_ASYNC_GENERATOR, as `inspect` has them, which costs more to
# import than all of this package.
_ASYNCHRONOUS = 0x80 | 0x200


@dataclass(frozen=True)
class RouteOptions:
    """How the requests of one route are served.

    Raises TypeError or ValueError, naming the field, for a value that it cannot have.
    """

    stream_body: bool = False
    """Call the handler at the end of the head; it reads the content from `request.stream`."""

    max_body_bytes: int | None = None
    """Content beyond this is answered with 413. None: what the server's Limits say."""

    control: bool = False
    """Answer even when every worker is blocked and the queue is full."""

    timeout_seconds: float | None = None
    """What `request.deadline` begins with, when the request is complete: waiting for a worker
    counts. None: there is no deadline."""

    def __post_init__(self) -> None:
        for name, value in (("stream_body", self.stream_body), ("control", self.control)):
            if type(value) is not bool:
                raise TypeError(f"{name} must be True or False, not {value!r}")
        size, seconds = self.max_body_bytes, self.timeout_seconds
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"max_body_bytes must be a positive integer or None, not {size!r}")
        if seconds is not None and not (is_seconds(seconds) and seconds > 0):
            raise ValueError(f"timeout_seconds must be a positive number or None, not {seconds!r}")


DEFAULT = RouteOptions()
STREAMED = RouteOptions(stream_body=True)


def is_asynchronous(call: Any) -> bool:
    """Whether what is called gives a coroutine: an `async def`, also behind a partial object, or
    as the `__call__` of an object."""
    while isinstance(call, partial):
        call = call.func
    codes = (getattr(each, "__code__", None) for each in (call, type(call).__call__))
    return any(isinstance(code, CodeType) and code.co_flags & _ASYNCHRONOUS for code in codes)


def check_callable(name: str, value: object) -> None:
    """TypeError, naming the argument, for what cannot be called, or would not answer."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {value!r}")
    if is_asynchronous(value):
        raise TypeError(f"{name} must be a plain function, which may block, not async: {value!r}")


def options_of(handler: Handler) -> Callable[[Request], RouteOptions]:
    """What gives the options of a request to `handler`, from whichever attribute tells them."""
    told = getattr(handler, "route_options", None)
    if told is not None:
        return told  # type: ignore[no-any-return]
    streams = getattr(handler, "stream_body", False)
    if callable(streams):
        return lambda request: STREAMED if streams(request) else DEFAULT
    options = STREAMED if streams else DEFAULT
    return lambda request: options


def key_of(handler: Handler) -> Callable[[Request], Hashable]:
    """What gives the route of a request to `handler`. It runs between requests: a fault in the
    handler's `route_key` must cost none of them."""
    told = getattr(handler, "route_key", None)
    if told is None:
        return default_key

    def key(request: Request) -> Hashable:
        try:
            found: Hashable = told(request)
            hash(found)
        except Exception:
            _error.exception("Exception in the route_key of %r", request)
            return default_key(request)
        return found

    return key


def default_key(request: Request) -> str:
    """Without a router: the method and the first segment of the path. As a str, since a dict of
    nothing else is read without a lock on free-threaded builds, too."""
    path = request.raw_path
    end = path.find("/", 1)
    return f"{request.method} {path if end < 0 else path[:end]}"


def wrap(handler: Handler, call: Handler) -> Handler:
    """`call` as a handler that tells the server what `handler` tells it.

    A middleware returns this around the handler that it was given:

        def timed(handler: Handler) -> Handler:
            def call(request: Request) -> Answer: ...
            return wrap(handler, call)

    Raises TypeError when one of the two cannot be called, or is asynchronous.
    """
    check_callable("handler", handler)
    check_callable("call", call)
    # A partial object carries attributes, and calling through it costs no frame.
    wrapped = update_wrapper(partial(call), handler, updated=())
    for name in _TOLD:
        if hasattr(handler, name):
            setattr(wrapped, name, getattr(handler, name))
    return wrapped


def surround(handler: Handler, middleware: Sequence[Middleware]) -> Handler:
    """`handler` inside of all middleware, the first of which is the outermost.

    Raises TypeError when one cannot be called, or makes something that cannot be.
    """
    for each in reversed(middleware):
        check_callable("a middleware", each)
        handler = each(handler)
        if not callable(handler) or is_asynchronous(handler):
            raise TypeError(f"{each!r} must make a handler, not {handler!r}")
    return handler
