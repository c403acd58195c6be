"""Requests that came by no connection, for what needs none."""

from __future__ import annotations

from time import monotonic
from typing import Any, NoReturn

from fastraw import Request, parse_head


class Nobody:
    """The other end of such a request."""

    client = server = ("127.0.0.1", 1)
    scheme = "http"

    def disconnected(self) -> bool:
        return False

    def now(self) -> float:
        return monotonic()

    def upgrade(self, request: Request, protocol: str, fields: Any) -> NoReturn:
        raise AssertionError("there is no connection to upgrade")


def made(target: str, method: str = "GET", content: bytes = b"") -> Request:
    """The request that the parser makes of it."""
    head = parse_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert head is not None
    request = Request(head, Nobody())
    request.use_content(content)
    return request
