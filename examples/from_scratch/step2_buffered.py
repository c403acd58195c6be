"""Reads the head through a buffer, answers with Content-Length, keeps the connection.

python examples/from_scratch/step2_buffered.py [PORT]
"""

import socket
import sys
from typing import BinaryIO


def read_request_line(stream: BinaryIO) -> str | None:
    """The request line, when the blank line behind the fields is there too; None at the end."""
    request_line = stream.readline(8192)
    while line := stream.readline(8192):
        if line == b"\r\n":
            return request_line.decode("latin-1")
    return None


def answer(request_line: str) -> bytes:
    """Content-Length says where the answer ends, so that another can follow."""
    _method, path, _version = request_line.split()
    body = f"Hello, {path}!\n".encode()
    fields = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body


def serve(connection: socket.socket) -> None:
    """One request after another, until the client has no more."""
    try:
        with connection, connection.makefile("rb") as stream:
            while request_line := read_request_line(stream):
                connection.sendall(answer(request_line))
    except (OSError, ValueError) as error:
        print(f"gave up on a client: {error}", file=sys.stderr)


def listen() -> socket.socket:
    """A listening socket on the port given as argument, 7878 without one."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7878
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    return listener


if __name__ == "__main__":
    with listen() as listener:
        while True:
            serve(listener.accept()[0])
