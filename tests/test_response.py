"""Response and its constructors, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastraw import Response
from fastraw.response import as_response


@pytest.mark.parametrize(
    ("body", "octets", "content_type"),
    [
        (b"\xff", b"\xff", "application/octet-stream"),
        ("\u20ac", b"\xe2\x82\xac", "text/plain; charset=utf-8"),
        (bytearray(b"x"), b"x", "application/octet-stream"),
        (memoryview(b"xyz")[1:], b"yz", "application/octet-stream"),
        (b"", b"", None),
    ],
)
def test_body(body: Any, octets: bytes, content_type: str | None) -> None:
    response = Response(body)
    assert (response.body, response.content_type, response.status) == (octets, content_type, 200)
    assert type(response.body) is bytes
    assert Response(body, content_type="a/b").content_type == "a/b"


@pytest.mark.parametrize("body", [None, 5, ["x"], {"a": 1}])
def test_body_that_is_none(body: Any) -> None:
    with pytest.raises(TypeError, match="body must be bytes or str, not"):
        Response(body)


@pytest.mark.parametrize("status", [0, 100, 199, 600, "200", 404.0, True, None])
def test_status_that_is_none(status: Any) -> None:
    with pytest.raises(ValueError, match="status must be an integer from 200 to 599, not"):
        Response(b"", status)


def test_headers_are_made_when_they_are_wanted() -> None:
    response = Response(b"x")
    assert response.ordinary
    response.headers["X-A"] = "1"
    assert not response.ordinary
    assert response.headers.items() == [("X-A", "1")]
    given = Response(headers=[("X-A", "1")])
    assert not given.ordinary
    assert given.headers["x-a"] == "1"


def test_text_html_and_json() -> None:
    assert Response.text("\xe4").body == Response.html("\xe4").body == b"\xc3\xa4"
    assert Response.text("x", 404).status == 404
    assert Response.html("x").content_type == "text/html; charset=utf-8"
    response = Response.json({"a": [1, "\xe4"]}, 201, {"X": "y"})
    assert json.loads(response.body) == {"a": [1, "\xe4"]}
    assert (response.status, response.content_type) == (201, "application/json")
    assert Response.json(5, dumps=lambda value: b"octets").body == b"octets"
    assert Response.json(5, dumps=lambda value: "text").body == b"text"
    with pytest.raises(TypeError, match="not JSON serializable"):
        Response.json(object())


def test_redirect() -> None:
    response = Response.redirect("/there?x=1")
    assert (response.status, response.headers["location"]) == (302, "/there?x=1")
    assert Response.redirect("/", 308, {"X": "y"}).headers["x"] == "y"
    with pytest.raises(ValueError, match="location of a redirect must be a URI in ASCII"):
        Response.redirect("/caf\u00e9")
    with pytest.raises(ValueError, match="status of a redirect must be 300 to 399, not 200"):
        Response.redirect("/", 200)
    with pytest.raises(ValueError, match="'Location'"):
        Response.redirect("/\r\nSet-Cookie: x=1")


def test_stream_of_nothing_at_all() -> None:
    """As of a function that was to yield, and has no `yield` yet: no answer without content."""
    with pytest.raises(TypeError, match=r"^iterable must be an iterable of bytes, not None$"):
        Response.stream(None)  # type: ignore[arg-type]


def test_stream() -> None:
    pieces = [b"x"]
    response = Response.stream(pieces)
    assert response.iterable is pieces
    assert not response.ordinary
    assert response.content_type == "application/octet-stream"


def test_what_it_looks_like() -> None:
    assert repr(Response("text", 404)) == "<Response 404, 4 bytes>"
    assert repr(Response.stream([])) == "<Response 200, stream>"


@pytest.mark.parametrize(
    ("result", "octets", "content_type"),
    [
        ("x", b"x", "text/plain; charset=utf-8"),
        (b"x", b"x", "application/octet-stream"),
        ({"a": 1}, b'{"a": 1}', "application/json"),
        ([1], b"[1]", "application/json"),
    ],
)
def test_results(result: object, octets: bytes, content_type: str) -> None:
    response = as_response(result)
    assert (response.body, response.content_type) == (octets, content_type)
    assert as_response(response) is response


@pytest.mark.parametrize("result", [None, 5, ("x", 200), bytearray(b"x"), iter(())])
def test_results_that_are_none(result: object) -> None:
    kind = type(result).__name__
    message = rf"^a handler returns Response, str, bytes, dict or list, not {kind}$"
    with pytest.raises(TypeError, match=message):
        as_response(result)
