"""A crowd of clients that want little: `python crowd.py PORT --idle N --half N --drip N`.

idle   connects and says nothing
half   connects and sends half a head
drip   connects and sends one octet of a long head each second
events subscribes to server-sent events; `told` and the time (the monotonic clock, which processes
       share) is said when each of them has had one

Says `ready` on standard output when all are connected, keeps them until its standard input ends,
then says how many are still open, as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterable

HOST = "127.0.0.1"
HALF = b"GET / HTTP/1.1\r\nHost: bench\r\nUser-"
EVENTS = b"GET /events HTTP/1.1\r\nHost: bench\r\n\r\n"
DRIP = b"GET / HTTP/1.1\r\nHost: bench\r\nX-Long: " + b"x" * 4096

CONNECT_SECONDS = 10.0
STEPS_PER_SECOND = 20
"""The dripping clients take turns, so that the load is even."""

# Closing with a linger of zero resets the connection, and leaves no port in TIME_WAIT.
NO_LINGER = struct.pack("ii", 1, 0)


def connect(port: int, count: int, first: bytes) -> list[socket.socket]:
    """That many connections, on which that much has been sent. Raises OSError."""
    clients = []
    for _ in range(count):
        client = socket.create_connection((HOST, port), timeout=CONNECT_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        if first:
            client.sendall(first)
        client.setblocking(False)
        clients.append(client)
    return clients


def until(clients: list[socket.socket], wanted: bytes) -> None:
    """Read from each until it has had what is wanted."""
    poller = select.epoll()
    waiting = {client.fileno(): client for client in clients}
    received = dict.fromkeys(waiting, b"")
    for descriptor in waiting:
        poller.register(descriptor, select.EPOLLIN)
    while waiting:
        for descriptor, _ in poller.poll():
            octets = waiting[descriptor].recv(65536)
            received[descriptor] += octets
            if wanted in received[descriptor] or not octets:
                poller.unregister(descriptor)
                del waiting[descriptor]
    poller.close()


def ended() -> bool:
    """Whether standard input is at its end."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def drip(clients: list[socket.socket]) -> None:
    """Send an octet a second on each until standard input ends."""
    sent, begin = 0, time.monotonic()
    while not ended():
        octet = DRIP[sent // STEPS_PER_SECOND :][:1]
        for client in clients[sent % STEPS_PER_SECOND :: STEPS_PER_SECOND]:
            with contextlib.suppress(OSError):
                client.send(octet)
        sent += 1
        time.sleep(max(0.0, begin + sent / STEPS_PER_SECOND - time.monotonic()))


def still_open(clients: Iterable[socket.socket]) -> int:
    """How many the server has neither closed nor answered."""
    count = 0
    for client in clients:
        try:
            client.recv(1)
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    for kind in ("idle", "half", "drip", "events"):
        parser.add_argument(f"--{kind}", type=int, default=0)
    given = parser.parse_args()
    clients = connect(given.port, given.idle, b"") + connect(given.port, given.half, HALF)
    dripping = connect(given.port, given.drip, b"")
    subscribed = connect(given.port, given.events, EVENTS)
    until(subscribed, b"\r\n\r\n")
    print("ready", flush=True)
    if subscribed:
        until(subscribed, b"data: told\n\n")
        print(json.dumps({"told": time.monotonic()}), flush=True)
    if dripping:
        drip(dripping)
    else:
        sys.stdin.read()
    print(json.dumps({"open": still_open(clients + dripping)}), flush=True)


if __name__ == "__main__":
    main()
