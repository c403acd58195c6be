"""A bare handler, without a router, that shows what arrived and answers as it is told.

python -m tests.apps.wire_app PORT

GET /                       Hello, World!
any /echo                   the content, as it came
any /head-info              the head as JSON; the content is not read
/slow?ms=N                  sleeps N milliseconds
/stream?n=N&size=S          N pieces of S octets, length not declared
/boom                       raises
/status?code=N              status N with five octets
/set-header?name=A&value=B  a response field; both percent-decoded to latin-1
/short?declare=N&send=M     Content-Length N, but M octets
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from fastraw import FastServer, HTTPError, Request, Response

Answer = Response | str | bytes | dict[str, Any]

PIECE_BYTES = 16 * 1024


def handler(request: Request) -> Answer:
    """Answer one request; 404 for a path that is not above."""
    path = request.path
    if path == "/" and request.method in ("GET", "HEAD"):
        return hello(request)
    route = ROUTES.get(path)
    if route is None:
        raise HTTPError(404)
    return route(request)


def hello(request: Request) -> Answer:
    return "Hello, World!"


def echo(request: Request) -> Answer:
    return request.body


def head_info(request: Request) -> Answer:
    return {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "query": request.query_string,
        "version": request.version,
        "headers": request.headers.items(),
    }


def slow(request: Request) -> Answer:
    milliseconds = number(request, "ms")
    time.sleep(milliseconds / 1000)
    return f"slept {milliseconds} ms"


def stream(request: Request) -> Answer:
    piece = b"x" * number(request, "size")
    return Response.stream(piece for _ in range(number(request, "n")))


def boom(request: Request) -> Answer:
    raise RuntimeError("this handler always fails")


def status(request: Request) -> Answer:
    return Response("five\n", status=number(request, "code"))


def set_header(request: Request) -> Answer:
    # Percent-decoding only: here a plus sign is a plus sign, and any octet can be asked for.
    pairs = (part.partition("=") for part in request.query_string.split("&"))
    values = {name: unquote(value, "latin-1") for name, _, value in pairs}
    return Response("header set\n", headers=[(values["name"], values["value"])])


def short(request: Request) -> Answer:
    declared, sent = number(request, "declare"), number(request, "send")
    return Response.stream(octets(sent), headers={"Content-Length": str(declared)})


ROUTES: dict[str, Callable[[Request], Answer]] = {
    "/echo": echo,
    "/head-info": head_info,
    "/slow": slow,
    "/stream": stream,
    "/boom": boom,
    "/status": status,
    "/set-header": set_header,
    "/short": short,
}


def number(request: Request, name: str) -> int:
    """A parameter of the query that must be a number; HTTPError 400 otherwise."""
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise HTTPError(400, f"The parameter {name} must be a number.")
    return int(text)


def octets(size: int) -> Iterator[bytes]:
    """`size` octets in pieces."""
    while size > 0:
        yield b"x" * min(size, PIECE_BYTES)
        size -= PIECE_BYTES


def main(app: Callable[[Request], Answer]) -> None:
    """Serve on the port given until SIGINT or SIGTERM; port 0 takes a free one."""
    logging.basicConfig(level=logging.WARNING)
    server = FastServer(app, port=int(sys.argv[1]))
    server.start()
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(handler)
