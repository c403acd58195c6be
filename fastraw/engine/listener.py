"""bind, listen, accept."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..errors import BindError
from .clients import Address
from .service import Service
from .task import NEVER, Task

# The kernel cuts this to net.core.somaxconn; a burst should not be refused before we see it.
BACKLOG = 4096
# Connections accepted before others get their turn.
ACCEPTS_AT_ONCE = 64
# Out of descriptors or memory, or a listener that somebody else has shut down: accepting again at
# once would spin, since what made it fail is still there.
PAUSE_SECONDS = 0.25
LOG_SECONDS = 1.0

# What accept(2) says of a connection that is gone already; the next one may be all right.
_GONE = frozenset(
    getattr(errno, name, None)
    for name in (
        "ECONNABORTED", "EPROTO", "EPERM", "ENOPROTOOPT", "ENETDOWN", "ENETUNREACH", "EHOSTDOWN",
        "EHOSTUNREACH", "ENONET",
    )
)  # fmt: skip

_log = logging.getLogger("fastraw.error")


class OwnSocket(socket.socket):
    """A socket that nobody listens on any more when it is closed, though a process forked
    meanwhile holds a copy: clients that connected there would wait for ever."""

    __slots__ = ("_process",)

    def __init__(self, family: int, kind: int, protocol: int = 0) -> None:
        super().__init__(family, kind, protocol)
        self._process = os.getpid()

    def close(self) -> None:
        if os.getpid() == self._process:  # a copy goes without a trace
            with contextlib.suppress(OSError):  # it does not listen yet; macOS knows no such end
                self.shutdown(socket.SHUT_RDWR)
        super().close()


def listen(host: str, port: int, uds: str | None = None, fd: int | None = None) -> socket.socket:
    """A non-blocking listening socket: on a descriptor, a Unix path, or a host and port.

    `host="::"` takes both address families. Raises BindError, which says what was tried, why it
    failed, and what helps.
    """
    if fd is not None:
        return _adopt(fd)
    if uds is not None:
        return _listen_unix(uds)
    where = f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, ValueError) as error:
        # ValueError: no name at all, by length or by its characters.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BindError(f"cannot listen on {where}: {reason}; check the host name") from error
    listener = None
    try:
        listener = OwnSocket(family, kind, protocol)
        if os.name == "posix":
            # Bind again while old connections are in TIME_WAIT. On Windows the option would let
            # two servers share a port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        # Accepted sockets inherit this on Linux: an answer goes out when it is written.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise BindError(f"cannot listen on {where}: {_explain(error)}") from error
    listener.setblocking(False)
    return listener


def _explain(error: OSError) -> str:
    advice = {
        errno.EADDRINUSE: "the port is in use; stop what listens there, or choose another port "
        "(port 0 takes a free one)",
        errno.EADDRNOTAVAIL: "no network interface of this machine has that address; "
        "127.0.0.1 and 0.0.0.0 always work",
        errno.EACCES: "permission denied; ports below 1024 need privileges, choose a higher one",
    }
    return advice.get(error.errno or 0, error.strerror or str(error))


def _listen_unix(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise BindError(f"cannot listen on {path}: this system has no Unix sockets")
    listener = OwnSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale_socket(path)
        listener.bind(path)
        listener.listen(BACKLOG)
    except (OSError, ValueError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            reason = "something listens there, or a file that is no socket is in the way"
        raise BindError(f"cannot listen on {path}: {reason}") from error
    listener.setblocking(False)
    return listener


def _remove_stale_socket(path: str) -> None:
    """Remove a socket file that a dead server left; one that answers, or another file, stays."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


def _adopt(fd: int) -> socket.socket:
    """A listening socket on a copy of `fd`, which stays its owner's."""
    where = f"cannot listen on descriptor {fd}"
    try:
        listener = _copy_socket(fd)
    except OSError as error:
        raise BindError(f"{where}: {error.strerror}") from error
    try:
        if listener.type != socket.SOCK_STREAM:
            raise BindError(f"{where}: it is no stream socket")
        if not _is_bound(listener):
            raise BindError(f"{where}: it is not bound")  # any port would be taken otherwise
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if isinstance(error, BindError):
            raise
        raise BindError(f"{where}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _copy_socket(fd: int) -> socket.socket:
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _is_bound(sock: socket.socket) -> bool:
    name = sock.getsockname()
    return bool(name) if isinstance(name, (str, bytes)) else name[1] != 0


def address_of(name: Any) -> Address:
    """What accept() says, or getsockname(), of TCP, a Unix path, or an abstract Unix name."""
    if isinstance(name, tuple):
        return name[0], name[1]
    return os.fsdecode(name)


class Listener(Task):
    """The task that accepts. `adopt(sock, address)` takes over each new connection."""

    __slots__ = ("_adopt", "_quiet_until", "_service", "sock")

    def __init__(
        self,
        sock: socket.socket,
        adopt: Callable[[socket.socket, Address], None],
        service: Service,
    ) -> None:
        super().__init__(sock.fileno(), service.scheduler)
        self.sock = sock
        self._adopt = adopt
        self._service = service
        self._quiet_until = 0.0

    def ready(self, mask: int) -> None:
        """Accept what waits; runs on a permit holder's thread."""
        for _ in range(0 if self._service.draining else ACCEPTS_AT_ONCE):
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                self.let_go()
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._pause(error)
                return
            sock.setblocking(False)
            self._adopt(sock, address_of(address))
        if self._service.draining:
            self.lock.release()
        else:
            self.scheduler.resume(self)  # others first

    def resume(self) -> None:
        self.ready(0)

    def expire(self) -> None:
        """The pause is over."""
        self.deadline = NEVER
        self.scheduler.resume(self)

    def _pause(self, error: OSError) -> None:
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_SECONDS
            _log.error("Cannot accept connections for now: %s", error.strerror)
        self.deadline = now + PAUSE_SECONDS
        self._service.deadlines.ask(PAUSE_SECONDS)
        # What happens meanwhile needs no note: when the pause is over, accept() is tried anyway.
        self.lock.release()

    def close(self) -> None:
        """Stop listening. The caller holds the lock and keeps it, so no event comes through."""
        self.scheduler.forget(self)
        with contextlib.suppress(OSError):
            self.sock.close()
