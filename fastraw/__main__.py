"""python -m fastraw: a hello page, and a log of who asks for it.

    main -> settings (flag, else environment, else default) -> FastServer.serve_forever

Exit status: 0 after SIGINT or SIGTERM, 2 with one line on standard error when a setting is no
good or the address cannot be had.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import __version__
from .apps.look import STYLE
from .errors import BindError, HTTPError
from .parse import IMPLEMENTATION
from .request import Request
from .response import Response
from .server import FastServer

try:
    import resource
except ImportError:  # Windows has no limit to raise
    resource = None  # type: ignore[assignment]

_log = logging.getLogger("fastraw")

_DESCRIPTION = """\
Serve a page that says hello, and log each request on standard error.
Ctrl-C or SIGTERM lets running requests finish, then stops."""

_PAGE = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>fastraw is running</title>
<link rel="icon" href="data:,">
<style>
{STYLE}  body {{ display: grid; grid-template-columns: minmax(0, 1fr); place-items: center; }}
  p {{ margin: 0 0 1rem; }}
  pre {{ margin: 0 0 1rem; padding: 1rem; overflow-x: auto; background: var(--paper);
        border: 1px solid var(--line); border-radius: .5rem;
        font: .875rem/1.5 ui-monospace, Menlo, Consolas, monospace; }}
</style>
</head>
<body>
<main>
<h1>Hello from fastraw</h1>
<p>The server is running, and this page has come through it. The same in a program of yours:</p>
<pre tabindex="0"><code>from fastraw import FastServer

def hello(request):
    return f"Hello, {{request.path}}!"

FastServer(hello).serve_forever()</code></pre>
<small>fastraw {__version__}, parser: {IMPLEMENTATION}</small>
</main>
</body>
</html>
"""


def hello(request: Request) -> Response:
    """The handler of the command: the page at `/`, and nothing elsewhere."""
    if request.path != "/":
        raise HTTPError(404)
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, headers=[("Allow", "GET, HEAD")])
    return Response.html(_PAGE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments (without them, the process's); ends in SystemExit."""
    # Until serve_forever() takes the signals over, and again after the first one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    host, port, workers = _settings(arguments)
    _log_to_stderr()
    _raise_descriptor_limit()
    server = _Announced(hello, host=host, port=port, workers=workers)
    try:
        server.serve_forever()
    except BindError as error:
        _fail(str(error))
    except SystemExit:
        server.stop()  # a signal before serve_forever() took them over, or the second one
    _log.info("Stopped")
    sys.exit(0)


class _Announced(FastServer):
    """Says where it listens as soon as it does."""

    def start(self) -> None:
        super().start()
        _log.info("Serving on %s (Ctrl-C stops)", self.url)


def _settings(arguments: Sequence[str] | None) -> tuple[str, int, int | None]:
    """Host, port and workers: the flag if given, else the environment, else the default."""
    parser = _Parser(
        prog="fastraw",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--host",
        type=_host,
        help="address to listen on; :: takes IPv6 and IPv4 (FASTRAW_HOST; default 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help="port, 0 for a free one (FASTRAW_PORT; default 7878)",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        help="handlers that may block at once (FASTRAW_WORKERS; default by the number of CPUs)",
    )
    parser.add_argument("--version", action="version", version=f"fastraw {__version__}")
    given = parser.parse_args(arguments)
    host = given.host or _from_environment("FASTRAW_HOST", _host) or "127.0.0.1"
    port = given.port if given.port is not None else _from_environment("FASTRAW_PORT", _port)
    workers = given.workers or _from_environment("FASTRAW_WORKERS", _workers)
    return host, 7878 if port is None else port, workers


def _from_environment(variable: str, convert: Callable[[str], Any]) -> Any:
    """The converted variable; None when it is empty or not set."""
    text = os.environ.get(variable, "")
    if not text:
        return None
    try:
        return convert(text)
    except argparse.ArgumentTypeError as error:
        _fail(f"{variable}: {error}")


def _host(text: str) -> str:
    # The resolver takes an empty host for every interface, which nobody means by it.
    if not text.strip():
        raise argparse.ArgumentTypeError("an address or a host name is needed")
    return text


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def _workers(text: str) -> int:
    # Each is a thread: a number with more digits is a slip.
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers (1 to 9999)")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """argparse prints its usage before an error; one line says enough."""

    def error(self, message: str) -> NoReturn:
        _fail(message.removeprefix("argument "))


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"fastraw: {message}\n")
    sys.exit(2)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)


def _raise_descriptor_limit() -> None:
    """As far as the system lets us: each connection is a descriptor.

    The library leaves this limit alone; a command has its process to itself.
    """
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass  # macOS has a hard limit that cannot be reached; what there is must do


if __name__ == "__main__":
    main()
