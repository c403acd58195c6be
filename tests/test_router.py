"""The router: what patterns match, which route wins, what contradicts, and what is refused."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastraw import FastServer, HTTPError, Request, Response, Router
from fastraw.apps.routing import segment_tree
from fastraw.apps.routing.patterns import parse_pattern, relate
from fastraw.route import Answer, Handler, RouteOptions, wrap
from fastraw.testing import RawClient, RawResponse
from tests.made import made
from tests.program import PYTHON, Program
from tests.waiting import PATIENCE_SECONDS, eventually

SOME_UUID = "01234567-89ab-cdef-0123-456789abcdef"


def router(*patterns: str, methods: tuple[str, ...] | None = ("GET",)) -> Router:
    """One whose handlers answer with their pattern and what its parameters took."""
    made_router = Router()
    for pattern in patterns:
        made_router.route(pattern, methods=methods)(answering(pattern))
    return made_router


def answering(text: str) -> Handler:
    def handler(request: Request) -> Answer:
        return [text, request.path_params]

    return handler


def ask(handler: Handler, target: str, method: str = "GET") -> Any:
    """The answer; the status of an HTTPError, or of a Response."""
    try:
        answer = handler(made(target, method))
    except HTTPError as error:
        return error.status
    return answer.status if isinstance(answer, Response) else answer


def allowed(handler: Handler, target: str, method: str) -> str | None:
    """The Allow field of a 405."""
    with pytest.raises(HTTPError) as caught:
        handler(made(target, method))
    assert caught.value.status == 405
    return dict(caught.value.headers)["Allow"]


# What a pattern matches.


@pytest.mark.parametrize(
    ("pattern", "target", "params"),
    [
        ("/", "/", {}),
        ("/", "/?q", {}),
        ("/", "//", None),
        ("/a", "/a", {}),
        ("/a", "/%61", {}),
        ("/a", "/a?x=/b", {}),
        ("/a", "http://host/a", {}),
        ("/", "http://host", {}),
        ("/a", "/a/", None),
        ("/a/", "/a", None),
        ("/a/", "/a/", {}),
        ("/a", "/A", None),
        ("/a", "//a", None),
        ("/a%20b/%C3%A9", "/a%20b/%c3%a9", {}),
        ("/a b/é", "/a%20b/%C3%A9", {}),
        ("/a%2Fb", "/a%2fb", {}),
        ("/a%2Fb", "/a/b", None),
        ("/100%25", "/100%25", {}),
        ("/%7Bid%7D", "/%7bid%7d", {}),
        ("/users/{id}", "/users/7", {"id": "7"}),
        ("/users/{id}", "/users/7/", None),
        ("/users/{id}", "/users/", None),
        ("/users/{id}", "/users", None),
        ("/users/{id:str}", "/users/%C3%A9%20+", {"id": "é +"}),
        ("/users/{id}", "/users/a%2Fb", {"id": "a/b"}),
        ("/users/{id}/", "/users/7/", {"id": "7"}),
        ("/{a}/{b}/x", "/1/2/x", {"a": "1", "b": "2"}),
        ("/{id:int}", "/0123", {"id": 123}),
        ("/{id:int}", "/%31", {"id": 1}),
        ("/{id:int}", "/9223372036854775807", {"id": 2**63 - 1}),
        ("/{id:int}", "/9223372036854775808", None),
        ("/{id:int}", "/-1", None),
        ("/{id:int}", "/+1", None),
        ("/{id:int}", "/1_0", None),
        ("/{id:int}", "/%D9%A1", None),
        ("/{id:int}", "/", None),
        ("/{id:uuid}", f"/{SOME_UUID}", {"id": UUID(SOME_UUID)}),
        ("/{id:uuid}", f"/{SOME_UUID.upper()}", {"id": UUID(SOME_UUID)}),
        ("/{id:uuid}", f"/{SOME_UUID.replace('-', '')}", None),
        ("/{id:uuid}", f"/{{{SOME_UUID}}}", None),
        ("/f/{rest:path}", "/f/", {"rest": ""}),
        ("/f/{rest:path}", "/f", None),
        ("/f/{rest:path}", "/f/a", {"rest": "a"}),
        ("/f/{rest:path}", "/f/a/%62%20//c/", {"rest": "a/b //c/"}),
        ("/{a}/{rest:path}", "/x/y/z?q", {"a": "x", "rest": "y/z"}),
    ],
)
def test_matching(pattern: str, target: str, params: dict[str, Any] | None) -> None:
    assert ask(router(pattern), target) == (404 if params is None else [pattern, params])


@pytest.mark.parametrize("target", ["/%", "/a%4", "/%zz", "/a/%2", "/%%36%31", "/x/%f?%41"])
def test_a_stray_percent_is_refused(target: str) -> None:
    assert ask(router("/{rest:path}"), target) == 400
    assert ask(router("/other"), target) == 400


@pytest.mark.parametrize("target", ["/%ff", "/%C3", "/a/%c0%af", "/%ED%A0%80", "/%C3/%A9"])
def test_what_is_not_utf8_is_refused(target: str) -> None:
    assert ask(router("/{rest:path}", "/{a}"), target) == 400


@pytest.mark.parametrize(
    "target",
    ["/.", "/..", "/a/../b", "/a/./b", "/%2e", "/%2E%2e/x", "/.%2e", "/a/..", "/a/%2e%2E", "/../a"],
)
def test_dot_segments_are_refused(target: str) -> None:
    assert ask(router("/{rest:path}", "/a", "/a/b", "/b"), target) == 400


@pytest.mark.parametrize("name", ["...", ".a", "a.", "..a", "%252e", "%252e%252e"])
def test_other_dots_are_names(name: str) -> None:
    assert ask(router("/{name}"), f"/{name}") == ["/{name}", {"name": name.replace("%25", "%")}]


def test_an_encoded_slash_is_no_part_of_a_path_parameter() -> None:
    assert ask(router("/{rest:path}"), "/a/b%2Fc") == 400


def test_a_percent_in_the_query_is_none_of_the_routers_business() -> None:
    assert ask(router("/a"), "/a?%zz&..") == ["/a", {}]


# Which route wins.

ONE_SEGMENT = ("/{rest:path}", "/{a}", "/{a:int}", "/{a:uuid}", "/5", "/me", "/a/", "/")
TWO_SEGMENTS = ("/{rest:path}", "/{a}/{b}", "/{a:int}/{b}", "/{a:int}/b", "/a/b", "/a/{b}/{c}")


@pytest.mark.parametrize(
    ("patterns", "target", "winner"),
    [
        (ONE_SEGMENT, "/", "/"),
        (ONE_SEGMENT, "/x", "/{a}"),
        (ONE_SEGMENT, "/6", "/{a:int}"),
        (ONE_SEGMENT, "/5", "/5"),
        (ONE_SEGMENT, f"/{SOME_UUID}", "/{a:uuid}"),
        (ONE_SEGMENT, "/m%65", "/me"),
        (ONE_SEGMENT, "/a/", "/a/"),
        (ONE_SEGMENT, "/x/", "/{rest:path}"),
        (ONE_SEGMENT, "/a/b", "/{rest:path}"),
        (TWO_SEGMENTS, "/a/b", "/a/b"),
        (TWO_SEGMENTS, "/a/c", "/{a}/{b}"),
        (TWO_SEGMENTS, "/7/b", "/{a:int}/b"),
        (TWO_SEGMENTS, "/7/c", "/{a:int}/{b}"),
        (TWO_SEGMENTS, "/a/b/c", "/a/{b}/{c}"),
        (TWO_SEGMENTS, "/7/b/c", "/{rest:path}"),
    ],
)
def test_the_most_specific_wins(patterns: tuple[str, ...], target: str, winner: str) -> None:
    assert ask(router(*patterns), target)[0] == winner
    assert ask(router(*reversed(patterns)), target)[0] == winner


def test_the_search_comes_back_from_a_branch_without_end() -> None:
    both = router("/a/{x}/1", "/{y}/b/2", "/{rest:path}")
    assert ask(both, "/a/b/1") == ["/a/{x}/1", {"x": "b"}]
    assert ask(both, "/a/b/2") == ["/{y}/b/2", {"y": "a"}]
    assert ask(both, "/a/b/3") == ["/{rest:path}", {"rest": "a/b/3"}]


def test_a_method_is_looked_for_in_more_general_patterns() -> None:
    both = Router()
    both.get("/me")(answering("get"))
    both.post("/{name}")(answering("post"))
    both.route("/{rest:path}")(answering("any"))
    assert ask(both, "/me") == ["get", {}]
    assert ask(both, "/me", "POST") == ["post", {"name": "me"}]
    assert ask(both, "/me", "PUT") == ["any", {"rest": "me"}]
    assert ask(both, "/me", "OPTIONS") == ["any", {"rest": "me"}]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_winner_lies_within_all_others(data: st.DataObject) -> None:
    """Against the definition: of the routes that match, the one whose paths all others have."""
    segment = st.sampled_from(["a", "1", "", "{x}", "{x:int}"])
    texts = data.draw(
        st.lists(st.lists(segment, min_size=1, max_size=3).map(named), min_size=1, max_size=8)
    )
    mixed = Router()
    added: list[str] = []
    for text in texts:
        try:
            mixed.get(text)(answering(text))
        except ValueError:
            continue
        added.append(text)
    target = "/" + "/".join(
        data.draw(st.lists(st.sampled_from(["a", "1", "", "z"]), min_size=1, max_size=3))
    )
    matching = [text for text in added if ask(router(text), target) != 404]
    found = ask(mixed, target)
    if not matching:
        assert found == 404
        return
    assert found[0] in matching
    for other in matching:
        relation = relate(parse_pattern(found[0]), parse_pattern(other))
        assert relation is not None
        assert relation[0]


def named(segments: list[str]) -> str:
    """A pattern whose parameters have different names; the empty segment only at its end."""
    kept = [text for text in segments[:-1] if text] + segments[-1:]
    return "".join(f"/{text.replace('x', f'x{place}')}" for place, text in enumerate(kept))


# What contradicts.


def clash(
    first: tuple[str, tuple[str, ...] | None], second: tuple[str, tuple[str, ...] | None]
) -> str | None:
    """What is said against adding the second; the same must be said the other way round."""
    messages = []
    for one, two in ((first, second), (second, first)):
        both = Router()
        both.route(one[0], methods=one[1])(answering("1"))
        try:
            both.route(two[0], methods=two[1])(answering("2"))
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) in (0, 2)
    return messages[0] if messages else None


GET, POST, HEAD = ("GET",), ("POST",), ("HEAD",)


@pytest.mark.parametrize(
    ("first", "second", "example"),
    [
        (("/a", GET), ("/a", GET), "already"),
        (("/{x}", GET), ("/{y}", GET), "already"),
        (("/a", GET), ("/%61", GET), "already"),
        (("/a", None), ("/a", None), "already"),
        (("/a", ("POST", "GET")), ("/a", ("PUT", "GET")), "already"),
        (("/{rest:path}", GET), ("/{other:path}", GET), "already"),
        (("/a/{x}", GET), ("/{y}/b", GET), "/a/b,"),
        (("/{x:int}/{y}", GET), ("/{x}/b", GET), "/1/b,"),
        (("/{x:uuid}/{y}", GET), ("/{x}/b", GET), f"/{'0' * 8}-0000-0000-0000-{'0' * 12}/b,"),
        (("/a/{rest:path}", GET), ("/{x}/b", GET), "/a/b,"),
        (("/a/{rest:path}", GET), ("/{x}/{y}", GET), "/a/x,"),
        (("/{x:int}/{rest:path}", GET), ("/{x}/{y}/c", GET), "/1/x/c,"),
        (("/{x:int}/{y}/{z:path}", GET), ("/{x}/b/{z:path}", GET), "/1/b/x,"),
        (("/{x}", GET), ("/a", None), "/a,"),
        (("/{x}", HEAD), ("/a", GET), "/a,"),
    ],
)
def test_contradictions(first: Any, second: Any, example: str) -> None:
    message = clash(first, second)
    assert message is not None
    assert example in message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("/a", GET), ("/a", POST)),
        (("/a", GET), ("/a", None)),
        (("/a", GET), ("/a", HEAD)),
        (("/a", GET), ("/a/", GET)),
        (("/a", GET), ("/{x}", None)),
        (("/a/{x}", GET), ("/{y}/b", POST)),
        (("/a/{x}/1", GET), ("/{y}/b/2", GET)),
        (("/{x:int}/b", GET), ("/{y:uuid}/{z}", GET)),
        (("/{x:int}/{y}", GET), ("/a/{z}", GET)),
        (("/{x}/", GET), ("/{x}/{rest:path}", GET)),
        (("/{x}", GET), ("/{x}/{rest:path}", GET)),
    ],
)
def test_no_contradictions(first: Any, second: Any) -> None:
    assert clash(first, second) is None


def test_a_contradiction_names_both_places() -> None:
    both = Router()
    first = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    both.get("/a/{x}")(answering("1"))
    with pytest.raises(ValueError, match="contradict") as caught:
        both.get("/{y}/b")(answering("2"))
    message = str(caught.value)
    assert f"GET '/a/{{x}}' ({__file__}:{first})" in message
    assert f"GET '/{{y}}/b' ({__file__}:{first + 2})" in message


def test_a_refused_route_leaves_nothing_behind() -> None:
    both = router("/a/{x}")
    with pytest.raises(ValueError, match="contradict"):
        both.get("/{y}/b", name="second")(answering("2"))
    assert ask(both, "/c/b") == 404
    with pytest.raises(ValueError, match="no route"):
        both.url_for("second", y="c")


@pytest.mark.parametrize("target", ["/x5/y", "/r7/5", "/r8", "/nothing/here"])
def test_matching_costs_the_same_among_many_routes(target: str) -> None:
    def calls(number: int) -> int:
        patterns = (f"/r{index}{end}" for index in range(number) for end in ("", "/{x:int}"))
        among = router(*patterns, "/{a}/{b}")
        counted = []
        sys.setprofile(lambda frame, event, argument: counted.append(event))
        try:
            ask(among, target)
        finally:
            sys.setprofile(None)
        return len(counted)

    assert calls(10) == calls(1000)


def test_adding_looks_only_at_similar_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As matching, which works on the same tree, it does not go through all of them."""
    many = router(*(f"/r{number}/{{x}}" for number in range(500)), "/{other}")
    looked = []
    monkeypatch.setattr(segment_tree, "check", lambda new, old: looked.append(old))
    many.get("/new/{x}")(answering("new"))
    assert looked == []


# Methods.


def test_head_is_answered_by_get() -> None:
    both = Router()
    both.get("/a")(answering("get"))
    assert ask(both, "/a", "HEAD") == ["get", {}]
    both.route("/a", methods=["HEAD"])(answering("head"))
    assert ask(both, "/a", "HEAD") == ["head", {}]
    assert ask(both, "/a") == ["get", {}]
    assert ask(both, "/a", "get") == 405


def test_head_of_its_own_stays_when_get_is_added() -> None:
    both = Router()
    both.route("/a", methods=["HEAD"])(answering("head"))
    both.get("/a")(answering("get"))
    assert ask(both, "/a", "HEAD") == ["head", {}]


def test_any_method_leaves_those_that_have_their_own() -> None:
    both = Router()
    both.route("/a")(answering("any"))
    both.post("/a")(answering("post"))
    assert [ask(both, "/a", method)[0] for method in ("GET", "POST", "BREW")] == [
        *("any", "post", "any")
    ]


def test_another_method_is_answered_with_allow() -> None:
    both = Router()
    both.get("/a")(answering("1"))
    both.put("/{x}")(answering("2"))
    both.patch("/{rest:path}")(answering("3"))
    both.delete("/b")(answering("4"))
    assert allowed(both, "/a", "POST") == "GET, HEAD, OPTIONS, PATCH, PUT"
    assert allowed(both, "/c/d", "GET") == "OPTIONS, PATCH"


def test_options_says_what_is_allowed() -> None:
    both = Router()
    both.get("/a")(answering("1"))
    both.post("/a")(answering("2"))
    both.put("/b")(answering("3"))
    answer = both(made("/a", "OPTIONS"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    everything = both(made("*", "OPTIONS"))
    assert isinstance(everything, Response)
    assert everything.headers["allow"] == "GET, HEAD, OPTIONS, POST, PUT"
    assert ask(both, "/c", "OPTIONS") == 404


def test_options_of_its_own() -> None:
    both = router("/a")
    both.route("/a", methods=["OPTIONS"])(answering("mine"))
    assert ask(both, "/a", "OPTIONS") == ["mine", {}]


def test_not_found_can_be_answered_otherwise() -> None:
    both = router("/a")

    @both.not_found
    def missing(request: Request) -> Answer:
        return Response.text(f"nothing at {request.path}", status=404)

    answer = both(made("/b"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (404, b"nothing at /b")
    assert ask(both, "/a", "POST") == 405


# Mounts.


def mounted_at(request: Request) -> Answer:
    return [request.mount_path, request.subpath, request.path_params, request.raw_path]


@pytest.mark.parametrize(
    ("prefix", "target", "seen"),
    [
        ("/app", "/app", ["/app", ""]),
        ("/app", "/app/", ["/app", "/"]),
        ("/app", "/app/a%2Fb/c?q", ["/app", "/a%2Fb/c"]),
        ("/app", "/%61pp/x", ["/%61pp", "/x"]),
        ("/app", "/apple", None),
        ("/app", "/", None),
        ("/app", "http://host/app/x", ["/app", "/x"]),
        ("/", "/", ["", "/"]),
        ("/", "/x//y", ["", "/x//y"]),
        ("/a/{x:int}", "/a/7/b", ["/a/7", "/b"]),
        ("/a/{x:int}", "/a/b/b", None),
    ],
)
def test_what_a_mounted_handler_sees(prefix: str, target: str, seen: list[str] | None) -> None:
    outer = Router()
    outer.mount(prefix, mounted_at)
    for method in ("GET", "OPTIONS", "BREW"):
        found = ask(outer, target, method)
        if seen is None:
            assert found == 404
            continue
        params = {"x": 7} if "{x:int}" in prefix else {}
        path = target.removeprefix("http://host").partition("?")[0]
        assert found == [*seen, params, path]


def test_a_router_in_a_router() -> None:
    inner = router("", "/", "/{b}", "/fixed", "/app/fixed")
    inner.mount("/deep", mounted_at)
    outer = Router()
    outer.mount("/{a}/app", inner)
    outer.get("/x/app/special")(answering("special"))
    assert ask(outer, "/1/app") == ["", {"a": "1"}]
    assert ask(outer, "/1/app/") == ["/", {"a": "1"}]
    assert ask(outer, "/1/app/2") == ["/{b}", {"a": "1", "b": "2"}]
    assert ask(outer, "/1/app/fixed?q") == ["/fixed", {"a": "1"}]
    assert ask(outer, "/1/app/app/fixed") == ["/app/fixed", {"a": "1"}]
    assert ask(outer, "/1/app/deep/3") == ["/1/app/deep", "/3", {"a": "1"}, "/1/app/deep/3"]
    assert ask(outer, "/1/app/2/3") == 404
    assert ask(outer, "/1/app/2", "POST") == 405
    assert ask(outer, "/x/app/special") == ["special", {}]
    assert ask(inner, "/fixed") == ["/fixed", {}]


def test_the_request_is_as_before_when_a_mounted_handler_is_done() -> None:
    def failing(request: Request) -> Answer:
        assert request.mount_path == "/a"
        raise RuntimeError

    outer = Router()
    outer.mount("/a", failing)
    outer.mount("/b", mounted_at)
    for target in ("/a/x", "/b/x"):
        request = made(target)
        try:
            outer(request)
        except RuntimeError:
            assert target == "/a/x"
        assert (request.mount_path, request.path_params) == ("", {})


def test_routes_below_a_mount_go_first_and_those_above_last() -> None:
    outer = Router()
    outer.mount("/app", answering("mount"))
    outer.get("/app")(answering("at"))
    outer.get("/app/{x}")(answering("below"))
    outer.get("/{rest:path}")(answering("above"))
    assert ask(outer, "/app") == ["at", {}]
    assert ask(outer, "/app/1") == ["below", {"x": "1"}]
    assert ask(outer, "/app/1", "POST") == ["mount", {}]
    assert ask(outer, "/app/1/2") == ["mount", {}]
    assert ask(outer, "/other") == ["above", {"rest": "other"}]


def test_mounts_that_contradict() -> None:
    outer = Router()
    outer.mount("/app", mounted_at)
    for contradicting in ("/app", "/app/{rest:path}"):
        with pytest.raises(ValueError, match="already"):
            outer.route(contradicting)(answering("any"))
    with pytest.raises(ValueError, match="already"):
        outer.mount("/app", mounted_at)
    with pytest.raises(ValueError, match=r"contradict .*/app/y,"):
        outer.mount("/{x}/y", mounted_at)
    for other in ("/app/inner", "/", "/{x}"):
        outer.mount(other, mounted_at)


def test_no_router_inside_of_itself() -> None:
    one, two = Router(), Router()
    one.mount("/two", wrap(two, two))
    with pytest.raises(ValueError, match="inside of itself"):
        two.mount("/one", one)
    with pytest.raises(ValueError, match="inside of itself"):
        one.mount("/one", one)


# Middleware.


def tagging(tag: str) -> Callable[[Handler], Handler]:
    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Answer:
            request.state.setdefault("tags", []).append(tag)
            return handler(request)

        return wrap(handler, call)

    return middleware


def test_middleware_is_around_all_that_a_router_answers() -> None:
    outer, inner = Router(), Router()

    @inner.get("/a")
    def tags(request: Request) -> Answer:
        return list(request.state["tags"])

    inner.use(tagging("3"))
    outer.use(tagging("1"), tagging("2"))
    outer.mount("/in", inner)
    assert ask(outer, "/in/a") == ["1", "2", "3"]
    outer.use(tagging("later"))
    assert ask(outer, "/in/a") == ["1", "2", "later", "3"]
    request = made("/missing")
    with pytest.raises(HTTPError):
        outer(request)
    assert request.state["tags"] == ["1", "2", "later"]
    assert outer.route_options(made("/in/a")) == RouteOptions()


# Options, and what the server asks.


def test_options_of_a_route() -> None:
    both = Router()
    both.post("/up", stream_body=True, max_body_bytes=10)(answering("up"))
    both.get("/slow", timeout_seconds=2)(answering("slow"))
    both.get("/health", lane="control")(answering("health"))
    assert both.route_options(made("/up", "POST")) == RouteOptions(True, 10)
    assert both.route_options(made("/slow")) == RouteOptions(timeout_seconds=2)
    assert both.route_options(made("/health")) == RouteOptions(control=True)
    for target in ("/nothing", "/health?x", "/%", "/up"):
        assert both.route_options(made(target, "PUT")) == RouteOptions()


def test_what_a_handler_tells_is_passed_on() -> None:
    def reads(request: Request) -> Answer:
        return ""

    reads.stream_body = lambda request: request.subpath == "/x"  # type: ignore[attr-defined]
    inner = Router()
    inner.post("/{id}", max_body_bytes=5)(reads)
    outer = Router()
    outer.mount("/in", inner)
    outer.mount("/x", reads)
    assert outer.route_options(made("/in/x", "POST")) == RouteOptions(True, 5)
    assert outer.route_options(made("/in/y", "POST")) == RouteOptions(False, 5)
    assert outer.route_options(made("/x/x", "POST")) == RouteOptions(True)


def test_the_key_is_the_route() -> None:
    inner = router("/{id}", "/{id}/x")
    outer = router("/{id}", "/fixed")
    outer.mount("/in", inner)
    outer.mount("/other", mounted_at)

    def same(one: str, other: str) -> bool:
        keys = {outer.route_key(made(one)), outer.route_key(made(other))}
        return len(keys) == 1

    assert same("/1", "/2?q")
    assert not same("/1", "/fixed")
    assert not same("/1", "/in/1")
    assert same("/in/1", "/in/2")
    assert not same("/in/1", "/in/1/x")
    assert same("/other/a/1", "/other/a/2")
    assert not same("/other/a", "/other/b")
    assert same("/no/such", "/%")


def test_a_request_is_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inner, outer = router("/{x}"), Router()
    outer.mount("/{y}", inner)
    found = []
    find = Router._find
    monkeypatch.setattr(
        Router, "_find", lambda self, request: found.append(self) or find(self, request)
    )
    request = made("/1/2")
    outer.route_key(request)
    outer.route_options(request)
    assert outer(request) == ["/{x}", {"y": "1", "x": "2"}]
    assert found == [outer, inner]


def test_a_timeout_is_the_deadline() -> None:
    both = Router()

    @both.get("/", timeout_seconds=1000)
    def left(request: Request) -> Answer:
        assert request.deadline is not None
        return str(990 < request.deadline <= 1000)

    assert ask(both, "/") == "True"
    request = made("/")
    request.deadline_at = request._peer.now() + 995  # as the server sets it for one that waited
    assert both(request) == "True"
    assert request.deadline is not None
    assert request.deadline <= 995


def test_waiting_for_a_worker_counts_for_the_deadline() -> None:
    app, go = Router(), threading.Event()
    deadlines = []

    @app.get("/{name}", timeout_seconds=1000)
    def wait(request: Request) -> Answer:
        deadlines.append(request.deadline_at)
        assert go.wait(PATIENCE_SECONDS)
        return "done"

    with FastServer(app, port=0, workers=1) as running, ExitStack() as stack:
        assert running._running is not None
        running._running.scheduler._slow.seen_slow(app.route_key(made("/x")))
        clients = [stack.enter_context(RawClient(running.address)) for _ in range(2)]
        for client in clients:
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: running.stats().queued == 1)
        queued_by = time.monotonic()
        go.set()
        for client in clients:
            assert client.response().body == b"done"
    assert max(deadlines) <= queued_by + 1000


# The way back.


def test_url_for() -> None:
    inner = Router()
    show = inner.get("/{id:int}/{rest:path}", name="show")(answering("show"))
    outer = Router()

    @outer.get("/")
    @outer.post("/")
    @outer.get("/by/{name}")
    def index(request: Request) -> Answer:
        return ""

    outer.get("/u/{id:uuid}", name="user")(answering("user"))
    outer.mount("/t/{team}", wrap(inner, inner))
    assert outer.url_for("index") == outer.url_for(index) == "/"
    assert outer.url_for("index", name="a/b é%{}") == "/by/a%2Fb%20%C3%A9%25%7B%7D"
    assert outer.url_for("user", id=UUID(SOME_UUID)) == f"/u/{SOME_UUID}"
    assert outer.url_for(show, team="x", id=5, rest="a b/c") == "/t/x/5/a%20b/c"
    assert inner.url_for("show", id="5", rest="") == "/5/"


@pytest.mark.parametrize(
    ("pattern", "values", "message"),
    [
        ("/{id:int}", {}, "takes"),
        ("/{id:int}", {"id": 1, "more": 2}, "takes"),
        ("/{id:int}", {"id": "x"}, "id must be a segment for int"),
        ("/{id:int}", {"id": -1}, "id must be"),
        ("/{id:int}", {"id": None}, "id must be"),
        ("/{name}", {"name": ""}, "name must be"),
        ("/{name}", {"name": ".."}, "name must be"),
        ("/{rest:path}", {"rest": "a/../b"}, "rest must be"),
        ("/{rest:path}", {"rest": 5}, "rest must be"),
    ],
)
def test_url_for_refuses_what_would_lead_elsewhere(
    pattern: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        router(pattern).url_for("handler", **values)


def test_url_for_a_method_and_for_what_cannot_be_hashed() -> None:
    class Users:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, request: Request) -> Answer:
            return ""

        def show(self, request: Request) -> Answer:
            return ""

    users, both = Users(), Router()
    both.get("/users")(users)
    both.get("/users/{id}")(users.show)
    assert both.url_for(users) == "/users"
    assert both.url_for(users.show, id=1) == "/users/1"


def test_url_for_of_an_unknown_or_ambiguous_route() -> None:
    both = router("/a", "/b")
    with pytest.raises(ValueError, match="no route 'nothing'"):
        both.url_for("nothing")
    with pytest.raises(ValueError, match="one of /a, /b"):
        both.url_for("handler")


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1), st.lists(st.text(), min_size=1))
def test_url_for_leads_back(name: str, parts: list[str]) -> None:
    both = router("/n/{name}", "/r/{rest:path}")
    rest = "/".join(parts)
    for pattern, values in (("/n/{name}", {"name": name}), ("/r/{rest:path}", {"rest": rest})):
        try:
            target = both.url_for("handler", **values)
        except (ValueError, UnicodeEncodeError):
            continue
        assert ask(both, target) == [pattern, values]


# Bad arguments.


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a", "must begin with a slash"),
        ("*", "must begin with a slash"),
        ("/a//b", "empty"),
        ("//", "empty"),
        ("/a/{id", "must be one"),
        ("/a{id}", "must be one"),
        ("/{a}-{b}", "must be one"),
        ("/{}", "identifier"),
        ("/{1}", "identifier"),
        ("/{a:}", "converter '' must be one of int, uuid, str, path"),
        ("/{a:float}", "converter 'float' must be one of int, uuid, str, path"),
        ("/{a}/{a}", "twice"),
        ("/{a}/{a:path}", "twice"),
        ("/{a:path}/b", "last"),
        ("/a?b", "%3F"),
        ("/a#b", "%23"),
        ("/a%", "hexadecimal"),
        ("/%ff", "UTF-8"),
        ("/a/../b", "dot segment"),
        ("/%2e", "dot segment"),
    ],
)
def test_patterns_that_are_none(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Router().get(pattern)


@pytest.mark.parametrize("prefix", ["/a/", "a", "/{a:path}", "//"])
def test_prefixes_that_are_none(prefix: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Router().mount(prefix, mounted_at)


async def sleeps(request: Request) -> str:
    return ""


@pytest.mark.parametrize(
    ("add", "error", "message"),
    [
        (lambda to: to.get(b"/"), TypeError, "pattern must be a str"),
        (lambda to: to.get("/")("text"), TypeError, "handler must be callable, not 'text'"),
        (lambda to: to.mount("/", None), TypeError, "handler must be callable"),
        (lambda to: to.not_found(404), TypeError, "handler must be callable"),
        (lambda to: to.get("/")(sleeps), TypeError, "handler must be a plain function"),
        (lambda to: to.mount("/", sleeps), TypeError, "handler must be a plain function"),
        (lambda to: to.use("gzip"), TypeError, "middleware must be callable"),
        (lambda to: to.use(lambda handler: None), TypeError, "must make a handler"),
        (lambda to: to.get("/", lane="fast"), ValueError, "lane must be 'control'"),
        (lambda to: to.get("/", stream_body=1), TypeError, "stream_body"),
        (lambda to: to.get("/", max_body_bytes=-1), ValueError, "max_body_bytes"),
        (lambda to: to.get("/", timeout_seconds="1"), ValueError, "timeout_seconds"),
        (lambda to: to.get("/", timeout_seconds=10**400), ValueError, "timeout_seconds"),
        (lambda to: to.get("/", name=5), TypeError, "name must be"),
        (lambda to: to.get("/", nmae="x"), TypeError, "nmae"),
        (lambda to: to.route("/", methods="GET"), TypeError, "methods must be a list"),
        (lambda to: to.route("/", methods=[]), TypeError, "methods must be a list"),
        (lambda to: to.route("/", methods=5), TypeError, "methods must be a list"),
        (lambda to: to.route("/", methods=["get"]), ValueError, "'get'"),
        (lambda to: to.route("/", methods=["G T"]), ValueError, "'G T'"),
        (lambda to: to.route("/", methods=[None]), ValueError, "None"),
    ],
)
def test_arguments_that_are_none(
    add: Callable[[Any], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        add(Router())


def test_a_name_is_given_once() -> None:
    both = Router()
    both.get("/a", name="x")(answering("1"))
    with pytest.raises(ValueError, match="name 'x'"):
        both.get("/b", name="x")(answering("2"))


# In a server.


def test_the_wire_app_runs_as_a_program() -> None:
    with Program(*PYTHON, "-m", "tests.apps.wire_router_app", "0") as program:
        assert exchange(program.address, "POST /echo", b"hello").body == b"hello"
        assert exchange(program.address, "BREW /nothing").status == 404


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[str, int]]:
    outer = Router()

    @outer.post("/count", stream_body=True, max_body_bytes=100_000)
    def count(request: Request) -> Answer:
        return {"octets": len(request.stream.read())}

    @outer.post("/small", max_body_bytes=10)
    def small(request: Request) -> Answer:
        return request.body

    inner = router("/hello/{name}")
    outer.mount("/in", inner)
    with FastServer(outer, port=0) as server:
        yield "127.0.0.1", server.port


def exchange(site: tuple[str, int], request_line: str, content: bytes = b"") -> RawResponse:
    head = f"{request_line} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
    with RawClient(site) as client:
        client.send(head.encode() + content)
        return client.response(request_line.partition(" ")[0])


def test_options_are_kept_by_the_server(site: tuple[str, int]) -> None:
    assert json.loads(exchange(site, "POST /count", b"x" * 70_000).body) == {"octets": 70_000}
    assert exchange(site, "POST /small", b"x" * 10).body == b"x" * 10
    assert exchange(site, "POST /small", b"x" * 11).status == 413


def test_answers_on_the_wire(site: tuple[str, int]) -> None:
    assert json.loads(exchange(site, "GET /in/hello/%C3%A9").body)[1] == {"name": "é"}
    head = exchange(site, "HEAD /in/hello/a")
    assert (head.status, head.body) == (200, b"")
    assert exchange(site, "OPTIONS /small").get("allow") == "OPTIONS, POST"
    refused = exchange(site, "PUT /small")
    assert (refused.status, refused.get("allow")) == (405, "OPTIONS, POST")
    assert exchange(site, "GET /nothing").status == 404
    assert exchange(site, "GET /%2e%2e/in").status == 400


def test_the_control_lane_of_a_route() -> None:
    """Answered while more handlers block than there are workers."""
    outer = Router()
    entered, released = threading.Semaphore(0), threading.Event()

    @outer.get("/block/{number}")
    def block(request: Request) -> Answer:
        entered.release()
        released.wait(20)
        return "done"

    @outer.get("/health", lane="control")
    def health(request: Request) -> Answer:
        return "well"

    with FastServer(outer, port=0, workers=1) as server, contextlib.ExitStack() as stack:
        stack.callback(released.set)
        address = "127.0.0.1", server.port
        clients = [stack.enter_context(RawClient(address)) for _ in range(6)]
        for number, client in enumerate(clients):
            client.send(f"GET /block/{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert entered.acquire(timeout=20)
        assert eventually(lambda: server.stats().queued > 0)
        assert exchange(address, "GET /health").body == b"well"
        assert server.stats().queued > 0
        released.set()
        assert [client.response().body for client in clients] == [b"done"] * 6
