"""The loads that wrk makes, and what is measured under them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
from dataclasses import dataclass

import wrk
from process import HOST, Server, ServerFailed
from servers import app, files

WARM_UP_SECONDS = 0.5
"""Threads start, routes are learnt and caches fill before the clock runs."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Load:
    """What wrk asks for."""

    name: str
    title: str
    target: str = "/"
    """Request target; {turns} becomes the turns that take a millisecond."""
    connections: int = 64
    workers: int = 8
    """Threads for handlers, in the servers that have them."""
    mode: str | None = "hello"
    """What the bare loop does; None where a single thread that blocks is no limit."""
    script: str = "report"
    arguments: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: bytes = app.HELLO
    """What must come back."""
    content_type: str = app.CONTENT_TYPE
    sends_bytes: int = 0
    depth: int = 1
    """Requests in one write."""
    tls: bool = False
    """Over TLS 1.3; only the bare loop and fastraw."""
    wrk_latency: bool = True
    """Whether wrk's latencies mean something; pipelined, they are those of whole batches,
    spoilt by its correction, which counts each request."""


LOADS = (
    Load("keep-1", "hello, 1 connection kept alive", connections=1),
    Load("keep-64", "hello, 64 connections kept alive"),
    Load("keep-512", "hello, 512 connections kept alive", connections=512),
    Load(
        "close", "hello, a connection for each request", mode="close",
        headers=("Connection: close",),
    ),
    Load(
        "pipeline", "hello, 64 connections, pipelined 16 deep", mode="pipeline",
        script="pipeline", arguments=("16",), depth=16, wrk_latency=False,
    ),
    Load(
        "mixed-32", "5 % block for 5 ms, 64 connections, 32 workers", mode=None, workers=32,
        script="mixed", arguments=("20", "/slow?ms=5"),
    ),
    Load(
        "mixed-8", "5 % block for 5 ms, 64 connections, 8 workers", mode=None,
        script="mixed", arguments=("20", "/slow?ms=5"),
    ),
    Load(
        "blocking", "all block for 5 ms, 64 connections, 32 workers", "/slow?ms=5", mode=None,
        workers=32,
    ),
    Load("cpu", "1 ms of Python in each handler, 64 connections", "/cpu?n={turns}", mode="cpu"),
    Load(
        "upload", "1 MiB up, 16 connections", "/upload", 16, mode="upload", script="upload",
        arguments=(str(MIB),), body=str(MIB).encode(), sends_bytes=MIB,
    ),
    Load(
        "upload-hash", "10 MiB up, hashed by the handler, 4 connections", "/hash", 4, mode="hash",
        script="upload", arguments=(str(10 * MIB),), sends_bytes=10 * MIB,
        body=hashlib.sha256(b"x" * 10 * MIB).hexdigest().encode(),
    ),
    Load("download", "1 MiB down, 16 connections", "/big", 16, mode="download", body=app.BIG),
    Load("tls-keep-64", "hello over TLS 1.3, 64 connections kept alive", tls=True),
    Load(
        "tls-handshakes", "hello over TLS 1.3, a full handshake for each request", mode="close",
        headers=("Connection: close",), tls=True,
    ),
)  # fmt: skip


ROUTES = (
    Load("routes", "hello through a router with 500 routes, 64 connections"),
    Load("routes-parameter", "the same, by a route with a parameter", "/hello/World"),
)


FILES = (
    Load(
        "file-1k", "files of 1 KiB, 64 connections", "/1k.bin",
        content_type=files.CONTENT_TYPE, body=files.SMALL,
    ),
)  # fmt: skip


WSGI = (
    Load("wsgi", "hello as a WSGI application, 64 connections"),
    Load(
        "wsgi-flask", "JSON from a Flask application, 64 connections", "/flask",
        content_type="application/json", body=app.GREETING,
    ),
    Load(
        "wsgi-mixed", "a WSGI application, 5 % block for 5 ms, 64 connections, 32 workers",
        workers=32, script="mixed", arguments=("20", "/slow?ms=5"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where things run, and how much work a millisecond is."""

    server_cpus: tuple[int, ...]
    load_cpus: tuple[int, ...]
    turns: int
    """Turns of servers.app.work() in a millisecond."""


def check(server: Server, load: Load, place: Place) -> None:
    """Ask once and compare. Raises ServerFailed for anything but the expected answer."""
    target = load.target.format(turns=place.turns)
    body = b"x" * load.sends_bytes if load.sends_bytes else None
    targets = [target]
    if load.script == "mixed":
        targets.append(load.arguments[1])
    for each in targets:
        try:
            status, content_type, found = server.ask(each, body)
        except (OSError, http.client.HTTPException) as error:
            raise ServerFailed(f"{each}: {error!r}") from error
        if status != 200 or content_type != load.content_type or found != load.body:
            raise ServerFailed(f"{each}: {status}, {content_type}, {len(found)} octets")
    if load.depth > 1:
        check_pipeline(server, load)


def check_pipeline(server: Server, load: Load) -> None:
    """Send all requests in one write. Raises ServerFailed unless as many answers come back."""
    received = b""
    with (
        contextlib.suppress(TimeoutError),
        socket.create_connection((HOST, server.port), timeout=2) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n" * load.depth)
        while received.count(load.body) < load.depth and (data := client.recv(65536)):
            received += data
    if received.count(load.body) != load.depth:
        raise ServerFailed(
            f"answers {received.count(load.body)} of {load.depth} pipelined requests"
        )


def measure(load: Load, server: Server, place: Place, seconds: float) -> dict[str, float]:
    """A sample: requests a second, microseconds of processor a request, latencies, memory."""
    check(server, load, place)
    put(load, server, place, min(WARM_UP_SECONDS, seconds))
    return sample(load, server, place, seconds)


def sample(load: Load, server: Server, place: Place, seconds: float) -> dict[str, float]:
    """As measure(), of a server that is warm."""
    before = server.cpu_seconds()
    result = put(load, server, place, seconds)
    cpu_seconds = server.cpu_seconds() - before
    found = {
        "rate": result.requests / result.seconds,
        "cpu_us": cpu_seconds / result.requests * 1e6,
        "memory_mib": server.memory_bytes() / MIB,
    }
    if load.wrk_latency:
        found |= {"p50_us": result.p50_us, "p99_us": result.p99_us}
    return found


def put(load: Load, server: Server, place: Place, seconds: float) -> wrk.Result:
    """One run of wrk."""
    return wrk.run(
        server.url + load.target.format(turns=place.turns),
        load.connections,
        seconds,
        place.load_cpus,
        load.script,
        load.arguments,
        load.headers,
    )
