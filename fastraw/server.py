"""FastServer: wires the engine together; start, stop, serve_forever."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .engine.clients import Address
from .engine.connection import Connect, Connection, adopt
from .engine.ending import Ending
from .engine.listener import Listener, address_of, listen
from .engine.poller import default_poller
from .engine.scheduler import Scheduler
from .engine.service import Service
from .engine.task import NEVER, Task
from .limits import Limits, Timeouts
from .request import Request
from .route import Handler

if TYPE_CHECKING:
    from ssl import SSLContext

    from .engine.tls import TLS, Certificates

try:
    import resource
except ImportError:  # Windows has no limit on descriptors to ask for
    resource = None  # type: ignore[assignment]

_error = logging.getLogger("fastraw.error")

# A listener there accepts connections to any of our addresses.
ANYWHERE = ("0.0.0.0", "::")
# Descriptors that connections must leave to the rest of the process.
SPARE_DESCRIPTORS = 64
# How often connections that were busy are asked again to drain.
DRAIN_AGAIN_SECONDS = 0.05
# What a handler has to notice that its connection has been cut.
CUT_SECONDS = 0.5


@dataclass(frozen=True)
class Stats:
    """What a server is doing."""

    connections: int
    """Open connections."""
    running: int
    """Handlers that run now."""
    queued: int
    """Requests that wait for a worker."""
    requests: int
    """Requests handled since `start`."""


@dataclass(frozen=True)
class StopReport:
    """How a server came to its end."""

    drained: int
    """Connections that ended by themselves, or had nothing under way."""
    aborted: int
    """Connections that were cut off when the time was over."""
    still_running: int
    """Handlers that had not returned; their threads end when they do."""


class FastServer:
    """An HTTP/1.1 server for a handler that may block.

    Args:
        handler: called with each Request, on up to `workers` threads at once. It returns a
            Response, str, bytes, dict or list. With an attribute `stream_body` that is True, or a
            function of the request that gives True, it is called before the content has arrived
            and reads it from `request.stream`. With a method `route_key` of the request, what
            that gives stands for the route by which slowness is learned.
        host: address to listen on; `::` takes IPv6 and IPv4.
        port: 0 takes a free one.
        uds: path of a Unix socket, in place of host and port.
        fd: descriptor of a bound stream socket, in place of the others.
        workers: handlers that may block at once; by default as ThreadPoolExecutor chooses.
        limits, timeouts: what a client may send, and how long it may take.
        tls: certificates, to serve HTTPS; None serves HTTP.

    Raises:
        TypeError, ValueError: an argument is not what it must be; the message says which.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 7878,
        uds: str | None = None,
        fd: int | None = None,
        workers: int | None = None,
        limits: Limits = Limits(),
        timeouts: Timeouts = Timeouts(),
        tls: TLS | SSLContext | None = None,
    ) -> None:
        _check("handler", callable(handler), "callable", handler)
        _check("host", isinstance(host, str), "a str", host)
        _check("port", type(port) is int and 0 <= port <= 65535, "an int from 0 to 65535", port)
        _check("uds", uds is None or isinstance(uds, (str, os.PathLike)), "a path or None", uds)
        _check("fd", fd is None or (type(fd) is int and fd >= 0), "a descriptor or None", fd)
        _check("workers", workers is None or (type(workers) is int and workers > 0),
               "a positive int or None", workers)  # fmt: skip
        _check("limits", isinstance(limits, Limits), "a Limits", limits)
        _check("timeouts", isinstance(timeouts, Timeouts), "a Timeouts", timeouts)
        if tls is not None:
            _tls_module().check(tls)
        if uds is not None and fd is not None:
            raise ValueError("uds and fd exclude each other")
        self._handler = handler
        self._host, self._port = host, port
        self._uds = None if uds is None else os.fspath(uds)
        self._fd = fd
        # The default of ThreadPoolExecutor: enough for handlers that wait for something else.
        self._workers = workers or min(32, (os.cpu_count() or 1) + 4)
        self._limits, self._timeouts = limits, timeouts
        self._tls = tls
        # Start and stop exclude each other; `_running` is None between them.
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._waiting: list[Ending] = []  # one for each serve_forever()

    def start(self) -> None:
        """Bind, listen, start the threads, and return.

        Raises BindError when the address cannot be had, RuntimeError when the server runs,
        ValueError when the certificates cannot be used.
        """
        with self._lock:
            if self._running is not None:
                raise RuntimeError("the server is running already")
            certificates = None if self._tls is None else _tls_module().Certificates(self._tls)
            listener = listen(self._host, self._port, self._uds, self._fd)
            try:
                self._running = _Running(
                    listener, self._handler, self._workers, self._limits, self._timeouts,
                    certificates,
                )  # fmt: skip
            except BaseException:
                listener.close()
                self._remove_path()
                raise

    def stop(self, timeout: float | None = 10.0) -> StopReport:
        """Refuse new connections, let running requests finish, end the threads.

        Args:
            timeout: seconds for running requests; then their connections are cut. None: no end.

        May be called from any thread and at any time; from a handler, whose own request then
        ends after it. A handler that calls it while another thread does is told what runs.
        """
        running = self._running
        inside = running is not None and running.scheduler.owns_thread()
        if not self._lock.acquire(blocking=not inside):
            assert running is not None
            return StopReport(0, 0, running.scheduler.running())
        try:
            running = self._running
            if running is None:
                return StopReport(0, 0, 0)
            try:
                # While we still listen: another server may take over a path that nobody answers.
                self._remove_path()
                return running.stop(timeout, inside)
            finally:
                self._running = None
                for ending in list(self._waiting):
                    ending.bring()
        finally:
            self._lock.release()

    def serve_forever(self) -> None:
        """Serve until `stop` is called or, on the main thread, SIGINT or SIGTERM arrives.

        Starts the server if it does not run, and stops it gracefully. A second signal does what
        it did before.
        """
        if self._running is None:
            self.start()
        previous: dict[int, Any] = {}

        def restore() -> None:
            for number, handler in list(previous.items()):
                signal.signal(number, handler)
            previous.clear()

        def ask(number: int, frame: object) -> None:
            restore()
            ending.come = True

        with Ending() as ending:
            self._waiting.append(ending)
            try:
                if threading.current_thread() is threading.main_thread():
                    ending.heed_signals()
                    for number in (signal.SIGINT, signal.SIGTERM):
                        previous[number] = signal.signal(number, ask)
                # From here on `stop` knows of us; it may have come before.
                if self._running is not None:
                    ending.wait()
            finally:
                self._waiting.remove(ending)
                self.stop()
                restore()

    def __enter__(self) -> FastServer:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def address(self) -> Address:
        """(host, port) as bound, or the path of the Unix socket; RuntimeError when stopped."""
        return self._must_run().address

    @property
    def port(self) -> int:
        """The port as bound; RuntimeError when stopped, or without one."""
        address = self.address
        if isinstance(address, str):
            raise RuntimeError("a Unix socket has no port")
        return address[1]

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server, without a final slash."""
        address = self.address
        if isinstance(address, str):
            return f"http+unix://{quote(address, safe='')}"
        host, port = address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def reload_tls(self) -> bool:
        """Read the certificates again; connections from now on get the new ones.

        Returns whether they are in use: when something is wrong with them, that is logged and the
        old ones stay. Raises RuntimeError when the server does not run, or has no files of
        certificates. (A changed file is read again without this.)
        """
        certificates = self._must_run().certificates
        if certificates is None:
            raise RuntimeError("the server does not speak TLS")
        return certificates.reload()

    def stats(self) -> Stats:
        """What the server is doing now; all zeros when it does not run."""
        running = self._running
        if running is None:
            return Stats(0, 0, 0, 0)
        scheduler = running.scheduler
        return Stats(
            running.service.connections(), scheduler.running(), scheduler.queued(),
            scheduler.served(),
        )  # fmt: skip

    def _remove_path(self) -> None:
        if self._uds is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._uds)

    def _must_run(self) -> _Running:
        running = self._running
        if running is None:
            raise RuntimeError("the server is not running")
        return running


class _Running:
    """What exists between start and stop."""

    def __init__(
        self,
        listener: socket.socket,
        handler: Handler,
        workers: int,
        limits: Limits,
        timeouts: Timeouts,
        certificates: Certificates | None,
    ) -> None:
        self._closed = threading.Event()
        self.address: Address = address_of(listener.getsockname())
        limits = replace(limits, connections=_affordable(limits.connections))
        tasks: dict[int, Task] = {}
        self.service = service = Service(handler, limits, timeouts, tasks, self._closed.set)
        anywhere = not isinstance(self.address, str) and self.address[0] in ANYWHERE
        service.address = None if anywhere else self.address
        self.scheduler = service.scheduler = Scheduler(
            default_poller(),
            tasks,
            route=_guarded(getattr(handler, "route_key", _route_key)),
            control=service.in_control_lane,
            housekeeping=service,
            workers=workers,
            queue_seconds=timeouts.queue_seconds,
        )
        self.certificates = certificates
        connect: Connect = Connection
        if certificates is not None:
            service.scheme = "https"
            module = import_module(".engine.tls_connection", __package__)
            connect = partial(module.TLSConnection, certificates=certificates)
        accepted = partial(adopt, service=service, connect=connect)
        self._listener = Listener(listener, accepted, service)
        service.listeners = 1
        self._listener.lock.acquire()
        self.scheduler.add(self._listener)
        self._listener.put_back()
        # From here on nothing fails but for want of threads, and then the poller is given back.
        self.scheduler.start()

    def stop(self, timeout: float | None, inside: bool) -> StopReport:
        """See FastServer.stop; `inside` when the caller is one of our workers."""
        service, scheduler = self.service, self.scheduler
        until = NEVER if timeout is None else monotonic() + timeout
        service.drain()
        self._listener.lock.acquire()  # given soon: a listener lets go when draining
        self._listener.close()
        service.listeners = 0
        total = service.connections()
        ours = int(inside)
        self._wait_for_connections(until, ours)
        aborted = 0
        if service.connections() > ours:
            aborted = service.connections() - ours
            for connection in self._connections():
                connection.cut()
            scheduler.wake()
            self._wait_for_connections(monotonic() + CUT_SECONDS, ours)
        # A connection is closed after its handler has returned.
        still_running = scheduler.running() if service.connections() > ours else ours
        scheduler.stop(wait=not still_running)
        return StopReport(total - aborted - ours, aborted, still_running)

    def _wait_for_connections(self, until: float, ours: int) -> None:
        """Until no more than `ours` are open. A connection that was busy when it was asked to
        drain may have become idle since, so they are asked again now and then."""
        while True:
            self._closed.clear()
            for connection in self._connections():
                if connection.lock.acquire(blocking=False):
                    connection.drain()
            left = until - monotonic()
            if self.service.connections() <= ours or left <= 0:
                return
            self._closed.wait(min(left, DRAIN_AGAIN_SECONDS))

    def _connections(self) -> list[Connection]:
        tasks = [*list(self.service.tasks.values()), *list(self.service.upgraded)]
        return [task for task in tasks if isinstance(task, Connection)]


def _tls_module() -> ModuleType:
    """Imported when it is needed: OpenSSL takes longer to load than all the rest."""
    return import_module(".engine.tls", __package__)


def _affordable(connections: int | None) -> int | None:
    """The limit of connections that the descriptor limit leaves."""
    if resource is None:
        return connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    left = max(1, soft - SPARE_DESCRIPTORS)
    return left if connections is None else min(connections, left)


def _route_key(request: Request) -> Hashable:
    """Without a router: the method and the first segment of the path."""
    path = request.raw_path
    end = path.find("/", 1)
    return request.method, path if end < 0 else path[:end]


def _guarded(route_key: Callable[[Request], Hashable]) -> Callable[[Request], Hashable]:
    """A handler's `route_key` runs between requests: a fault there must cost none of them."""
    if route_key is _route_key:
        return route_key

    def guarded(request: Request) -> Hashable:
        try:
            key = route_key(request)
            hash(key)
        except Exception:
            _error.exception("Exception in the route_key of %r", request)
            return _route_key(request)
        return key

    return guarded


def _check(name: str, good: bool, expected: str, value: object) -> None:
    if not good:
        raise TypeError(f"{name} must be {expected}, not {value!r}")
