"""http.server from the standard library: a thread for each connection."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers import BACKLOG, HOST, app, options


class Handler(BaseHTTPRequestHandler):
    """The application of servers.app, HTTP/1.1 kept alive."""

    protocol_version = "HTTP/1.1"
    # Buffered, so that head and body leave in one packet instead of waiting for an ACK between.
    wbufsize = -1

    def do_GET(self) -> None:
        """Called for each GET."""
        path, _, query = self.path.partition("?")
        self._answer(app.answer(path, query))

    def do_POST(self) -> None:
        """Called for each POST."""
        self._answer(b"%d" % len(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: bytes | None) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", app.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body or b"")))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_request(self, code: object = None, size: object = None) -> None:
        """Nothing: no server of the comparison writes an access log."""


class Server(ThreadingHTTPServer):
    """With room for a burst of connections."""

    request_queue_size = BACKLOG


if __name__ == "__main__":
    Server((HOST, options().port), Handler).serve_forever()
