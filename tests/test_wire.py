"""Every case in tests/wire through a real socket, for each parser and each poller.

Sent at once; in pieces; read by the server one octet at a time; and, when it must be refused, with
a request behind it that no handler may ever see. Through a router, at once will do.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import pytest

from fastraw import WSGI, FastServer, Request, body
from fastraw.engine import content, intake
from fastraw.engine.poller import EpollPoller, Poller, SelectorPoller
from fastraw.route import Answer, Handler
from fastraw.testing import RawClient, RawResponse
from tests.apps import wire_app, wire_router_app, wire_wsgi_app
from tests.wire_corpus import Case, Expect, Finish, Send, load

CASES = load()
PARSERS = {"extension": "fastraw._parse", "python": "fastraw._parse_py"}
POLLERS: dict[str, Callable[[], Poller]] = {"epoll": EpollPoller, "selectors": SelectorPoller}

SMUGGLED = "/smuggled"
BEHIND = f"GET {SMUGGLED} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
PROBE = b"GET /head-info?probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
# Octets sent one by one at either end of what is sent; what is between them goes in fewer pieces.
ONE_BY_ONE = 150
PIECES_BETWEEN = 20
# Of more than this, the server does not read every octet by itself: it would take too long.
READ_ONE_BY_ONE = 1500
REFUSAL_BYTES = 120
# Rules that no single case states: what is pending when a connection ends (test_http_semantics.py),
# any segmentation and Date (asked of all cases here), and answers that end early
# (test_responses.py).
ELSEWHERE = {79, 82, 88, 95}


def choose(monkeypatch: pytest.MonkeyPatch, parser: str, poller: str) -> None:
    """Have servers use this parser and this poller: the one place that knows where they look."""
    module = import_module(PARSERS[parser])
    monkeypatch.setattr(intake, "parse_head", module.parse_head)
    monkeypatch.setattr(body, "take_chunks", module.take_chunks)
    monkeypatch.setattr("fastraw.running.default_poller", POLLERS[poller])


@contextmanager
def single_octets() -> Iterator[None]:
    """Have servers receive one octet at a time: pieces that are sent may arrive together, and this
    is what makes sure of every split."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(intake, "READ_BYTES", 1)
        monkeypatch.setattr(content, "BODY_READ_BYTES", 1)
        yield


def combinations() -> Iterator[object]:
    pure = os.environ.get("FASTRAW_PURE", "") not in ("", "0")
    for poller in POLLERS:
        for parser in PARSERS:
            if pure and parser == "extension":
                continue
            missing = poller == "epoll" and not hasattr(select, "epoll")
            mark = pytest.mark.skipif(missing, reason="this system has no epoll")
            yield pytest.param(
                (parser, poller, wire_app.handler), marks=mark, id=f"{parser}-{poller}"
            )
    parser = "python" if pure else "extension"
    yield pytest.param((parser, "selectors", wire_router_app.router), id="router")
    yield pytest.param((parser, "selectors", WSGI(wire_wsgi_app.application)), id="wsgi")


@dataclass(frozen=True)
class Seen:
    """What a handler saw of a request."""

    method: str
    target: str
    path: str
    query: str
    version: str
    fields: list[tuple[str, str]]
    trailers: list[tuple[str, str]]


class Recorder:
    """A wire app, and the requests that it was given."""

    def __init__(self, app: Handler) -> None:
        self.app = app
        self.seen: list[Seen] = []
        self.smuggled = False

    def __call__(self, request: Request) -> Answer:
        trailers = request.trailers
        self.smuggled = self.smuggled or SMUGGLED in request.target
        self.seen.append(
            Seen(
                request.method,
                request.target,
                request.path,
                request.query_string,
                request.version,
                request.headers.items(),
                [] if trailers is None else trailers.items(),
            )
        )
        return self.app(request)

    def stream_body(self, request: Request) -> bool:
        return request.query_string == "stream-body"


@dataclass(frozen=True)
class Site:
    """A server, and what its handler has seen."""

    connect: Callable[[], RawClient]
    recorder: Recorder

    @property
    def wrapped(self) -> bool:
        """Whether its answers come by a router or from a WSGI application, which have no part in
        how octets are collected."""
        return self.recorder.app is not wire_app.handler


@pytest.fixture(scope="module", params=combinations())
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    parser, poller, app = request.param
    recorder = Recorder(app)
    with pytest.MonkeyPatch.context() as monkeypatch:
        choose(monkeypatch, parser, poller)
        with FastServer(recorder, port=0) as running:
            yield Site(lambda: RawClient(("127.0.0.1", running.port)), recorder)
    assert not recorder.smuggled


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} | ELSEWHERE == set(range(1, 98))


def at_once(octets: bytes) -> list[bytes]:
    return [octets]


def in_pieces(octets: bytes) -> list[bytes]:
    """Octet by octet, but for the middle of what is long."""
    size = len(octets)
    cuts = list(range(min(size, ONE_BY_ONE)))
    if size > 2 * ONE_BY_ONE:
        cuts += range(ONE_BY_ONE, size - ONE_BY_ONE, (size - 2 * ONE_BY_ONE) // PIECES_BETWEEN + 1)
    cuts += range(max(ONE_BY_ONE, size - ONE_BY_ONE), size)
    return [octets[start:end] for start, end in zip(cuts, [*cuts[1:], size], strict=True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(site: Site, case: Case) -> None:
    if not fits(site, case):
        return
    run(site, case, at_once)
    if site.wrapped:
        return
    if not case.whole:
        run(site, case, in_pieces)
        if case.size <= READ_ONE_BY_ONE:
            with single_octets():
                run(site, case, at_once)
    if case.refused and not any(isinstance(step, Finish) for step in case.steps):
        run(site, case.followed_by(BEHIND), at_once)


def fits(site: Site, case: Case) -> bool:
    """Not so for the one field that PEP 3333 has an application leave alone: test_wsgi.py."""
    return not (isinstance(site.recorder.app, WSGI) and b"name=Connection" in case.octets)


def run(site: Site, case: Case, cut: Callable[[bytes], list[bytes]]) -> None:
    """Do what the case says, and compare."""
    site.recorder.seen.clear()
    answered: list[Expect] = []
    responses: list[RawResponse] = []
    with site.connect() as client:
        for step in case.steps:
            if isinstance(step, Send):
                client.send(*cut(step.octets))
            elif isinstance(step, Finish):
                client.finish()
            elif "end" not in step.statuses or not client.ended():
                response = client.response("HEAD" if "head" in step.words else "GET")
                assert str(response.status) in step.statuses
                check_response(response, step)
                if not step.refused and not step.interim:
                    answered.append(step)
                    responses.append(response)
        if case.kept:
            client.send(PROBE)
            probe = client.response()
            assert probe.status == 200
            assert probe.closes
        client.expect_end()
    seen = list(site.recorder.seen)
    if case.kept:
        last = seen.pop()
        assert (last.target, last.fields) == (
            "/head-info?probe", [("Host", "probe"), ("Connection", "close")],
        )  # fmt: skip
    assert len(seen) == len(answered), f"handlers were called for {seen}"
    for request, step in zip(seen, answered, strict=True):
        check_request(request, step)
    for response in responses if case.kept else responses[:-1]:
        assert not response.closes


def check_response(response: RawResponse, step: Expect) -> None:
    """Compare what came with what the case says of it."""
    words = step.words
    if step.refused:
        check_refusal(response, "head" in words)
    elif not step.interim:
        assert "close" not in words or response.closes
        kept = (response.get("connection") or "").lower() == "keep-alive"
        assert kept == ("keep-alive" in words)
    for framing in ("chunked", "until-close"):
        assert framing not in words or response.framing == framing.removeprefix("until-")
    for key, value in step.facts:
        if key == "body":
            assert response.body == value.encode("latin-1")
        elif key == "length":
            assert response.get("content-length") == value
        elif key == "has":
            name, _, wanted = value.partition(":")
            assert response.get(name) == wanted
        elif key == "lacks":
            assert response.get(value) is None


def check_refusal(response: RawResponse, head: bool) -> None:
    """A refusal is complete, short, plain, and the last thing on its connection."""
    assert response.closes
    assert response.get("content-type") == "text/plain; charset=utf-8"
    length = int(response.get("content-length") or 0)
    assert 0 < length <= REFUSAL_BYTES
    if not head:
        assert response.framing == "length"
        text = response.body.decode("ascii")
        assert text.startswith(f"{response.status} ")
        assert text.rstrip("\n").isprintable()


def check_request(seen: Seen, step: Expect) -> None:
    """Compare what the handler saw with what the case says of it."""
    for key, value in step.facts:
        name, _, wanted = value.partition(":")
        if key in ("method", "target", "path", "query", "version"):
            assert getattr(seen, key) == value
        elif key == "field":
            assert "|".join(values(seen.fields, name)) == wanted
        elif key == "no-field":
            assert not values(seen.fields, value)
        elif key == "trailer":
            assert "|".join(values(seen.trailers, name)) == wanted


def values(pairs: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in pairs if key.lower() == name.lower()]
