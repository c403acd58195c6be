"""The same conversation held by clients that others wrote.

    python -m tests.clients.NAME URL

prints what it got as JSON: [status, length, checksum of the content] for each of STEPS, in order,
over one session that keeps its connections.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

CONTENT = bytes(range(256)) * 400


@dataclass(frozen=True)
class Step:
    """One request; with `chunked` the content is sent in pieces, without its length."""

    method: str
    path: str
    content: bytes | None = None
    chunked: bool = False

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces."""
        content = self.content or b""
        for start in range(0, len(content), 30_000):
            yield content[start : start + 30_000]


@dataclass(frozen=True)
class Result:
    """What came of a step."""

    status: int
    length: int
    checksum: int

    @classmethod
    def of(cls, status: int, content: bytes) -> Result:
        return cls(status, len(content), zlib.crc32(content))


STEPS = {
    Step("GET", "/"): Result.of(200, b"Hello, World!"),
    Step("HEAD", "/"): Result.of(200, b""),
    Step("POST", "/echo", b"hello"): Result.of(200, b"hello"),
    Step("POST", "/echo", b""): Result.of(200, b""),
    Step("PUT", "/echo", CONTENT): Result.of(200, CONTENT),
    Step("POST", "/echo", CONTENT, chunked=True): Result.of(200, CONTENT),
    Step("GET", "/stream?n=5&size=20000"): Result.of(200, b"x" * 100_000),
    Step("GET", "/stream?n=0&size=1"): Result.of(200, b""),
    Step("GET", "/status?code=204"): Result.of(204, b""),
    Step("GET", "/status?code=304"): Result.of(304, b""),
    Step("GET", "/nowhere"): Result.of(404, b"404 Not Found\n"),
    Step("HEAD", "/nowhere"): Result.of(404, b""),
    Step("DELETE", "/echo"): Result.of(200, b""),
    Step("GET", "/short?declare=100000&send=100000"): Result.of(200, b"x" * 100_000),
    Step("GET", "/slow?ms=5"): Result.of(200, b"slept 5 ms"),
    Step("GET", "/"): Result.of(200, b"Hello, World!"),
}


def run(hold: Callable[[str], Iterable[tuple[int, bytes]]]) -> None:
    """Hold the conversation with the server at the URL given, and print the results."""
    results = [Result.of(status, content) for status, content in hold(sys.argv[1])]
    json.dump([[result.status, result.length, result.checksum] for result in results], sys.stdout)
