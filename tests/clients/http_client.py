"""http.client of the standard library."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.clients import STEPS, run


def hold(url: str) -> Iterator[tuple[int, bytes]]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=15)
    for step in STEPS:
        if step.chunked:
            connection.request(step.method, step.path, step.pieces(), encode_chunked=True)
        else:
            connection.request(step.method, step.path, step.content)
        response = connection.getresponse()
        yield response.status, response.read()
    connection.close()


if __name__ == "__main__":
    run(hold)
