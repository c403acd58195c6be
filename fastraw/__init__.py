"""fastraw: an HTTP/1.1 server for Python code that blocks and runs on threads."""

from .errors import BindError, ClientDisconnected, FastrawError, HTTPError, ParseError
from .headers import Headers
from .limits import Limits, Timeouts
from .parse import IMPLEMENTATION, Head, parse_head
from .request import Request
from .response import Response
from .server import FastServer, Stats, StopReport

__version__ = "0.1.0"

__all__ = [
    "IMPLEMENTATION",
    "BindError",
    "ClientDisconnected",
    "FastServer",
    "FastrawError",
    "HTTPError",
    "Head",
    "Headers",
    "Limits",
    "ParseError",
    "Request",
    "Response",
    "Stats",
    "StopReport",
    "Timeouts",
    "parse_head",
]
