"""httpx."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from tests.clients import STEPS, run


def hold(url: str) -> Iterator[tuple[int, bytes]]:
    with httpx.Client(base_url=url, timeout=15) as client:
        for step in STEPS:
            content = step.pieces() if step.chunked else step.content
            response = client.request(step.method, step.path, content=content)
            yield response.status_code, response.content


if __name__ == "__main__":
    run(hold)
