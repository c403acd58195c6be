"""fastwsgi: C over libuv, one thread."""

from __future__ import annotations

import fastwsgi

from servers import BACKLOG, HOST, app, options

if __name__ == "__main__":
    fastwsgi.server.backlog = BACKLOG
    fastwsgi.run(app.wsgi, HOST, options().port)
