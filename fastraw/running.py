"""What exists between start and stop of a server: the scheduler, the listener, the connections."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING

from .engine.clients import Address
from .engine.connection import Connect, Connection, adopt
from .engine.listener import Listener, address_of
from .engine.poller import default_poller
from .engine.scheduler import Scheduler
from .engine.service import Service
from .engine.task import NEVER
from .engine.tasks import Tasks
from .limits import Limits, Timeouts
from .route import Handler, key_of

if TYPE_CHECKING:
    from .engine.tls import Certificates

try:
    import resource
except ImportError:  # Windows has no limit on descriptors to ask for
    resource = None  # type: ignore[assignment]

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


class Running:
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
        tasks = Tasks()
        self.service = service = Service(handler, limits, timeouts, tasks, self._closed.set)
        anywhere = not isinstance(self.address, str) and self.address[0] in ANYWHERE
        service.address = None if anywhere else self.address
        self.scheduler = service.scheduler = Scheduler(
            default_poller(),
            tasks,
            route=key_of(handler),
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
        total = service.connections()  # before a client can see that the server stops, and leave
        self._listener.close()
        service.listeners = 0
        ours = int(inside)
        aborted = 0
        try:
            self._wait_for_connections(until, ours)
            if service.connections() > ours:
                aborted = service.connections() - ours
                self._cut()
                self._wait_for_connections(monotonic() + CUT_SECONDS, ours)
        except BaseException:
            # What handles a signal has raised, at the second Ctrl-C for one: no more waiting.
            self._cut()
            scheduler.stop(wait=False)
            service.spares.close()
            raise
        # A connection is closed after its handler has returned.
        still_running = scheduler.running() if service.connections() > ours else ours
        scheduler.stop(wait=not still_running)
        service.spares.close()
        return StopReport(total - aborted - ours, aborted, still_running)

    def stats(self) -> Stats:
        """See FastServer.stats."""
        scheduler = self.scheduler
        return Stats(
            self.service.connections(), scheduler.running(), scheduler.queued(),
            scheduler.served(),
        )  # fmt: skip

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

    def _cut(self) -> None:
        for connection in self._connections():
            connection.cut()
        self.scheduler.wake()

    def _connections(self) -> list[Connection]:
        tasks = [*self.service.tasks, *list(self.service.upgraded)]
        return [task for task in tasks if isinstance(task, Connection)]


def _affordable(connections: int | None) -> int | None:
    """The limit of connections that the descriptor limit leaves."""
    if resource is None:
        return connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    left = max(1, soft - SPARE_DESCRIPTORS)
    return left if connections is None else min(connections, left)
