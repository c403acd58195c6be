"""Everything that is measured, in the order of the report: a name, options, a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import certificate
import embed
import loads
import special
from loads import LOADS, Place
from peers import BARE, FILES, PEERS, ROUTED, TLS, WSGI, Peer
from process import Server

Sample = dict[str, float]

_SERVERS = tuple(peer.name for peer in PEERS if peer.name not in BARE)


@dataclass(frozen=True)
class Job:
    """One row of work: each server in turn is started with `arguments` and measured."""

    name: str
    title: str
    kind: str
    """Which columns its table has: see report.COLUMNS."""
    measure: Callable[[Server, Place, float], Sample]
    arguments: tuple[str, ...] = ()
    servers: tuple[str, ...] = _SERVERS
    rounds: int | None = None
    """At most so many, where more would tell nothing new."""
    peers: tuple[Peer, ...] = ()
    """Rows of its own, in place of `servers`."""


def jobs(smoke: bool) -> list[Job]:
    """All of them; with `smoke`, the crowds are small."""
    crowd, dripping = (200, 100) if smoke else (special.CROWD, special.DRIPPING)
    subscribers = 100 if smoke else embed.SUBSCRIBERS
    return [
        *map(_wrk_job, LOADS),
        *(_rows_job(load, ROUTED) for load in loads.ROUTES),
        *(_rows_job(load, WSGI) for load in loads.WSGI),
        *(_rows_job(load, FILES) for load in loads.FILES),
        Job(
            "file-1g",
            "a file of 1 GiB, 1 connection",
            "file",
            special.measure_file,
            peers=FILES,
        ),
        Job(
            "broadcast",
            f"one event to {subscribers:,} subscribers, 2 workers",
            "broadcast",
            partial(embed.measure_broadcast, size=subscribers),
            ("--workers", "2", "--mode", "embedded"),
            ("fastraw",),
        ),
        Job(
            "control",
            "a route of the control lane, 2 workers that block, 14 requests that wait",
            "control",
            embed.measure_control,
            ("--workers", "2", "--mode", "embedded"),
            ("fastraw",),
            rounds=1,
        ),
        Job(
            "crowd",
            f"64 busy connections, alone and among {crowd:,} idle and {crowd:,} half-sent ones",
            "crowd",
            partial(special.measure_crowd, size=crowd),
            ("--workers", "8", "--patient"),
        ),
        Job(
            "drip",
            f"`GET /`, 2 workers, {dripping:,} clients that send an octet a second each",
            "drip",
            partial(special.measure_drip, size=dripping),
            ("--workers", "2", "--patient"),
            rounds=2,
        ),
        Job(
            "idle",
            f"a second of an idle server, without a connection and with {special.IDLE} silent ones",
            "idle",
            partial(special.measure_idle, size=special.IDLE),
            rounds=1,
        ),
    ]


def _wrk_job(load: loads.Load) -> Job:
    arguments = ["--workers", str(load.workers), "--mode", load.mode or "hello"]
    servers = _SERVERS if load.mode is None else tuple(peer.name for peer in PEERS)
    if load.mode == "hash":
        servers = (*BARE, "fastraw")
    if load.tls:
        servers = TLS
        arguments += ["--tls", *map(str, certificate.files())]
    measure = partial(loads.measure, load)
    return Job(load.name, load.title, "wrk", measure, tuple(arguments), servers)


def _rows_job(load: loads.Load, peers: tuple[Peer, ...]) -> Job:
    arguments = ("--workers", str(load.workers))
    return Job(load.name, load.title, "wrk", partial(loads.measure, load), arguments, peers=peers)


LIFECYCLE = "lifecycle"
IMPORT = "import"
FREE_THREADED = "free-threaded"
OTHER = {
    LIFECYCLE: "`start()` and `stop()` of an idle fastraw",
    IMPORT: "what an import takes",
    f"{FREE_THREADED}-cpu": "1 ms of Python in each handler, free-threaded, a permit for each core",
    f"{FREE_THREADED}-hello": "hello, 64 connections, free-threaded, server on both cores",
}
"""Jobs that server.py does by itself, with their titles."""


def _free_threaded(option: str, unit: str) -> tuple[Peer, ...]:
    return tuple(
        Peer(name, "fastraw", "fastraw, free-threaded", arguments=(option, str(count)))
        for count, name in enumerate((f"1 {unit}", f"2 {unit}s"), 1)
    )


FREE_THREADED_LOADS = {
    # With one permit, handlers that take a millisecond are believed slow, and use both cores.
    "cpu": ("cpu", _free_threaded("--cpus", "core")),
    "hello": ("keep-64", _free_threaded("--permits", "permit")),
}
"""Suffix of the job: which load it is, and its rows."""
