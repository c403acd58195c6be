"""What a handler tells the server, and that what wraps it passes it on."""

from __future__ import annotations

from typing import Any

import pytest

from fastraw import Request
from fastraw.route import Answer, RouteOptions, options_of, wrap
from tests.made import made


def hello(request: Request) -> Answer:
    """Says hello."""
    return f"hello {request.path}"


class Teller:
    """A handler that tells everything."""

    def __call__(self, request: Request) -> Answer:
        return "told"

    def stream_body(self, request: Request) -> bool:
        return True

    def route_key(self, request: Request) -> str:
        return "key"

    def route_options(self, request: Request) -> RouteOptions:
        return RouteOptions(max_body_bytes=7)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("stream_body", 1, TypeError),
        ("control", None, TypeError),
        ("max_body_bytes", 0, ValueError),
        ("max_body_bytes", "5", ValueError),
        ("max_body_bytes", True, ValueError),
        ("timeout_seconds", 0, ValueError),
        ("timeout_seconds", float("nan"), ValueError),
        ("timeout_seconds", True, ValueError),
    ],
)
def test_options_refuse_what_they_cannot_be(field: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=field):
        RouteOptions(**{field: value})


def test_a_plain_handler_has_the_defaults() -> None:
    assert options_of(hello)(made("/")) == RouteOptions()


def test_stream_body_is_an_option() -> None:
    def always(request: Request) -> Answer:
        return ""

    def sometimes(request: Request) -> Answer:
        return ""

    always.stream_body = True  # type: ignore[attr-defined]
    sometimes.stream_body = lambda request: request.path == "/up"  # type: ignore[attr-defined]
    assert options_of(always)(made("/")).stream_body
    assert options_of(sometimes)(made("/up")).stream_body
    assert not options_of(sometimes)(made("/")).stream_body


def test_wrapping_passes_on_what_the_handler_tells() -> None:
    teller = Teller()
    wrapped: Any = wrap(teller, hello)
    request = made("/x")
    assert wrapped(request) == "hello /x"
    assert wrapped.stream_body(request)
    assert wrapped.route_key(request) == "key"
    assert wrapped.route_options(request) == options_of(teller)(request)
    assert wrapped.__wrapped__ is teller


def test_wrapping_adds_nothing_to_a_plain_handler() -> None:
    wrapped = wrap(hello, lambda request: "other")
    assert wrapped(made("/")) == "other"
    assert wrapped.__doc__ == "Says hello."
    assert not any(hasattr(wrapped, name) for name in ("stream_body", "route_key", "route_options"))


def test_only_callables_are_wrapped() -> None:
    with pytest.raises(TypeError, match="handler must be callable"):
        wrap("hello", hello)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="call must be callable"):
        wrap(hello, None)  # type: ignore[arg-type]


def test_subpath_is_what_is_behind_the_mount() -> None:
    request = made("/a%62c/d%2Fe?q=/")
    assert (request.mount_path, request.subpath) == ("", "/a%62c/d%2Fe")
    request.mount_path = "/a%62c"
    assert request.subpath == "/d%2Fe"
    assert request.path == "/abc/d/e"
