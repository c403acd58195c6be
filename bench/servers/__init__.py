"""One launcher per server, run as `python -m servers.NAME` in bench/.

Each serves servers.app on 127.0.0.1 until it is terminated, and understands the same options,
as far as its server has something that answers to them.
"""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass

HOST = "127.0.0.1"

PATIENT_SECONDS = 600
"""How long a connection may stay silent where a load asks for patience."""

CONNECTIONS = 19_000
"""Connections allowed where a server has a limit; a process often has 20,000 descriptors."""

BACKLOG = 4096


@dataclass(frozen=True)
class Options:
    """What a launcher is told on its command line."""

    port: int
    workers: int
    """Handlers that may block at once, in a server that has threads for them."""
    patient: bool
    """Let silent connections live for PATIENT_SECONDS."""
    permits: int | None
    """fastraw only: threads that may run Python at once. None: its own choice."""
    cpus: int | None
    """fastraw only: how many of the CPUs it may use. None: all."""
    mode: str
    """The kind of load, for what cannot tell by the request: the bare loop, and socketify when
    it closes. With `router`, fastraw finds its answers through 500 routes; with
    `files`, it serves those of servers.files."""
    look: bool
    """Bare loop only: look again before sleeping."""
    tls: tuple[str, str] | None
    """Bare loop and fastraw only: the files of a certificate and its key."""

    def without_resumption(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """The same context; where each request has a connection, no session is resumed."""
        if self.mode == "close":
            context.num_tickets = 0
        return context


def options() -> Options:
    """The options of this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--permits", type=int)
    parser.add_argument("--cpus", type=int)
    parser.add_argument("--mode", default="hello")
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    return Options(**vars(parser.parse_args()))
