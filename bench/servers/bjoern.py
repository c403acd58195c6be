"""bjoern: C over libev, one thread."""

from __future__ import annotations

import bjoern

from servers import BACKLOG, HOST, app, options

if __name__ == "__main__":
    bjoern.run(app.wsgi, HOST, options().port, listen_backlog=BACKLOG)
