"""How many connections each client has: one address must not take all of them."""

from __future__ import annotations

import socket
import threading

Address = tuple[str, int] | str
"""(host, port), or the path of a Unix socket."""

# RFC 6177 section 2: an end site has a /64 of its own at the least, so its addresses are as many
# as it likes.
IPV6_NETWORK_BYTES = 8


class ClientCounts:
    """Counts connections by client address; asked once when one comes, told once when it goes.

    Args:
        limit: connections that one client may have; None for any number, and nothing is counted.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._counts: dict[object, int] = {}

    def enter(self, client: Address) -> bool:
        """Count a connection; False, and nothing counted, when its client has too many."""
        if self.limit is None or isinstance(client, str):
            return True
        key = client_key(client[0])
        with self._lock:
            count = self._counts.get(key, 0)
            if count >= self.limit:
                return False
            self._counts[key] = count + 1
            return True

    def leave(self, client: Address) -> None:
        """A connection that was counted has been closed."""
        if self.limit is None or isinstance(client, str):
            return
        key = client_key(client[0])
        with self._lock:
            count = self._counts.pop(key) - 1
            if count:
                self._counts[key] = count


def client_key(host: str) -> object:
    """What stands for all addresses of one client."""
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    if packed[:12] == b"\0" * 10 + b"\xff\xff":  # an IPv4 client of a socket for both families
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:IPV6_NETWORK_BYTES]
