"""A name for each request: what the client or a proxy calls it, or a new one.

It is in `request.id` and `request.state["request_id"]`, in the answer's X-Request-ID, in the
lines of fastraw's access and error logs, and by RequestIdFilter in any other.
"""

from __future__ import annotations

import logging
import os
import re
from contextvars import ContextVar

from ...request import Request
from ...response import Response
from ...route import Handler, Middleware, wrap
from .chain import answer

# What cannot break a log line, nor fill it.
_SANE = re.compile(r"[0-9A-Za-z+/=@:._\-]{1,128}").fullmatch

_current: ContextVar[str] = ContextVar("fastraw_request_id", default="")


class RequestIdFilter(logging.Filter):
    """Gives every record a `request_id`, for `%(request_id)s` in a format: that of the request
    whose handler logs, or `-`. Add it to a logging handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get() or "-"
        return True


def request_id(*, header: str = "X-Request-ID", accept: bool = True) -> Middleware:
    """Name each request.

    Args:
        header: the field that the name comes in and goes out by.
        accept: take the client's name, if it has up to 128 letters, digits and `+/=@:._-`.
            False: always make one, 128 random bits in hexadecimal.
    """

    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Response:
            # One that an outer middleware has given stays.
            name = request.id or (_received(request, header) if accept else "")
            name = name or os.urandom(16).hex()
            request.id = request.state["request_id"] = name
            token = _current.set(name)
            try:
                response = answer(handler, request).copy()
            finally:
                _current.reset(token)
            response.headers[header] = name
            return response

        return wrap(handler, call)

    return middleware


def _received(request: Request, header: str) -> str:
    names = request.headers.get_all(header)
    return names[0] if len(names) == 1 and _SANE(names[0]) else ""
