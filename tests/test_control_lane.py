"""Routes with the control lane are answered when nothing else is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from fastraw import FastServer, Request, Timeouts
from fastraw.engine import pool
from fastraw.route import RouteOptions
from fastraw.testing import RawClient
from tests.waiting import eventually

CONTROL = RouteOptions(control=True)
OTHER = RouteOptions()


class App:
    """Blocks in `/block/...` until it is released; `/health` has the control lane."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.released = threading.Event()
        self.health: Callable[[], str] = lambda: "well"

    def route_options(self, request: Request) -> RouteOptions:
        return CONTROL if request.path == "/health" else OTHER

    def route_key(self, request: Request) -> str:
        return request.path

    def __call__(self, request: Request) -> str:
        if request.path == "/health":
            return self.health()
        if request.path.startswith("/block"):
            self.entered.release()
            self.released.wait(20)
        return "done"


@pytest.fixture(autouse=True)
def one_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the number of threads to block is the same on every build."""
    monkeypatch.setattr(pool, "permit_count", lambda: 1)


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    yield app
    app.released.set()


def get(client: RawClient, path: str) -> None:
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def fill(running: FastServer, app: App) -> list[RawClient]:
    """Block every thread but the one that polls, and have one request wait."""
    clients = []
    for number in range(2):
        clients.append(RawClient(("127.0.0.1", running.port)))
        get(clients[-1], f"/block/{number}")
        assert app.entered.acquire(timeout=20)
    # Both were taken from the thread that polled, so two run beside it: one more than `workers`.
    assert eventually(lambda: running.stats().running == 2)
    clients.append(RawClient(("127.0.0.1", running.port)))
    get(clients[-1], "/quick")
    assert eventually(lambda: running.stats().queued == 1)
    return clients


def close(clients: list[RawClient]) -> None:
    for client in clients:
        client.close()


def test_answered_while_all_workers_block_and_others_wait(app: App) -> None:
    with FastServer(app, port=0, workers=1) as running:
        clients = fill(running, app)
        with RawClient(("127.0.0.1", running.port)) as client:
            for _ in range(3):
                get(client, "/health")
                assert client.response().body == b"well"
            assert running.stats().queued == 1
        app.released.set()
        assert [client.response().body for client in clients] == [b"done"] * 3
        close(clients)


def test_never_shed(app: App) -> None:
    with FastServer(app, port=0, workers=1, timeouts=Timeouts(queue_seconds=0.05)) as running:
        clients = fill(running, app)
        assert clients[2].response().status == 503
        with RawClient(("127.0.0.1", running.port)) as client:
            get(client, "/health")
            assert client.response().status == 200
        app.released.set()
        close(clients)


def test_a_slow_one_loses_the_lane(app: App, caplog: pytest.LogCaptureFixture) -> None:
    def health() -> str:
        app.entered.release()
        app.released.wait(20)
        return "slow"

    app.health = health
    with FastServer(app, port=0, workers=1) as running:
        first = RawClient(("127.0.0.1", running.port))
        get(first, "/health")
        assert app.entered.acquire(timeout=20)
        assert eventually(lambda: "no longer answered before all else" in caplog.text)
        # From here on it is like any other slow route: it has a worker, or waits for one.
        second = RawClient(("127.0.0.1", running.port))
        get(second, "/health")
        assert eventually(lambda: running.stats().queued == 1)
        with RawClient(("127.0.0.1", running.port)) as client:
            get(client, "/quick")
            assert client.response().body == b"done"
        app.released.set()
        assert first.response().body == second.response().body == b"slow"
        close([first, second])
    assert caplog.text.count("no longer answered before all else") == 1


def test_a_slow_one_gives_the_permit_back_as_soon_as_a_thread_is_idle(app: App) -> None:
    """In the lane with nobody idle, a slow handler keeps the permit; not a moment longer."""
    health_entered, health_released = threading.Event(), threading.Event()

    def health() -> str:
        health_entered.set()
        health_released.wait(20)
        return "slow"

    app.health = health
    with FastServer(app, port=0, workers=1) as running:
        clients = fill(running, app)
        with RawClient(("127.0.0.1", running.port)) as client:
            get(client, "/health")
            assert health_entered.wait(20)
            app.released.set()
            assert [each.response().body for each in clients] == [b"done"] * 3
            health_released.set()
            assert client.response().body == b"slow"
        close(clients)
