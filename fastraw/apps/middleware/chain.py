"""What all middleware is made of."""

from __future__ import annotations

import logging

from ...errors import ClientDisconnected, HTTPError
from ...request import Request
from ...response import Response, as_response, error_response
from ...route import Handler, Middleware, surround

_error = logging.getLogger("fastraw.error")


def compose(*middleware: Middleware) -> Middleware:
    """Several as one. The first is the outermost: it sees the request first, the answer last.

    What is returned raises TypeError when one cannot be called, or makes something that cannot be.
    """
    return lambda handler: surround(handler, middleware)


def answer(handler: Handler, request: Request) -> Response:
    """What `handler` answers, as a Response, whether it returns, raises an HTTPError or fails.

    A failure is logged and becomes a 500 that says nothing about it. For middleware that looks
    at answers; to change one, take its `copy()`: a handler may give the same object to others.
    Raises ClientDisconnected, and whatever is raised after an upgrade.
    """
    try:
        result = handler(request)
        # After an upgrade nobody will look at the result.
        return Response() if request.upgraded else as_response(result)
    except ClientDisconnected:
        raise
    except Exception as error:
        if request.upgraded:
            raise
        try:
            if isinstance(error, HTTPError):
                return error_response(error)
            _error.exception("Exception in the handler of %r", request)
        except ValueError:
            _error.exception("The headers of an HTTPError cannot be sent")
        return error_response(HTTPError(500, "The server failed to answer this request."))
