"""Middleware: takes a handler, returns a handler.

chain.py         compose, and answer: any handler's answer as a Response
gzipping.py      gzip: answers compressed for who accepts that
request_ids.py   request_id: a name for each request, in its answer and in the log
proxies.py       proxy_headers: the client that a trusted proxy speaks for
cross_origin.py  cors: which other sites' scripts may read the answers
"""

from ...route import Middleware
from .chain import answer, compose
from .cross_origin import cors
from .gzipping import gzip
from .proxies import proxy_headers
from .request_ids import RequestIdFilter, request_id

__all__ = [
    "Middleware",
    "RequestIdFilter",
    "answer",
    "compose",
    "cors",
    "gzip",
    "proxy_headers",
    "request_id",
]
