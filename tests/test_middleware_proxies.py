"""proxy_headers: what trusted proxies say counts, what anyone could have made up does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastraw import FastServer, Request
from fastraw.apps.middleware import proxy_headers
from fastraw.apps.middleware.proxies import Hop, parse_forwarded, parse_node
from fastraw.fields import split_list
from fastraw.testing import RawClient

PEER = "127.0.0.1"
TRUSTED = [PEER, "10.0.0.0/8", "2001:db8:1::/48"]


def handle(request: Request) -> list[Any]:
    client = request.client
    host = client if isinstance(client, str) else client[0]
    return [host, request.scheme, request.headers["Host"]]


def port(request: Request) -> list[Any]:
    return [*request.client]


@pytest.fixture(scope="module")
def by_forwarded() -> Iterator[str]:
    with FastServer(proxy_headers(TRUSTED, field="Forwarded")(handle), port=0) as server:
        yield server.url


@pytest.fixture(scope="module")
def by_x_forwarded() -> Iterator[str]:
    with FastServer(proxy_headers(TRUSTED)(handle), port=0) as server:
        yield server.url


Fields = list[tuple[str, str]]


def ask(url: str, fields: Fields) -> list[Any]:
    answer: list[Any] = httpx.get(url, headers=[("Host", "here"), *fields]).json()
    return answer


@pytest.mark.parametrize(
    ("values", "client", "scheme", "host"),
    [
        ([], PEER, "http", "here"),
        (["for=1.2.3.4"], "1.2.3.4", "http", "here"),
        (['For=1.2.3.4; Proto=HTTPS; Host="a.example:8443"'], "1.2.3.4", "https", "a.example:8443"),
        (['for="[2001:db8::1]:80";proto=https'], "2001:db8::1", "https", "here"),
        (['for="1.2.3.4:5"'], "1.2.3.4", "http", "here"),
        # From the right, as far as proxies are trusted; on one line or on several.
        (["for=6.6.6.6, for=1.2.3.4;host=a, for=10.0.0.1"], "1.2.3.4", "http", "a"),
        (["for=6.6.6.6;host=evil", "for=1.2.3.4", "for=10.0.0.1"], "1.2.3.4", "http", "here"),
        (['for=1.2.3.4;proto=https, for="[2001:db8:1::9]";proto=http'], "1.2.3.4", "https", "here"),
        (["for=10.0.0.2, for=10.0.0.1"], "10.0.0.2", "http", "here"),
        # What a client made up cannot hide what the proxy has added.
        (['for="', "for=1.2.3.4"], "1.2.3.4", "http", "here"),
        (['for=6.6.6.6;by="\\', 'for="1.2.3.4"'], "1.2.3.4", "http", "here"),
        # Malformed: nothing from there on.
        (["for=1.2.3.4, for=10.0.0.300, for=10.0.0.1"], "10.0.0.1", "http", "here"),
        (["for=1.2.3.4 proto=https"], PEER, "http", "here"),
        (["for=2001:db8::1"], PEER, "http", "here"),
        (["for=1.2.3.4;for=1.2.3.5"], PEER, "http", "here"),
        (['for=1.2.3.4;host="a b";proto=https'], PEER, "http", "here"),
        # Hidden: the proxy that hides it is all that is known.
        (["for=6.6.6.6, for=unknown;proto=https"], PEER, "https", "here"),
        (['for=6.6.6.6, for="_gazonk:_p", for=10.0.0.1'], "10.0.0.1", "http", "here"),
        (["proto=https"], PEER, "https", "here"),
        (["for=1.2.3.4;proto=gopher"], "1.2.3.4", "http", "here"),
    ],
)
def test_forwarded(
    by_forwarded: str, values: list[str], client: str, scheme: str, host: str
) -> None:
    fields = [("Forwarded", value) for value in values]
    assert ask(by_forwarded, fields) == [client, scheme, host]


@pytest.mark.parametrize(
    ("fields", "client", "scheme", "host"),
    [
        ({}, PEER, "http", "here"),
        (
            {"For": "1.2.3.4", "Proto": "https", "Host": "a.example"},
            "1.2.3.4",
            "https",
            "a.example",
        ),
        ({"For": "2001:db8::1"}, "2001:db8::1", "http", "here"),
        ({"For": "[2001:db8::1]:443"}, "2001:db8::1", "http", "here"),
        ({"For": "::ffff:1.2.3.4"}, "1.2.3.4", "http", "here"),
        ({"For": "1.2.3.4:5678"}, "1.2.3.4", "http", "here"),
        ({"For": '"1.2.3.4"'}, "1.2.3.4", "http", "here"),
        ({"For": "6.6.6.6, 1.2.3.4, 10.0.0.1"}, "1.2.3.4", "http", "here"),
        ({"For": "6.6.6.6, bad, 10.0.0.1"}, "10.0.0.1", "http", "here"),
        ({"For": "6.6.6.6, unknown"}, PEER, "http", "here"),
        ({"For": "bad"}, PEER, "http", "here"),
        ({"For": "1.2.3.4:99999"}, PEER, "http", "here"),
        ({"For": "fe80::1%lo"}, PEER, "http", "here"),
        # Each proxy has put one: that of the outermost counts. One for all: that one does.
        ({"For": "1.2.3.4, 10.0.0.1", "Proto": "evil, https, http"}, "1.2.3.4", "https", "here"),
        ({"For": "1.2.3.4, 10.0.0.1", "Proto": "https"}, "1.2.3.4", "https", "here"),
        ({"For": "6.6.6.6, 1.2.3.4", "Proto": "http, https"}, "1.2.3.4", "https", "here"),
        ({"Proto": "http, HTTPS"}, PEER, "https", "here"),
        ({"Proto": "gopher", "Host": "a b"}, PEER, "http", "here"),
        ({"Host": "[::1]:80"}, PEER, "http", "[::1]:80"),
    ],
)
def test_x_forwarded(
    by_x_forwarded: str, fields: dict[str, str], client: str, scheme: str, host: str
) -> None:
    sent = [(f"X-Forwarded-{name}", value) for name, value in fields.items()]
    assert ask(by_x_forwarded, sent) == [client, scheme, host]


def test_the_other_field_does_not_count(by_forwarded: str, by_x_forwarded: str) -> None:
    """A proxy hands on what it does not know, so the client could have put it there."""
    assert ask(by_forwarded, [("X-Forwarded-For", "6.6.6.6")])[0] == PEER
    assert ask(by_x_forwarded, [("Forwarded", "for=6.6.6.6")])[0] == PEER


@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8"], ["::1"], ["unix"]])
def test_nobody_else_is_believed(trusted: list[str]) -> None:
    fields = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", "evil")]
    with FastServer(proxy_headers(trusted)(handle), port=0) as server:
        assert ask(server.url, fields) == [PEER, "http", "here"]


def test_ports() -> None:
    with FastServer(proxy_headers([PEER])(port), port=0) as server:
        for value, expected in (("1.2.3.4:56", 56), ("[::1]:56", 56), ("1.2.3.4", 0)):
            assert ask(server.url, [("X-Forwarded-For", value)])[1] == expected


def test_a_socket_for_both_families_and_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "fastraw.access")
    with (
        FastServer(proxy_headers([PEER])(handle), port=0, host="::") as server,
        RawClient((PEER, server.port)) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        assert client.response().body == b'["1.2.3.4", "http", "a"]'
    assert caplog.messages[0].startswith('1.2.3.4 "GET / HTTP/1.1" 200 ')


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with FastServer(proxy_headers(["unix"])(handle), uds=path), RawClient(path) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        assert client.response().body == b'["1.2.3.4", "http", "a"]'


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", ["10.0.0.1/8"], ["localhost"]])
def test_bad_networks(trusted: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^trusted must"):
        proxy_headers(trusted)


def test_bad_field() -> None:
    field: Any = "forwarded"
    with pytest.raises(ValueError, match=r"^field must"):
        proxy_headers([PEER], field=field)


LATIN_1 = st.text(st.characters(max_codepoint=255))
FORWARDED = st.text(st.sampled_from('for=1.2";:[],_\\ unknown')) | LATIN_1


@given(FORWARDED)
def test_anything_can_be_asked(text: str) -> None:
    for element in split_list(text):
        for hop in (parse_forwarded(element), parse_node(element), parse_node(element, bare=False)):
            assert hop is None or isinstance(hop, Hop)


@given(FORWARDED, st.sampled_from(["for=1.2.3.4", 'for="[2001:db8::1]:80";proto=https']))
def test_what_is_on_the_left_changes_nothing(left: str, right: str) -> None:
    element = split_list(f"{left}, {right}")[-1]
    assert parse_forwarded(element) == parse_forwarded(right)
