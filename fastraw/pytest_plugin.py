"""The pytest plugin: `fastraw_server`, a real server for a test.

def test_greeting(fastraw_server):
    server = fastraw_server(lambda request: "hello")
    assert urlopen(server.url).read() == b"hello"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .route import Handler
from .server import FastServer


@pytest.fixture
def fastraw_server() -> Iterator[Callable[..., FastServer]]:
    """A factory: handler in, running server out, on a free port of 127.0.0.1.

    Its keyword arguments are those of FastServer. Servers are stopped when the test is over.
    """
    with ExitStack() as running:

        def start(handler: Handler, **options: Any) -> FastServer:
            return running.enter_context(FastServer(handler, **{"port": 0, **options}))

        yield start
