"""Cookies: what browsers send is taken, what they would not take is refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastraw import FastServer, Request, Response
from fastraw.cookies import parse_cookies

DAY = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], {}),
        (["a=b; c=d"], {"a": "b", "c": "d"}),
        (["a=b", "c=d"], {"a": "b", "c": "d"}),
        (["a=first; a=second"], {"a": "first"}),
        (["a=b;c=d;;  ;e"], {"a": "b", "c": "d"}),
        (["a = b\t; =c"], {"a": "b"}),
        (['a="b"; c="; d="e'], {"a": "b", "c": '"', "d": '"e'}),
        (["a=b=c"], {"a": "b=c"}),
        (["a="], {"a": ""}),
        (["$Version=1; a=b"], {"$Version": "1", "a": "b"}),
        (["a=\u00c3\u00a9; b=\u00e9"], {"a": "\u00e9", "b": "\u00e9"}),
    ],
)
def test_received(fields: list[str], expected: dict[str, str]) -> None:
    assert parse_cookies(fields) == expected


@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=3))
def test_any_field_is_taken(fields: list[str]) -> None:
    assert all(parse_cookies(fields))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "n=v; Path=/; HttpOnly; SameSite=Lax"),
        ({"path": None, "http_only": False, "same_site": None}, "n=v"),
        ({"max_age_seconds": 60, "path": "/a b"}, "n=v; Max-Age=60; Path=/a b; HttpOnly;"),
        ({"max_age_seconds": -1}, "n=v; Max-Age=-1; Path=/;"),
        ({"expires": 0}, "n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/;"),
        ({"expires": DAY}, "n=v; Expires=Wed, 02 Jan 2030 02:04:05 GMT; Path=/;"),
        ({"domain": "example.org"}, "n=v; Path=/; Domain=example.org; HttpOnly;"),
        (
            {"secure": True, "same_site": "None", "partitioned": True},
            "n=v; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
        ({"same_site": "Strict"}, "n=v; Path=/; HttpOnly; SameSite=Strict"),
    ],
)
def test_set(arguments: dict[str, Any], expected: str) -> None:
    response = Response()
    response.set_cookie("n", "v", **arguments)
    field = response.headers["Set-Cookie"]
    assert field.startswith(expected) if expected.endswith(";") else field == expected


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "a b"}),
        ("name", {"name": "a=b"}),
        ("name", {"name": "a\r\n"}),
        ("value", {"value": "a b"}),
        ("value", {"value": "a;b"}),
        ("value", {"value": 'a"b'}),
        ("value", {"value": '"'}),
        ("value", {"value": "a\\b"}),
        ("value", {"value": "\u00e9"}),
        ("value", {"value": "a\n"}),
        ("value", {"value": "v" * 4096}),
        ("max_age_seconds", {"max_age_seconds": 1.5}),
        ("max_age_seconds", {"max_age_seconds": True}),
        ("expires", {"expires": datetime(2030, 1, 1)}),
        ("expires", {"expires": "tomorrow"}),
        ("expires", {"expires": 1e300}),
        ("path", {"path": "a"}),
        ("path", {"path": "/;Secure"}),
        ("path", {"path": "/\r\n"}),
        ("path", {"path": "/" + "p" * 1024}),
        ("domain", {"domain": ""}),
        ("domain", {"domain": "a;b"}),
        ("domain", {"domain": "."}),
        ("domain", {"domain": "-a"}),
        ("domain", {"domain": "a."}),
        ("domain", {"domain": "b\u00fccher.example"}),
        ("same_site", {"same_site": "lax"}),
        ("same_site", {"same_site": "None"}),
        ("partitioned", {"partitioned": True}),
        ("name", {"name": "__Secure-a"}),
        ("name", {"name": "__host-a", "secure": True, "path": "/a"}),
        ("name", {"name": "__Host-a", "secure": True, "domain": "example.org"}),
    ],
)
def test_refused(argument: str, arguments: dict[str, Any]) -> None:
    response = Response()
    with pytest.raises(ValueError, match=rf"^{argument}\b"):
        response.set_cookie(**{"name": "n", "value": "v", **arguments})
    assert "Set-Cookie" not in response.headers


def test_quoted_values_and_prefixes() -> None:
    response = Response()
    response.set_cookie("a", '"v"')
    response.set_cookie("__Host-b", "v", secure=True)
    response.delete_cookie("__Host-b", secure=True)
    first, second, third = response.headers.get_all("Set-Cookie")
    assert first.startswith('a="v"; ')
    assert second == "__Host-b=v; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert third.startswith("__Host-b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/;")


def test_a_client_keeps_and_forgets() -> None:
    def handle(request: Request) -> Response:
        response = Response.json(request.cookies)
        if request.path == "/set":
            response.set_cookie("a", "1", max_age_seconds=60)
            response.set_cookie("b", "2", path="/elsewhere")
        elif request.path == "/delete":
            response.delete_cookie("a")
        return response

    client = build_opener(HTTPCookieProcessor(CookieJar()))
    with FastServer(handle, port=0) as server:
        # urllib's client takes no cookies of a plain 127.0.0.1 for another path.
        answers = [client.open(server.url + path).read() for path in ("/set", "/", "/delete", "/")]
    assert answers == [b"{}", b'{"a": "1"}', b'{"a": "1"}', b"{}"]
