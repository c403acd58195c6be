"""requests."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from tests.clients import STEPS, run


def hold(url: str) -> Iterator[tuple[int, bytes]]:
    with requests.Session() as session:
        for step in STEPS:
            data = step.pieces() if step.chunked else step.content
            response = session.request(step.method, url + step.path, data=data, timeout=15)
            yield response.status_code, response.content


if __name__ == "__main__":
    run(hold)
