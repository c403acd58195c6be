"""The cases in tests/wire over TLS: what a client sees, the end included, is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from fastraw import WSGI, FastServer
from fastraw.engine.poller import Poller, SelectorPoller, default_poller
from fastraw.route import Handler
from tests.apps import wire_app, wire_wsgi_app
from tests.authority import Authority
from tests.test_wire import CASES, Recorder, Site, at_once, fits, run
from tests.tls_client import TLSClient
from tests.wire_corpus import Case

APPS: dict[str, tuple[Handler, Callable[[], Poller]]] = {
    "bare": (wire_app.handler, SelectorPoller),
    "wsgi": (WSGI(wire_wsgi_app.application), default_poller),
}
# Rules from here on are about more than a head, which is the parser's affair: all cases once, and
# these twice.
FIRST_RULE = {"bare": 69, "wsgi": 1}
RUNS = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name in APPS
    for case in CASES
    if case.rule >= FIRST_RULE[name]
]


@contextmanager
def serve(name: str, authority: Authority) -> Iterator[Site]:
    app, poller = APPS[name]
    recorder = Recorder(app)
    running = FastServer(recorder, port=0, tls=authority.tls())
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("fastraw.running.default_poller", poller)
        running.start()
    try:
        address = "127.0.0.1", running.port
        yield Site(partial(TLSClient, address, authority.client()), recorder)
    finally:
        running.stop()
    assert not recorder.smuggled


@pytest.fixture(scope="module")
def sites(authority: Authority) -> Iterator[dict[str, Site]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(serve(name, authority)) for name in APPS}


@pytest.mark.parametrize(("name", "case"), RUNS)
def test_case(sites: dict[str, Site], name: str, case: Case) -> None:
    if fits(sites[name], case):
        run(sites[name], case, at_once)
