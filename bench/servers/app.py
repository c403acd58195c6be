"""The application that every server runs: a WSGI callable, and the answers behind it.

- `/`: Hello, World!
- `/slow?ms=N`: the same after blocking for N milliseconds
- `/cpu?n=N`: the same after N turns of a loop in Python
- `/big`: 1 MiB
- `/hello/NAME`: the same, whatever the name
- `/flask`: JSON from a Flask application, which is loaded by the first request for it
- `/upload`: the number of octets received, in decimal
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

HELLO = b"Hello, World!"
BIG = bytes(1024 * 1024)
CONTENT_TYPE = "text/plain; charset=utf-8"
GREETING = b'{"message":"Hello, World!"}\n'

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def work(turns: int) -> int:
    """Keep the interpreter busy for that many turns; the result depends on each of them."""
    value = 1
    for turn in range(turns):
        value = (value * 31 + turn) & 0xFFFF
    return value


def turns_per_millisecond() -> int:
    """How many turns of work() this interpreter does in a millisecond, at its best."""
    turns = 10_000
    best = min(_seconds(turns) for _ in range(50))
    return max(1, int(turns * 0.001 / best))


def _seconds(turns: int) -> float:
    begin = time.perf_counter()
    work(turns)
    return time.perf_counter() - begin


def number(query: str) -> int:
    """The value of a query that holds one number: ms=5."""
    return int(query.partition("=")[2])


def answer(path: str, query: str) -> bytes | None:
    """The body for a path other than /upload; None if there is none."""
    if path == "/" or path.startswith("/hello/"):
        return HELLO
    if path == "/slow":
        time.sleep(number(query) / 1000)
        return HELLO
    if path == "/cpu":
        work(number(query))
        return HELLO
    if path == "/big":
        return BIG
    return None


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The application for WSGI servers."""
    path = environ["PATH_INFO"]
    body: bytes | None
    if path == "/":
        body = HELLO
    elif path == "/flask":
        # Not a dependency of the loads that do without it, nor a part of their memory.
        return import_module("servers.flask_app").app(environ, start_response)
    elif path == "/upload":
        length = int(environ["CONTENT_LENGTH"])
        body = b"%d" % len(environ["wsgi.input"].read(length))
    else:
        body = answer(path, environ.get("QUERY_STRING", ""))
    status = "200 OK"
    if body is None:
        status, body = "404 Not Found", b"Not Found"
    start_response(status, [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    print(turns_per_millisecond())
