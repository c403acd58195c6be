"""The settings: a flag if given, else the environment, else the default."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import __version__
from .log import Format
from .target import Kind

_DESCRIPTION = """\
Serve a directory, a handler or a WSGI application over HTTP/1.1.

  fastraw                     a page that says hello
  fastraw ./public            the files of a directory
  fastraw shop.web:app        the object `app` of the module shop.web: a handler or a router,
                              called with a request, or a WSGI application

Each request is logged. Ctrl-C or SIGTERM lets running requests finish, then stops."""


@dataclass(frozen=True)
class Settings:
    """What the command was told."""

    target: str | None
    kind: Kind
    host: str
    port: int
    uds: str | None
    workers: int | None
    tls_cert: str | None
    tls_key: str | None
    access_log: str
    log_format: Format
    reload: bool
    open: bool


def read_settings(arguments: Sequence[str] | None) -> Settings:
    """The settings; ends the process, with status 2 and one line, when one is no good."""
    given = _parser().parse_args(arguments)
    port = given.port if given.port is not None else _from_environment("FASTRAW_PORT", _port)
    if given.tls_key and not given.tls_cert:
        fail("--tls-key: it goes with --tls-cert")
    if given.uds == "":
        fail("--uds: a path is needed")
    if given.uds and given.open:
        fail("--open: a browser finds no Unix socket")
    if given.uds and (given.host or given.port is not None):
        fail("--uds: it takes the place of --host and --port")
    if given.kind and ":" not in (given.target or ""):
        fail(f"--{given.kind}: it says what a module:name is")
    if given.reload and ":" not in (given.target or ""):
        fail("--reload: it watches the code of a module:name")
    return Settings(
        target=given.target,
        kind=given.kind,
        host=given.host or _from_environment("FASTRAW_HOST", _host) or "127.0.0.1",
        port=7878 if port is None else port,
        uds=given.uds,
        workers=given.workers or _from_environment("FASTRAW_WORKERS", _workers),
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        access_log=given.access_log,
        log_format=given.log_format,
        reload=given.reload,
        open=given.open,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastraw",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET", help="a directory, or module:name")
    kind = parser.add_mutually_exclusive_group()
    for name, what in (("handler", "a handler"), ("wsgi", "a WSGI application")):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name,
                          help=f"module:name is {what}")  # fmt: skip
    where = parser.add_argument_group("where")
    where.add_argument("--host", type=_host, metavar="ADDRESS",
                       help="address to listen on; :: takes IPv6 and IPv4 (FASTRAW_HOST; default "
                       "127.0.0.1)")  # fmt: skip
    where.add_argument("--port", type=_port,
                       help="port, 0 for a free one (FASTRAW_PORT; default 7878)")  # fmt: skip
    where.add_argument("--uds", metavar="PATH", help="Unix socket, in place of host and port")
    where.add_argument("--tls-cert", metavar="FILE", help="certificate in PEM: speak TLS")
    where.add_argument("--tls-key", metavar="FILE", help="its key, when in a file of its own")
    how = parser.add_argument_group("how")
    how.add_argument("--workers", type=_workers, metavar="N",
                     help="handlers that may block at once (FASTRAW_WORKERS; default by the number "
                     "of CPUs)")  # fmt: skip
    how.add_argument("--access-log", default="-", metavar="FILE",
                     help="where a line for each request goes: a file, - for standard error, off "
                     "(default -)")  # fmt: skip
    how.add_argument("--log-format", choices=("text", "json"), default="text",
                     help="form of all lines (default text)")  # fmt: skip
    how.add_argument("--reload", action="store_true",
                     help="start again when code in the working directory changes")  # fmt: skip
    how.add_argument("--open", action="store_true", help="show it in a browser")
    add("--version", action="version", version=f"fastraw {__version__}")
    return parser


def _from_environment(variable: str, convert: Callable[[str], Any]) -> Any:
    """The converted variable; None when it is empty or not set."""
    text = os.environ.get(variable, "")
    if not text:
        return None
    try:
        return convert(text)
    except argparse.ArgumentTypeError as error:
        fail(f"{variable}: {error}")


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
        fail(message.removeprefix("argument "))


def fail(message: str) -> NoReturn:
    """End the process with status 2 and one line on standard error."""
    sys.stderr.write(f"fastraw: {message}\n")
    sys.exit(2)
