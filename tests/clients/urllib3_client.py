"""urllib3."""

from __future__ import annotations

from collections.abc import Iterator

import urllib3

from tests.clients import STEPS, run


def hold(url: str) -> Iterator[tuple[int, bytes]]:
    with urllib3.PoolManager(maxsize=1, retries=False, timeout=15) as pool:
        for step in STEPS:
            body = step.pieces() if step.chunked else step.content
            response = pool.request(step.method, url + step.path, body=body, chunked=step.chunked)
            yield response.status, response.data


if __name__ == "__main__":
    run(hold)
