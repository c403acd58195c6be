"""What a router has found for a request, and what is called where it has no handler."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from ..errors import HTTPError
from ..request import Request
from ..response import Response
from ..route import Answer, Handler
from .segment_tree import ANY, Route

Result = TypeVar("Result")


class Match(NamedTuple):
    """What a router has found for a request.

    Attributes:
        route: None when there is none for its path and method.
        run: what to call.
        values: what the pattern's parameters took.
        mount_path: where the router itself was mounted.
        below: for a mount, where its handler is mounted.
    """

    route: Route | None
    run: Handler
    values: dict[str, Any]
    mount_path: str
    below: str | None = None


def missing(request: Request) -> Answer:
    raise HTTPError(404)


def raising(status: int, detail: str, **fields: str) -> Handler:
    def refuse(request: Request) -> Answer:
        raise HTTPError(status, detail, headers=fields.items())

    return refuse


def allowing(methods: set[str]) -> Handler:
    return lambda request: Response(status=204, headers={"Allow": allow(methods)})


def allow(methods: set[str]) -> str:
    head = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted({*methods, *head, "OPTIONS"} - {ANY}))


def within(match: Match, request: Request, call: Callable[[Request], Result]) -> Result:
    """Call with the request as the mounted handler sees it."""
    before = request.mount_path, request.path_params
    assert match.below is not None
    request.mount_path = match.below
    if match.values:
        request.path_params = {**request.path_params, **match.values}
    try:
        return call(request)
    finally:
        request.mount_path, request.path_params = before


def key_below(request: Request) -> Hashable:
    """For a mounted handler that has no better idea: method and first segment."""
    return request.method, request.subpath[1:].partition("/")[0]


def unwrapped(handler: Any) -> Any:
    """What middleware was put around."""
    while hasattr(handler, "__wrapped__"):
        handler = handler.__wrapped__
    return handler
