"""socketify: C++ (uWebSockets) through cffi, one thread; its native interface.

Its WSGI interface does a third of this.
"""

from __future__ import annotations

from typing import Any

from socketify import App, AppListenOptions

from servers import HOST, app, options


class Handlers:
    """The application of servers.app on socketify's request and response objects."""

    def __init__(self, close: bool) -> None:
        # It closes when the client asks for it, but only says so when told to.
        self._close = close
        # It passes C a pointer to the response object while the body comes, and does not keep it.
        self._uploads: set[Any] = set()

    def get(self, response: Any, request: Any) -> None:
        """Called for each GET."""
        path, _, query = request.get_full_url().partition("?")
        body = app.answer(path, query)
        if body is None:
            response.write_status(404)
        self._end(response, body or b"")

    def hello(self, response: Any, request: Any) -> None:
        """Called for GET /, which its router finds without Python's help."""
        self._end(response, app.HELLO)

    def upload(self, response: Any, request: Any) -> None:
        """Called for POST /upload at the end of the head."""
        length = 0

        def on_data(response: Any, data: bytes, last: bool) -> None:
            nonlocal length
            length += len(data or b"")
            if last:
                self._end(response, str(length))
                self._uploads.discard(response)

        self._uploads.add(response)
        response.on_aborted(self._uploads.discard)
        response.on_data(on_data)

    def _end(self, response: Any, body: bytes | str) -> None:
        response.write_header("Content-Type", app.CONTENT_TYPE)
        if self._close:
            response.write_header("Connection", "close")
        response.end(body, self._close)


if __name__ == "__main__":
    given = options()
    handlers = Handlers(given.mode == "close")
    server = App()
    server.get("/", handlers.hello)
    server.get("/*", handlers.get)
    server.post("/upload", handlers.upload)
    server.listen(AppListenOptions(port=given.port, host=HOST))
    server.run()
