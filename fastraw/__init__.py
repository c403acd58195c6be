"""fastraw: an HTTP/1.1 server for Python code that blocks and runs on threads."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import BindError, ClientDisconnected, FastrawError, HTTPError, ParseError
from .headers import Headers
from .limits import Limits, Timeouts
from .parse import IMPLEMENTATION, Head, parse_head
from .request import Request
from .response import Response
from .server import FastServer, Stats, StopReport

if TYPE_CHECKING:
    from .apps.events import Broadcast, EventStream
    from .apps.middleware import compose
    from .apps.router import Router
    from .apps.static import StaticFiles
    from .apps.wsgi import WSGI
    from .engine.tls import TLS

__version__ = "0.1.0"

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

# What takes long to import, and is not always needed.
_LATER = {
    "Broadcast": ".apps.events",
    "EventStream": ".apps.events",
    "Router": ".apps.router",
    "StaticFiles": ".apps.static",
    "TLS": ".engine.tls",
    "WSGI": ".apps.wsgi",
    "compose": ".apps.middleware",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name], __name__), name)
    return value
