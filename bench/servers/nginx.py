"""nginx, for files: one worker process, sendfile, nothing logged, no connection ended early."""

from __future__ import annotations

import os
import pwd
import shutil

from servers import CONNECTIONS, HOST, files, options

# Where Debian has it is not always searched.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
if NGINX is None:
    raise ImportError("no nginx")

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
{user}
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  types {{ text/html html; application/octet-stream bin; }}
  client_body_temp_path client; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen {host}:{port} backlog=4096; root "{root}"; }}
}}
"""


if __name__ == "__main__":
    given = options()
    folder = files.FOLDER.with_name("nginx")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(
        CONFIGURATION.format(
            # Started by root, it would take another user, who may not see the files.
            user="" if os.getuid() else f"user {pwd.getpwuid(0).pw_name};",
            connections=CONNECTIONS,
            host=HOST,
            port=given.port,
            root=files.folder(),
        )
    )
    os.execv(NGINX, [NGINX, "-p", f"{folder}/", "-c", str(path), "-e", "stderr"])
