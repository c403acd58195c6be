"""The servers of the comparison, and whether they can run here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

BENCH = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Peer:
    """A server: how it is started, what it is called in the tables."""

    name: str
    launcher: str
    """The module under servers/."""
    about: str
    distributions: tuple[str, ...] = ()
    """What pip installs for it; the first one's version stands in the report."""
    arguments: tuple[str, ...] = ()
    system_package: str | None = None
    """What apt-get installs, before pip can build it."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Loads that it is not put under, with the reason."""

    def version(self) -> str:
        """The installed version; empty for what comes with Python or with this folder."""
        try:
            return metadata.version(self.distributions[0]) if self.distributions else ""
        except metadata.PackageNotFoundError:
            return ""

    def missing(self) -> str | None:
        """Why it cannot be started here, in one line; None if it can."""
        run = subprocess.run(
            [sys.executable, "-c", f"import servers.{self.launcher}"],
            cwd=BENCH,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 0:
            return None
        reason = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
        commands = [f"apt-get install {self.system_package}"] if self.system_package else []
        if self.distributions:
            commands.append(f"pip install {' '.join(self.distributions)}")
        install = " && ".join(commands)
        return f"{reason} (to install it: {install})"


_ONE_THREAD = "its one thread cannot block and go on"
_THREADS = "needs 16,000 threads, one a connection"

BARE = ("bare", "bare-look")
"""The two variants of the limit; the faster one under a load is the limit there."""

TLS = (*BARE, "fastraw")
"""Who takes part where the load comes over TLS."""

PEERS = (
    Peer("bare", "bare", "recv and send in one Python thread, nothing parsed: the limit"),
    Peer("bare-look", "bare", "the same, looking again before it sleeps", arguments=("--look",)),
    Peer("fastraw", "fastraw", "permits; bare handler", ("fastraw",)),
    Peer("bjoern", "bjoern", "C, one thread", ("bjoern",), system_package="libev-dev"),
    Peer("fastwsgi", "fastwsgi", "C, one thread", ("fastwsgi", "setuptools<81")),
    Peer("socketify", "socketify", "C++ over cffi, one thread; its own interface", ("socketify",)),
    Peer("granian", "granian", "Rust, WSGI, blocking threads", ("granian",)),
    Peer("uvicorn", "uvicorn", "httptools, uvloop; ASGI", ("uvicorn", "httptools", "uvloop")),
    Peer("waitress", "waitress", "Python, thread pool; WSGI", ("waitress",)),
    Peer("cheroot", "cheroot", "Python, thread pool; WSGI", ("cheroot",)),
    Peer("gthread", "gunicorn", "gunicorn, parser in C; WSGI", ("gunicorn", "gunicorn_h1c")),
    Peer(
        "http.server",
        "stdlib",
        "standard library, a thread a connection",
        unfit={"crowd": _THREADS},
    ),
)

ROUTED = (
    next(peer for peer in PEERS if peer.name == "fastraw"),
    Peer("router", "fastraw", "fastraw, 500 routes", arguments=("--mode", "router")),
)
"""The rows of the tables that say what a router costs."""

_WSGI = ("bjoern", "fastwsgi", "granian", "waitress", "cheroot", "gthread")
WSGI = (
    Peer("fastraw", "fastraw", "WSGI", ("fastraw",), arguments=("--mode", "wsgi")),
    *(peer for peer in PEERS if peer.name in _WSGI),
)
"""The rows of the tables of one WSGI application on every server for such."""

FILES = (
    Peer("fastraw", "fastraw", "StaticFiles", ("fastraw",), arguments=("--mode", "files")),
    Peer("nginx", "nginx", "C, one worker process; files only", system_package="nginx-light"),
)
"""The rows of the tables of files."""
