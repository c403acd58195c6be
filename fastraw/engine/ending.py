"""What serve_forever waits for: that the server is stopped, or that a signal comes.

1. A handler in Python runs on the main thread, between two instructions. A signal that comes just
   before the thread begins to wait for a lock does not end that wait: nobody looks at it until the
   lock is free. So the wait is for a socket, to which the signal itself writes an octet.
2. What a handler in Python does is one assignment: it may interrupt whoever holds a lock.
"""

from __future__ import annotations

import signal
import socket
import threading


class Ending:
    """Comes once. As a context manager it gives its descriptors, and the signals' octets, back."""

    def __init__(self) -> None:
        self.come = False
        """Set by a handler of a signal, on the main thread; others call `bring`."""
        self._ours, self._theirs = socket.socketpair()
        self._theirs.setblocking(False)
        # `bring` may be late: without it, its octet could go to the next owner of a descriptor.
        self._lock = threading.Lock()
        self._heeded: int | None = None

    def heed_signals(self) -> None:
        """Have every signal that has a handler in Python end a wait. Main thread only."""
        self._heeded = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)

    def bring(self) -> None:
        """It has come; from any thread, but no handler of a signal."""
        self.come = True
        with self._lock:
            try:
                self._theirs.send(b"!")
            except OSError:
                pass  # nobody waits any more, or one octet is as good as many

    def wait(self) -> None:
        """Return when it has come."""
        while not self.come:
            self._ours.recv(4096)

    def __enter__(self) -> Ending:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._heeded is not None:
            signal.set_wakeup_fd(self._heeded)
        with self._lock:
            self._ours.close()
            self._theirs.close()
