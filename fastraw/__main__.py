"""python -m fastraw: serve a page that says hello, a directory, a handler or a WSGI application.

    main -> settings -> target: a handler -> FastServer.serve_forever

Exit status: 0 after SIGINT or SIGTERM, 2 with one line on standard error when a setting is no
good, the target cannot be served, or the address cannot be had.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence

from .command import log, reload
from .command.settings import Settings, fail, read_settings
from .command.target import TargetError, load
from .engine.tls import TLS
from .errors import BindError
from .route import Handler
from .server import FastServer

try:
    import resource
except ImportError:  # Windows has no limit to raise
    resource = None  # type: ignore[assignment]

_log = logging.getLogger("fastraw")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments (without them, the process's); ends in SystemExit."""
    # Until serve_forever() takes the signals over, and again after the first one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    settings = read_settings(arguments)
    if settings.reload:
        if not reload.available():
            fail(reload.MISSING)
        given = sys.argv[1:] if arguments is None else arguments
        sys.exit(reload.serve_and_reload([each for each in given if each != "--reload"]))
    try:
        log.set_up(settings.log_format, settings.access_log)
    except OSError as error:
        fail(f"--access-log: {settings.access_log}: {error.strerror}")
    _raise_descriptor_limit()
    try:
        handler = load(settings.target, settings.kind)
    except TargetError as error:
        fail(str(error))
    _serve(_Announced(handler, settings))
    _log.info("Stopped")
    if any(thread.name.startswith("fastraw-worker") for thread in threading.enumerate()):
        # A handler that does not return, and has had its time, keeps no process from ending.
        logging.shutdown()
        os._exit(0)
    sys.exit(0)


def _serve(server: FastServer) -> None:
    try:
        server.serve_forever()
    except (BindError, ValueError, RuntimeError) as error:
        fail(str(error))  # ValueError: of the certificates; RuntimeError: too many threads
    except SystemExit:
        server.stop()  # a signal before serve_forever() took them over, or the second one


class _Announced(FastServer):
    """Says where it listens as soon as it does."""

    def __init__(self, handler: Handler, settings: Settings) -> None:
        self._open = settings.open
        super().__init__(
            handler,
            host=settings.host,
            port=settings.port,
            uds=settings.uds,
            workers=settings.workers,
            tls=TLS(settings.tls_cert, settings.tls_key) if settings.tls_cert else None,
        )

    def start(self) -> None:
        super().start()
        _log.info("Serving on %s (Ctrl-C stops)", self.url)
        if self._open:
            webbrowser.open(self.url)


def _raise_descriptor_limit() -> None:
    """As far as the system lets us: each connection is a descriptor.

    The library leaves this limit alone; a command has its process to itself.
    """
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has a hard limit that cannot be reached; what there is must do.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
