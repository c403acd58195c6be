"""What all connections of one server share: read by each, written only as time goes by."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import FunctionType, MethodType

from ..limits import Limits, Timeouts
from ..parse import DEFAULT
from ..request import Request
from ..route import Handler, options_of
from ..spool import SpareFiles
from .clients import Address, ClientCounts
from .deadlines import Deadlines
from .scheduler import Scheduler
from .task import Task
from .tasks import Tasks

_access = logging.getLogger("fastraw.access")
_error = logging.getLogger("fastraw.error")


class Service:
    """The handler and the terms on which it is served.

    Attributes:
        handler: called with each complete request.
        route_options: how a request is to be served, asked where it makes a difference.
        spares: temporary files for content.
        rooms: memory that content is received in, one for each thread that is at it.
        upgraded: connections that handlers have taken over, until these return.
        scheme: `http` or `https`.
        address: our end of each connection; None while that depends on the connection.
        ordinary: none of the above is so, and letting go of a connection is releasing its lock.
        on_close: called after a connection has been closed while `draining`.
        draining: no request after the one at hand is taken up.
        logging: whether the access log wants lines; looked up once for each poll.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        timeouts: Timeouts,
        tasks: Tasks,
        on_close: Callable[[], None],
    ) -> None:
        self.handler = _quickest(handler)
        self.route_options = options_of(handler)
        self.on_close = on_close
        self.limits = limits
        self.head_limits = _head_limits(limits)
        self.timeouts = timeouts
        self.tasks = tasks
        self.clients = ClientCounts(limits.connections_per_client)
        self.deadlines = Deadlines(timeouts, tasks)
        self.scheduler: Scheduler
        self.scheme = "http"
        self.address: Address | None = None
        self._addresses: dict[Address, Address] = {}
        self.draining = False
        self.logging = False
        self.ordinary = False
        self.listeners = 0
        self.spares = SpareFiles()
        self.rooms: list[memoryview] = []
        self.upgraded: set[Task] = set()

    def known_address(self, address: Address) -> Address:
        """The object that stands for an address of ours."""
        return self._addresses.setdefault(address, address)

    # For the scheduler.

    def in_control_lane(self, request: Request) -> bool:
        """What the request's route says; a fault of the handler's must not cost the scheduler."""
        try:
            return self.route_options(request).control
        except Exception:
            _error.exception("Exception in the route options of %r", request)
            return False

    def tick(self, now: float) -> None:
        """Called after each poll, so a request sent after a change of level sees the change."""
        self.logging = _access.isEnabledFor(logging.INFO)
        self.ordinary = not (self.logging or self.scheduler.poller.needs_rearm)
        if self.draining:  # looked at last, since `drain` sets it first
            self.ordinary = False
        self.deadlines.tick(now)

    def drain(self) -> None:
        """From any thread: no request after the one at hand is taken up."""
        self.draining = True
        self.ordinary = False

    def timeout(self, now: float) -> float | None:
        return self.deadlines.timeout(now, self.connections())

    def connections(self) -> int:
        """Open connections."""
        return len(self.tasks) - self.listeners + len(self.upgraded)


def _head_limits(limits: Limits) -> Limits:
    """The parser's own defaults where they say the same: it knows them by heart."""
    names = ("request_line_bytes", "head_bytes", "field_lines")
    same = all(getattr(limits, name) == getattr(DEFAULT, name) for name in names)
    return DEFAULT if same else limits


def _quickest(handler: Handler) -> Handler:
    """What calls an object of a class written in Python without a look at its type first."""
    call = type(handler).__call__
    return MethodType(call, handler) if isinstance(call, FunctionType) else handler
