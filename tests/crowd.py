"""Many connections from a process of their own: a process has no descriptors for both ends.

python -m tests.crowd PORT COUNT

Opens COUNT connections to 127.0.0.1, half of them with half a head sent, and says `open`. For a
line `ask` on its standard input, each gets a whole request through, and it says how many answers
were right. It ends, and closes them, with its standard input.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = 9
AT_ONCE = 500


def open_all(port: int, count: int) -> list[socket.socket]:
    clients = []
    for number in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        if number % 2:
            client.sendall(HEAD[:HALF])
        clients.append(client)
    return clients


def ask_all(clients: list[socket.socket]) -> int:
    right = 0
    for start in range(0, len(clients), AT_ONCE):
        some = clients[start : start + AT_ONCE]
        with selectors.DefaultSelector() as selector:
            for number, client in enumerate(some):
                client.sendall(HEAD[HALF * (number % 2) :])
                selector.register(client, selectors.EVENT_READ, bytearray())
            while selector.get_map():
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(4096)
                    key.data.extend(data)
                    if not data or key.data.endswith(b"hello"):
                        selector.unregister(key.fileobj)
                        right += key.data.startswith(b"HTTP/1.1 200 OK\r\n") and data != b""
    return right


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = open_all(int(sys.argv[1]), int(sys.argv[2]))
    print("open", flush=True)
    for line in sys.stdin:
        assert line == "ask\n"
        print(ask_all(clients), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
