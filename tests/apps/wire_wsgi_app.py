"""The endpoints of wire_app as a WSGI application.

python -m tests.apps.wire_wsgi_app PORT
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from fastraw import WSGI, FastServer
from tests.apps.wire_app import octets

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Answer = Iterable[bytes]

TEXT = ("Content-Type", "text/plain; charset=utf-8")


def application(environ: Environ, start_response: StartResponse) -> Answer:
    """Answer one request; 404 for a path that wire_app does not have."""
    path = environ["PATH_INFO"]
    if path == "/" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        start_response("200 OK", [TEXT])
        return [b"Hello, World!"]
    return ROUTES.get(path, not_found)(environ, start_response)


def not_found(environ: Environ, start_response: StartResponse) -> Answer:
    start_response("404 Not Found", [TEXT])
    return [b"404 Not Found\n"]


def echo(environ: Environ, start_response: StartResponse) -> Answer:
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read()]


def head_info(environ: Environ, start_response: StartResponse) -> Answer:
    """As far as it can be told from an environ, which has names in another spelling."""
    fields = [
        (name.removeprefix("HTTP_").replace("_", "-").title(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    ]
    info = {
        "method": environ["REQUEST_METHOD"],
        "target": environ["REQUEST_URI"],
        "path": environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
        "query": environ["QUERY_STRING"],
        "version": environ["SERVER_PROTOCOL"],
        "headers": fields,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(info).encode()]


def slow(environ: Environ, start_response: StartResponse) -> Answer:
    milliseconds = number(environ, "ms")
    time.sleep(milliseconds / 1000)
    start_response("200 OK", [TEXT])
    return [f"slept {milliseconds} ms".encode()]


def stream(environ: Environ, start_response: StartResponse) -> Answer:
    piece = b"x" * number(environ, "size")
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (piece for _ in range(number(environ, "n")))


def boom(environ: Environ, start_response: StartResponse) -> Answer:
    raise RuntimeError("this application always fails")


def status(environ: Environ, start_response: StartResponse) -> Answer:
    code = number(environ, "code")
    known = {each.value: each.phrase for each in HTTPStatus}
    start_response(f"{code} {known.get(code, '')}", [TEXT])
    return [b"five\n"]


def set_header(environ: Environ, start_response: StartResponse) -> Answer:
    values = parameters(environ)
    start_response("200 OK", [TEXT, (values["name"], values["value"])])
    return [b"header set\n"]


def short(environ: Environ, start_response: StartResponse) -> Answer:
    start_response("200 OK", [("Content-Length", str(number(environ, "declare")))])
    return octets(number(environ, "send"))


ROUTES: dict[str, Callable[[Environ, StartResponse], Answer]] = {
    "/echo": echo,
    "/head-info": head_info,
    "/slow": slow,
    "/stream": stream,
    "/boom": boom,
    "/status": status,
    "/set-header": set_header,
    "/short": short,
}


def parameters(environ: Environ) -> dict[str, str]:
    """The query's parameters, percent-decoded to latin-1; a plus sign is a plus sign."""
    pairs = (part.partition("=") for part in environ["QUERY_STRING"].split("&"))
    return {name: unquote(value, "latin-1") for name, _, value in pairs}


def number(environ: Environ, name: str) -> int:
    """A parameter of the query that must be a number."""
    return int(parameters(environ)[name])


def main() -> None:
    """Serve on the port given until SIGINT or SIGTERM; port 0 takes a free one."""
    logging.basicConfig(level=logging.WARNING)
    server = FastServer(WSGI(application), port=int(sys.argv[1]))
    server.start()
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
