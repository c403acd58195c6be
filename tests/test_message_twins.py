"""What requests and responses are built on, in both implementations; and that the short way to
make one comes to what `__init__` does."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from fastraw import Limits, ParseError, Request, Response, parse_head
from fastraw._message_py import JOINED_BYTES
from tests.parsers import PURE, implementation

MODULES = ("_message_py",) if PURE else ("_message_py", "_parse")
each_twin = pytest.mark.parametrize("name", MODULES)
OCTETS = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
STARTS: tuple[dict[str, bytes], ...] = tuple({} for _ in range(600))
STARTS[200].update({"a/b": b"start\r\n", "": b"bare\r\n"})
MISSING = object()


class Text(str):
    """Not a plain str."""


# Neither has a short way, which a subclass does not inherit.
class LongRequest(Request):
    pass


class LongResponse(Response):
    pass


def outcome(make: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
    try:
        made = make(*arguments, **named)
    except Exception as error:
        return type(error), str(error)
    if isinstance(made, Request):
        return made.head, made._peer, made.ordinary, vars(made)
    headers = made._headers and made._headers.items()
    return made.body, made.status, made.content_type, made.ordinary, headers


BODIES = (MISSING, b"", b"abc", "abc", bytearray(b"abc"), 5)
STATUSES = (MISSING, 200, 404, 99, 600, True, None, 404.0, 1 << 80)
HEADERS = (MISSING, None, [("A", "b")], [("A", "\n")])
MEDIA_TYPES = (MISSING, None, "a/b")


@pytest.mark.parametrize("places", range(5))
def test_a_response_is_what_init_makes_it(places: int) -> None:
    names = ("body", "status", "headers", "content_type")
    for values in itertools.product(BODIES, STATUSES, HEADERS, MEDIA_TYPES):
        if MISSING in values[:places]:
            continue
        named = {
            name: value
            for name, value in zip(names[places:], values[places:], strict=True)
            if value is not MISSING
        }
        found = outcome(Response, values[:places], named)
        assert found == outcome(LongResponse, values[:places], named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((b"", 200, None, None, 5), {}),
        ((b"",), {"body": b""}),
        ((b"", 200), {"status": 404}),
        ((b"",), {"unknown": 5}),
        ((b"",), {"".join(("content", "_type")): "a/b"}),
    ],
)
def test_arguments_that_few_give(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    assert outcome(Response, arguments, named) == outcome(LongResponse, arguments, named)


def test_a_request_is_what_init_makes_it() -> None:
    heads = [
        parse_head(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method) for method in (b"GET", b"HEAD")
    ]
    for arguments in ((), (heads[0],), *((head, "peer") for head in heads), (None, 1), (1, 2, 3)):
        assert outcome(Request, arguments, {}) == outcome(LongRequest, arguments, {})
    assert outcome(Request, (), {"head": heads[0], "peer": 5}) == outcome(
        LongRequest, (heads[0],), {"peer": 5}
    )


def test_a_subclass_has_its_own_init() -> None:
    class Teapot(Response):
        def __init__(self, body: bytes) -> None:
            super().__init__(body, 418)
            self.full = True

    response = Teapot(b"tea")
    assert (response.body, response.status, response.full) == (b"tea", 418, True)


def test_copies_and_pickles() -> None:
    response = Response(b"x", 404, content_type="a/b")
    response.headers["A"] = "b"
    response.mark = 5  # type: ignore[attr-defined]
    for twin in (copy.copy(response), pickle.loads(pickle.dumps(response)), response.copy()):
        assert (twin.body, twin.status, twin.content_type) == (b"x", 404, "a/b")
        assert (twin.headers["a"], twin.mark, twin.ordinary) == ("b", 5, False)
    request = Request(parse_head(OCTETS % b"/a"), "peer")  # type: ignore[arg-type]
    request.mount_path = "/a"
    twin = copy.copy(request)
    assert (twin.path, twin._peer, twin.ordinary) == ("/a", "peer", True)
    assert twin.mount_path == "/a"


def request_of(module: ModuleType, target: bytes) -> Any:
    class Base(module.RequestBase):  # type: ignore[name-defined]
        pass

    request = Base()
    request.head = parse_head(OCTETS % target)
    request.ordinary = True
    return request


@each_twin
@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/a/b", "/a/b"),
        (b"/a?b", "/a"),
        (b"/%C3%A4?%41", "/\xe4"),
        (b"/%ff", "/\ufffd"),
        (b"http://a", "/"),
        (b"http://a/b%20c?d", "/b c"),
    ],
)
def test_request_base(name: str, target: bytes, path: str) -> None:
    request = request_of(implementation(name), target)
    assert (request.method, request.target, request.path) == ("GET", target.decode(), path)


@each_twin
def test_parse_request(name: str) -> None:
    """The twin's own Head is made where it stands for the parser, too."""
    module, limits = implementation(name), Limits()
    ordinary = OCTETS % b"/a"
    for data in (ordinary, bytearray(ordinary)):
        made = module.parse_request(Request, data, 0, limits, "peer")
        assert (type(made), made.path, made._peer, made.ordinary) == (Request, "/a", "peer", True)
        longer = module.parse_request(LongRequest, data, 0, limits, "peer")
        assert (type(longer), longer.path, longer.ordinary) == (LongRequest, "/a", True)
    for data in (ordinary + b"G", ordinary.replace(b"GET", b"HEAD"), b"\r\n" + ordinary + b"\r"):
        head = module.parse_request(Request, data, 0, limits, "peer")
        assert (not isinstance(head, Request), head.target) == (True, "/a")
    assert module.parse_request(Request, ordinary[:-1], len(ordinary) - 3, limits, "peer") is None
    with pytest.raises(ParseError):
        module.parse_request(Request, b"\0", 0, limits, "peer")
    with pytest.raises(TypeError, match="bytes or a bytearray"):
        module.parse_request(Request, "text", 0, limits, "peer")


@each_twin
def test_known_answer(name: str) -> None:
    module = implementation(name)
    request = request_of(module, b"/")

    def answer(body: object = b"abc", status: object = 200, content_type: object = "a/b") -> Any:
        class Base(module.ResponseBase):  # type: ignore[name-defined]
            pass

        response = Base()
        response.body, response.status, response.content_type = body, status, content_type
        response.ordinary = ordinary
        return module.known_answer(request, response, STARTS, b"date\r\n\r\n")

    ordinary = True
    for size in (0, 3, 10, 12345, JOINED_BYTES):
        head = b"Content-Length: %d\r\ndate\r\n\r\n" % size
        assert answer(bytes(size)) == b"start\r\n" + head + bytes(size)
        assert answer(bytes(size), content_type=None) == b"bare\r\n" + head + bytes(size)
    assert answer(bytes(JOINED_BYTES + 1)) is answer(bytearray(3)) is answer("abc") is None
    for status in (404, 0, -1, 199, 600, 10**20, True, 200.0, "200", None):
        assert answer(status=status) is None
    for content_type in ("", "a/c", b"a/b", Text("a/b"), 5):
        assert answer(content_type=content_type) is None
    ordinary = False
    assert answer() is None
    request.ordinary, ordinary = False, True
    assert answer() is None


@each_twin
def test_prepared_answer(name: str) -> None:
    module = implementation(name)
    request = request_of(module, b"/")

    class Base(module.ResponseBase):  # type: ignore[name-defined]
        pass

    def answer(body: bytes, status: int = 200, line: int = 200, **set_since: Any) -> Any:
        response = Base.prepared(b"HTTP/1.1 %d \r\nA: b\r\n" % line, status, body)
        assert (response.body, response.status, response.content_type) == (body, status, None)
        assert (response.ordinary, response.after) == (False, None)
        for what, value in set_since.items():
            setattr(response, what, value)
        given = module.prepared_answer(response, b"date\r\n\r\n")
        known = module.known_answer(request, response, STARTS, b"date\r\n\r\n")
        assert known == (None if response.after else given)
        return given

    for size in (0, 1, 10, 12345):
        head = b"HTTP/1.1 200 \r\nA: b\r\nContent-Length: %d\r\ndate\r\n\r\n" % size
        assert answer(bytes(size)) == head + bytes(size)
    assert answer(bytes(JOINED_BYTES)).endswith(bytes(JOINED_BYTES))
    assert answer(bytes(JOINED_BYTES + 1)) is None
    assert answer(b"", 599, 599).startswith(b"HTTP/1.1 599 \r\n")
    assert answer(b"", after=print) is not None
    assert answer(b"", 404) is answer(b"", content_type="a/b") is answer(b"", start=None) is None
    for status in (204, 205, 304):
        assert answer(b"", status, status) is None
