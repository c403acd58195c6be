"""FastServer: wires the engine together; start, stop, serve_forever."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .arguments import check_argument, is_path, is_seconds
from .engine.clients import Address
from .engine.ending import Ending
from .engine.listener import listen
from .limits import Limits, Timeouts
from .route import Handler, check_callable
from .running import Running, Stats, StopReport

if TYPE_CHECKING:
    from ssl import SSLContext

    from .engine.tls import TLS


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
        check_callable("handler", handler)
        check_argument("host", isinstance(host, str), "a str", host)
        check_argument(
            "port", type(port) is int and 0 <= port <= 65535, "an int from 0 to 65535", port
        )
        check_argument("uds", uds is None or is_path(uds), "a path or None", uds)
        check_argument(
            "fd", fd is None or (type(fd) is int and fd >= 0), "a descriptor or None", fd
        )
        good = workers is None or (type(workers) is int and workers > 0)
        check_argument("workers", good, "a positive int or None", workers)
        check_argument("limits", isinstance(limits, Limits), "a Limits", limits)
        check_argument("timeouts", isinstance(timeouts, Timeouts), "a Timeouts", timeouts)
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
        self._running: Running | None = None
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
                self._running = Running(
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

        Raises TypeError when `timeout` is no number; the server then goes on.
        """
        good = timeout is None or is_seconds(timeout)
        check_argument("timeout", good, "a number of seconds or None", timeout)
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
        previous: dict[int, Any] = {}

        def restore() -> None:
            for number, handler in list(previous.items()):
                signal.signal(number, handler)
            previous.clear()

        def ask(number: int, frame: object) -> None:
            restore()
            ending.come = True

        with Ending() as ending:
            try:
                # First of all, so that a signal counts which comes while the server starts.
                if threading.current_thread() is threading.main_thread():
                    ending.heed_signals()
                    for number in (signal.SIGINT, signal.SIGTERM):
                        previous[number] = signal.signal(number, ask)
                if self._running is None:
                    self.start()
                self._waiting.append(ending)
                try:
                    # From here on `stop` knows of us; it may have come before.
                    if self._running is not None:
                        ending.wait()
                finally:
                    self._waiting.remove(ending)
                    self.stop()
            finally:
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
        return running.stats()

    def _remove_path(self) -> None:
        if self._uds is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._uds)

    def _must_run(self) -> Running:
        running = self._running
        if running is None:
            raise RuntimeError("the server is not running")
        return running


def _tls_module() -> ModuleType:
    """Imported when it is needed: OpenSSL takes longer to load than all the rest."""
    return import_module(".engine.tls", __package__)
