"""cheroot: one thread with a selector, a pool of worker threads; pure Python."""

from __future__ import annotations

from cheroot.wsgi import Server

from servers import BACKLOG, HOST, PATIENT_SECONDS, app, options

if __name__ == "__main__":
    given = options()
    Server(
        (HOST, given.port),
        app.wsgi,
        numthreads=given.workers,
        request_queue_size=BACKLOG,
        timeout=PATIENT_SECONDS if given.patient else 10,
    ).safe_start()
