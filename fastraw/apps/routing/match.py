"""What a router has found for a request, and what is called where it has no handler."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from ...errors import HTTPError
from ...request import Request
from ...response import Response
from ...route import Answer, Handler
from .segment_tree import ANY, Route

Result = TypeVar("Result")


Match = tuple[Route | None, Handler, Mapping[str, Any], str, str | None]
"""What a router has found for a request (a bare tuple: one is made for most requests):

1. the route; None when there is none for its path and method
2. what to call
3. what the pattern's parameters took
4. where the router itself was mounted
5. for a mount, where its handler is mounted
"""


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


def within(
    mount_path: str, values: Mapping[str, Any], request: Request, call: Callable[[Request], Result]
) -> Result:
    """Call with the request as a handler sees it that is mounted there."""
    before = request.mount_path, request.path_params
    request.mount_path = mount_path
    request.path_params = {**request.path_params, **values}
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
