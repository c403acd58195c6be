"""What is written twice for WSGI, in C and in Python, does the same."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastraw import Request, Response, _environ_py, parse_head
from fastraw.apps.wsgi import _iterate

PURE = os.environ.get("FASTRAW_PURE", "") not in ("", "0")
# Without extensions there is nothing to compare with; what is asked of both is asked of one.
PARSERS = ("fastraw._parse_py",) if PURE else ("fastraw._parse_py", "fastraw._parse")
ADAPTERS = (
    ("fastraw.apps.pep3333._wsgi_py",)
    if PURE
    else ("fastraw.apps.pep3333._wsgi_py", "fastraw.apps.pep3333._wsgi")
)
CLIENT = ("192.0.2.1", 50123)
TEMPLATE = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
}
ORIGIN = ("192.0.2.2", 80)

names = st.sampled_from(
    (
        *("Accept", "accept", "ACCEPT", "Cookie", "cookie", "Content-Type", "content-TYPE", "X-A"),
        *("X_A", "x-a", "X-a_b", "Content_Type", "User-Agent", "X!#$%&'*+.^`|~9", "_", "-", "A"),
    )
)
values = st.sampled_from(("", " ", "a", "b; c=d", "\xe9\xff", "text/plain", "x" * 300))
targets = st.sampled_from(
    (
        *("/", "/a?b", "/a%20b?c=%20", "/%E2%82%AC/%zz%4", "/?", "//x", "/a?b?c", "*"),
        *("http://h/p?q", "http://h", "HTTPS://h:1?q", "/%"),
    )
)


@settings(max_examples=150, deadline=None)
@given(
    targets,
    st.sampled_from(("GET", "POST", "OPTIONS", "M-SEARCH")),
    st.sampled_from(("1.0", "1.1")),
    st.lists(st.tuples(names, values), max_size=20),
    st.sampled_from((CLIENT, "", "/run/socket")),
    st.booleans(),
    st.sampled_from((bytes, bytearray)),
)
def test_environ(
    target: str,
    method: str,
    version: str,
    fields: list[tuple[str, str]],
    client: Any,
    seen: bool,
    kind: type[bytes | bytearray],
) -> None:
    if target == "*":
        method = "OPTIONS"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    octets = f"{method} {target} HTTP/{version}\r\nHost: a\r\n{lines}\r\n".encode("latin-1")
    found = []
    for parser in PARSERS:
        head = import_module(parser).parse_head(kind(octets))
        if seen:
            head.headers.add("X-Added", "later")
        template = dict(TEMPLATE)
        found.append(head.environ(template, client))
        assert template == TEMPLATE
    assert found[0] == found[-1]
    assert all(type(value) is str for key, value in found[0].items() if key != "wsgi.version")


@pytest.mark.parametrize("parser", PARSERS)
def test_the_reference_is_asked_for_the_same(parser: str) -> None:
    head = import_module(parser).parse_head(b"GET /a%20b?c HTTP/1.1\r\nHost: h\r\nX-Y: 1\r\n\r\n")
    assert head.environ(TEMPLATE, CLIENT) == _environ_py.environ_of(head, TEMPLATE, CLIENT)


class Peer:
    client: Any = CLIENT
    origin = ORIGIN


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "client", [CLIENT, ("::1", 0), ("::1", 65535), ("a", 1 << 70), ("a", -1), "", "/run/socket"]
)
def test_ordinary_environ(parser: str, client: Any) -> None:
    seam: Any = _environ_py if parser.endswith("_py") else import_module(parser)

    def environ(octets: bytes, origin: object = ORIGIN, mount_path: str | None = None) -> Any:
        peer = Peer()
        peer.client = client
        request = Request(import_module(parser).parse_head(octets), peer)  # type: ignore[arg-type]
        if mount_path is not None:
            request.mount_path = mount_path
        found = seam.ordinary_environ(request, origin, TEMPLATE)
        assert found is None or found == _environ_py.environ_of(request.head, TEMPLATE, client)
        return found

    host = b" HTTP/1.1\r\nHost: h\r\n"
    plain = b"GET /a" + host + b"X-Y: 1\r\n\r\n"
    assert environ(plain)["HTTP_X_Y"] == "1"
    assert environ(plain, mount_path="")["PATH_INFO"] == "/a"
    assert environ(b"DELETE /?b" + host + b"\r\n")["QUERY_STRING"] == "b"
    assert environ(plain, origin=None) is environ(plain, mount_path="/a") is None
    assert environ(b"HEAD /" + host + b"\r\n") is environ(b"OPTIONS *" + host + b"\r\n") is None


def outcome(module: ModuleType, status: Any, headers: Any) -> Any:
    """What the Start of a module makes of it."""

    start = module.Start(None)
    try:
        start(status, headers)
    except Exception as error:
        return type(error), str(error)
    return start.code, start.start, start.length, start.dated


statuses = st.sampled_from(
    ("200 OK", "204 ", "599 \xff", "200", "99 A", "600 B", "20a C", "200 \r", "200 \u20ac", 200)
)
header_names = st.one_of(
    st.text("Aa-_!\xe9 :\r\u20ac", max_size=4),
    st.sampled_from(
        (
            *(
                "Content-Length",
                "content-length",
                "Date",
                "DATE",
                "Connection",
                "TE",
                "te",
                "Upgrad",
            ),
            *("Trailer", "trailers", "Keep-Alive", "Transfer-Encoding", "Proxy-Connection", "Tf"),
            *(
                "Proxy-Authenticate",
                "Proxy-Authorization",
                "Content-Type",
                "Cache-Control",
                "X" * 99,
            ),
        )
    ),
)
header_values = st.one_of(
    st.text("a 1\t\xe9\x00\x7f\n\u20ac", max_size=4),
    st.sampled_from(("13", "0", "013", "9" * 18, "9" * 19, " 5 ", "-1", "1,1", "", "y" * 999)),
)
pairs = st.one_of(st.tuples(header_names, header_values), st.sampled_from(((), ("a",), "ab", 1)))


@settings(max_examples=400, deadline=None)
@given(statuses, st.one_of(st.lists(pairs, max_size=4), st.just(()), st.none()))
def test_start(status: Any, headers: Any) -> None:
    found = [outcome(import_module(name), status, headers) for name in ADAPTERS]
    assert found[0] == found[-1]


def test_whole_answers() -> None:
    results: list[Any] = [
        [b"abc"],
        [b""],
        [],
        [b"a", b"b"],
        (b"abc",),
        ["abc"],
        iter([b"abc"]),
        None,
    ]
    for headers in ([], [("Content-Length", "3")], [("Content-Length", "4")], [("Date", "x")]):
        for status in ("200 OK", "404 Not Found", "204 No Content", None):
            for result in results:
                found = []
                for name in ADAPTERS:
                    start = import_module(name).Start(None)
                    if status is not None:
                        start(status, headers)
                    response = start.whole(result)
                    found.append(
                        response
                        and (response.start, response.status, response.body, response.ordinary)
                    )
                assert found[0] == found[-1]


class Recorded:
    """An iterable that notes what is done with it."""

    def __init__(self, pieces: Iterable[Any], events: list[str]) -> None:
        self._pieces = iter(pieces)
        self._events = events

    def __iter__(self) -> Iterator[Any]:
        self._events.append("iter")
        return self

    def __next__(self) -> Any:
        self._events.append("next")
        piece = next(self._pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self._events.append("close")


PIECES: list[list[Any]] = [
    [b"abc"],
    [b"", b"abc", b""],
    [b"ab", b"c"],
    [b"abcd"],
    ["abc"],
    [b""],
    [],
    [KeyError("early")],
    [b"abc", KeyError("late")],
]


@pytest.mark.parametrize("stream_body", [False, True])
@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("headers", [[("Content-Length", "3")], [], [("Date", "x")]])
def test_iterables(
    pieces: list[Any],
    headers: list[tuple[str, str]],
    stream_body: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each is iterated as far as it must be, and closed once, whatever comes of it."""
    found = []
    for name in ADAPTERS:
        events: list[str] = []

        class Adapter(import_module(name).Adapter):  # type: ignore[misc]
            def environ_of(self, request: Request) -> dict[str, Any]:
                return {}

            def iterate(self, start: Any, iterable: Any) -> Response:
                return _iterate(start, iterable, self.stream_body)

        def app(environ: dict[str, Any], start_response: Any, seen: list[str] = events) -> Recorded:
            start_response("200 OK", headers)
            return Recorded(pieces, seen)

        adapter = Adapter(app)
        adapter.stream_body = stream_body
        caplog.clear()
        try:
            response = adapter(Request(parse_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Peer()))
        except (TypeError, KeyError) as error:
            found.append((repr(error), events))
            continue
        streamed: list[Any] = []
        with contextlib.suppress(KeyError):
            streamed.extend(response.iterable or ())
        events.append("answered")
        if response.after is not None:
            response.after()
        for source in (response.iterable, response.iterable):
            if source is not None:
                source.close()  # type: ignore[attr-defined]
        assert events.count("close") == 1
        found.append((response.start, response.body, streamed, events, caplog.messages))
    assert found[0] == found[-1]
