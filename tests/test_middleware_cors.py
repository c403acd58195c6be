"""cors: the permissions that browsers ask for, and no others."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fastraw import FastServer, HTTPError, Request, Response
from fastraw.apps.middleware import cors
from fastraw.apps.middleware.cross_origin import Origins

HERE = "https://here.example"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a, x b"}


def handle(request: Request) -> Response:
    if request.path == "/missing":
        raise HTTPError(404)
    own = {"Vary": "Accept", "Access-Control-Allow-Origin": "https://handler.example"}
    return Response.text(request.method, headers=own)


def ask(
    origins: Origins,
    method: str,
    sent: dict[str, str] | list[tuple[str, str]],
    path: str = "/",
    **options: Any,
) -> tuple[int, str, dict[str, str]]:
    """Status, content, and the fields that matter: Vary and Access-Control-*, shortened."""
    with FastServer(cors(origins, **options)(handle), port=0) as server:
        response = httpx.request(method, server.url + path, headers=sent)
    fields = {
        name.removeprefix("access-control-"): value
        for name, value in response.headers.items()
        if name == "vary" or name.startswith("access-control-")
    }
    return response.status_code, response.text, fields


@pytest.mark.parametrize(
    ("origins", "headers", "options", "expected"),
    [
        ([HERE], {"Origin": HERE}, {}, {"allow-origin": HERE}),
        (["HTTPS://Here.example"], {"Origin": HERE}, {}, {"allow-origin": HERE}),
        ([HERE], {}, {}, {}),
        ([HERE], {"Origin": HERE + ".evil.example"}, {}, {}),
        ([HERE], {"Origin": "http://here.example"}, {}, {}),
        ([HERE], {"Origin": "null"}, {}, {}),
        ([HERE], [("Origin", HERE), ("Origin", HERE)], {}, {}),
        (["null"], {"Origin": "null"}, {}, {"allow-origin": "null"}),
        (
            lambda origin: origin.endswith(":1"),
            {"Origin": "http://a:1"},
            {},
            {"allow-origin": "http://a:1"},
        ),
        (lambda origin: False, {"Origin": "http://a:1"}, {}, {}),
        (
            [HERE],
            {"Origin": HERE},
            {"credentials": True, "expose_headers": ["X-A", "X-B"]},
            {"allow-origin": HERE, "allow-credentials": "true", "expose-headers": "X-A, X-B"},
        ),
        ([HERE], {"Origin": "http://a"}, {"credentials": True, "expose_headers": ["X-A"]}, {}),
    ],
)
def test_answers(
    origins: Origins,
    headers: dict[str, str],
    options: dict[str, Any],
    expected: dict[str, str],
) -> None:
    """What the handler itself says of origins does not count, and Vary is always right."""
    assert ask(origins, "GET", headers, **options) == (
        *(200, "GET"),
        {"vary": "Accept, Origin", **expected},
    )


def test_all_origins() -> None:
    expected = {"vary": "Accept", "allow-origin": "*"}
    assert ask("*", "GET", {"Origin": HERE}) == (200, "GET", expected)
    assert ask("*", "GET", {}) == (200, "GET", expected)


def test_errors_can_be_read() -> None:
    status, _, fields = ask([HERE], "GET", {"Origin": HERE}, path="/missing")
    assert (status, fields) == (404, {"vary": "Origin", "allow-origin": HERE})


@pytest.mark.parametrize(
    ("origins", "options", "expected"),
    [
        (
            [HERE],
            {},
            {
                "allow-origin": HERE,
                "allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
                "max-age": "600",
                "vary": "Origin",
            },
        ),
        (
            [HERE],
            {"methods": ["PUT"], "headers": ["X-A"], "credentials": True, "max_age_seconds": 5},
            {
                "allow-origin": HERE,
                "allow-credentials": "true",
                "allow-methods": "PUT",
                "allow-headers": "X-A",
                "max-age": "5",
                "vary": "Origin",
            },
        ),
        (
            "*",
            {"methods": ["PUT"], "headers": "*"},
            {
                "allow-origin": "*",
                "allow-methods": "PUT",
                "allow-headers": "x-a",
                "max-age": "600",
                "vary": "Access-Control-Request-Headers",
            },
        ),
        (["https://other.example"], {"headers": ["X-A"]}, {"vary": "Origin"}),
    ],
)
def test_preflights(origins: Origins, options: dict[str, Any], expected: dict[str, str]) -> None:
    """A refusal is an answer without the permission."""
    headers = {"Origin": HERE, **PREFLIGHT}
    assert ask(origins, "OPTIONS", headers, **options) == (204, "", expected)


@pytest.mark.parametrize("headers", [{}, {"Origin": HERE}, PREFLIGHT])
def test_other_options_are_the_handlers(headers: dict[str, str]) -> None:
    assert ask([HERE], "OPTIONS", headers)[:2] == (200, "OPTIONS")


@pytest.mark.parametrize(
    ("argument", "origins", "options"),
    [
        ("credentials", "*", {"credentials": True}),
        ("origins", HERE, {}),
        ("origins", [HERE + "/"], {}),
        ("origins", ["here.example"], {}),
        ("origins", ["*"], {}),
        ("methods", "*", {"methods": "PUT"}),
        ("methods", "*", {"methods": ["P T"]}),
        ("headers", "*", {"headers": ["a\n"]}),
        ("expose_headers", "*", {"expose_headers": [""]}),
        ("max_age_seconds", "*", {"max_age_seconds": -1}),
    ],
)
def test_bad_arguments(argument: str, origins: Origins, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}\b"):
        cors(origins, **options)
