"""waitress: one thread with poll, a pool of worker threads; pure Python."""

from __future__ import annotations

import waitress

from servers import BACKLOG, CONNECTIONS, HOST, PATIENT_SECONDS, app, options

if __name__ == "__main__":
    given = options()
    waitress.serve(
        app.wsgi,
        host=HOST,
        port=given.port,
        threads=given.workers,
        backlog=BACKLOG,
        connection_limit=CONNECTIONS,
        channel_timeout=PATIENT_SECONDS,
        # select(2), its default, ends at descriptor 1023.
        asyncore_use_poll=True,
    )
