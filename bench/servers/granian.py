"""granian: Rust; one worker process, WSGI, a pool of blocking threads."""

from __future__ import annotations

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from servers import BACKLOG, CONNECTIONS, HOST, options

if __name__ == "__main__":
    given = options()
    Granian(
        "servers.app:wsgi",
        address=HOST,
        port=given.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=given.workers,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=60_000),
        websockets=False,
        backlog=BACKLOG,
        # Counts connections, and would keep the busy ones out behind a crowd of idle ones.
        backpressure=CONNECTIONS if given.patient else None,
        log_enabled=False,
    ).serve()
