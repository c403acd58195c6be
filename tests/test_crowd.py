"""8,000 connections at once, idle and with half a head sent."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fastraw import FastServer, Request
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.testing import RawClient
from tests.program import ROOT
from tests.waiting import eventually

CROWD = 8000
# The crowd's, and some for the rest of the process.
DESCRIPTORS = CROWD + 500


@pytest.fixture
def enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.skip(f"needs {DESCRIPTORS} descriptors: ulimit -Hn {DESCRIPTORS}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hello(request: Request) -> bytes:
    return b"hello"


def answers(running: FastServer) -> bool:
    with RawClient(("127.0.0.1", running.port)) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.response().body == b"hello"


@pytest.mark.parametrize("poller", [EpollPoller, SelectorPoller])
def test_a_crowd(
    poller: type[Poller], monkeypatch: pytest.MonkeyPatch, enough_descriptors: None
) -> None:
    monkeypatch.setattr("fastraw.running.default_poller", poller)
    before = len(os.listdir("/proc/self/fd"))
    with (
        FastServer(hello, port=0, workers=2) as running,
        subprocess.Popen(
            [sys.executable, "-m", "tests.crowd", str(running.port), str(CROWD)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as crowd,
    ):
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "open\n"
        assert eventually(lambda: running.stats().connections == CROWD)
        assert answers(running)
        assert running.stats().queued == 0
        crowd.stdin.write("ask\n")
        crowd.stdin.flush()
        assert crowd.stdout.readline() == f"{CROWD}\n"
        crowd.stdin.close()
        assert eventually(lambda: running.stats().connections == 0)
        assert answers(running)
    assert len(os.listdir("/proc/self/fd")) == before
