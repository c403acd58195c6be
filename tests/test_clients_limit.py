"""Limits.connections_per_client: one address cannot take all connections."""

from __future__ import annotations

import pytest

from fastraw import FastServer, Limits, Request
from fastraw.engine.clients import ClientCounts, client_key
from fastraw.testing import RawClient
from tests.waiting import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(request: Request) -> str:
    return "hello"


def test_one_more_is_refused_until_one_has_left() -> None:
    with FastServer(hello, port=0, limits=Limits(connections_per_client=2)) as running:
        address = ("127.0.0.1", running.port)
        first, second = RawClient(address), RawClient(address)
        for client in (first, second):
            client.send(GET)
            assert client.response().status == 200
        with RawClient(address) as third:
            response = third.response()
            assert response.status == 429
            assert response.get("retry-after") == "5"
            third.expect_end()
        first.close()
        assert eventually(lambda: running.stats().connections == 1)
        with RawClient(address) as fourth:
            fourth.send(GET)
            assert fourth.response().status == 200
        second.close()


def test_other_addresses_are_not_concerned() -> None:
    limits = Limits(connections_per_client=1)
    with (
        FastServer(hello, host="::", port=0, limits=limits) as running,
        RawClient(("127.0.0.1", running.port)) as four,
        RawClient(("::1", running.port)) as six,
    ):
        for client in (four, six):
            client.send(GET)
            assert client.response().status == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_what_counts_as_one_client(one: str, other: str, same: bool) -> None:
    assert (client_key(one) == client_key(other)) == same


def test_counts_are_forgotten() -> None:
    counts = ClientCounts(2)
    client = ("192.0.2.1", 1)
    assert [counts.enter(client) for _ in range(3)] == [True, True, False]
    counts.leave(client)
    assert counts.enter(client)
    counts.leave(client)
    counts.leave(client)
    assert not counts._counts
    assert ClientCounts(2).enter("/run/app.sock")
