"""gunicorn: one gthread worker with a pool of threads, and its parser in C (gunicorn_h1c)."""

from __future__ import annotations

from gunicorn.app.base import BaseApplication

from servers import BACKLOG, CONNECTIONS, HOST, PATIENT_SECONDS, Options, app, options


class Application(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line."""

    def __init__(self, given: Options) -> None:
        self._given = given
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn before load()."""
        settings = {
            "bind": f"{HOST}:{self._given.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": self._given.workers,
            "http_parser": "fast",
            "backlog": BACKLOG,
            "worker_connections": CONNECTIONS,
            "keepalive": PATIENT_SECONDS,
            "timeout": 0,
            "loglevel": "error",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        """The WSGI application."""
        return app.wsgi


if __name__ == "__main__":
    Application(options()).run()
