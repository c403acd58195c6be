"""Clients that others wrote, each in a process of its own, each over one connection."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from fastraw import FastServer, Request
from tests.apps import wire_app
from tests.clients import STEPS

ROOT = Path(__file__).resolve().parent.parent
# The modules of tests.clients, and what each needs.
CLIENTS = {
    "http_client": "http.client",
    "urllib3_client": "urllib3",
    "requests_client": "requests",
    "httpx_client": "httpx",
    "aiohttp_client": "aiohttp",
    "curl": None,
}


class Peers:
    """The wire app, and the addresses that it was called from."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int] | str] = []

    def __call__(self, request: Request) -> wire_app.Answer:
        self.addresses.append(request.client)
        return wire_app.handler(request)


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[FastServer, Peers]]:
    peers = Peers()
    with FastServer(peers, host=request.param, port=0) as running:
        yield running, peers


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_keeps_its_connection(server: tuple[FastServer, Peers], client: str) -> None:
    running, peers = server
    library = CLIENTS[client]
    if library is None and shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    if library is not None and find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    command = [sys.executable, "-m", f"tests.clients.{client}", running.url]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = [[result.status, result.length, result.checksum] for result in STEPS.values()]
    assert json.loads(done.stdout) == expected
    assert len(peers.addresses) == len(STEPS)
    assert len(set(peers.addresses)) == 1
