"""fastraw: an HTTP/1.1 server for Python code that blocks and runs on threads.

The public names. Each is imported when it is first asked for (PEP 562): who wants the parser alone
does not wait for the server, nor who wants the server for TLS.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apps.events import Broadcast, EventStream
    from .apps.middleware import compose
    from .apps.router import Router
    from .apps.static import StaticFiles
    from .apps.wsgi import WSGI
    from .engine.tls import TLS
    from .errors import BindError, ClientDisconnected, FastrawError, HTTPError, ParseError
    from .headers import Headers
    from .limits import Limits, Timeouts
    from .parse import IMPLEMENTATION, Head, parse_head
    from .request import Request
    from .response import Response
    from .running import Stats, StopReport
    from .server import FastServer

__version__ = "0.1.0"

_ORIGINS = {
    "IMPLEMENTATION": ".parse",
    "TLS": ".engine.tls",
    "WSGI": ".apps.wsgi",
    "BindError": ".errors",
    "Broadcast": ".apps.events",
    "ClientDisconnected": ".errors",
    "EventStream": ".apps.events",
    "FastServer": ".server",
    "FastrawError": ".errors",
    "HTTPError": ".errors",
    "Head": ".parse",
    "Headers": ".headers",
    "Limits": ".limits",
    "ParseError": ".errors",
    "Request": ".request",
    "Response": ".response",
    "Router": ".apps.router",
    "StaticFiles": ".apps.static",
    "Stats": ".running",
    "StopReport": ".running",
    "Timeouts": ".limits",
    "compose": ".apps.middleware",
    "parse_head": ".parse",
}
"""Public name -> the module that has it."""

__all__ = [
    "IMPLEMENTATION",
    "TLS",
    "WSGI",
    "BindError",
    "Broadcast",
    "ClientDisconnected",
    "EventStream",
    "FastServer",
    "FastrawError",
    "HTTPError",
    "Head",
    "Headers",
    "Limits",
    "ParseError",
    "Request",
    "Response",
    "Router",
    "StaticFiles",
    "Stats",
    "StopReport",
    "Timeouts",
    "compose",
    "parse_head",
]


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ORIGINS[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
