"""request_id: one name for a request, in its answer and in every log line about it."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import httpx
import pytest

from fastraw import FastServer, HTTPError, Request
from fastraw.apps.middleware import RequestIdFilter, compose, request_id

MADE = re.compile(r"[0-9a-f]{32}").fullmatch

_log = logging.getLogger("tests.request_id")


def handle(request: Request) -> list[str]:
    _log.warning("handling")
    if request.path == "/http":
        raise HTTPError(404)
    if request.path == "/fail":
        raise RuntimeError("on purpose")
    return [request.id, request.state["request_id"]]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with (
        FastServer(request_id()(handle), port=0) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


@pytest.mark.parametrize("name", ["a", "0af7651916cd43dd8448eb211c80319c", "A/b+c=d@e:f._-1"])
def test_a_name_is_taken(client: httpx.Client, name: str) -> None:
    response = client.get("/", headers={"X-Request-ID": name})
    assert response.json() == [name, name]
    assert response.headers["X-Request-ID"] == name


@pytest.mark.parametrize("name", ["", "a b", "a\u00e9".encode("latin-1"), 'a"', "x" * 129, "a,b"])
def test_a_name_that_is_not_sane_is_replaced(client: httpx.Client, name: str | bytes) -> None:
    response = client.get("/", headers=[(b"X-Request-ID", name)])  # type: ignore[list-item]
    assert MADE(response.headers["X-Request-ID"])


def test_names_are_made(client: httpx.Client) -> None:
    responses = [client.get("/") for _ in range(2)]
    names = [response.headers["X-Request-ID"] for response in responses]
    assert names == [response.json()[0] for response in responses]
    assert all(map(MADE, names))
    assert names[0] != names[1]


def test_two_names_are_none(client: httpx.Client) -> None:
    response = client.get("/", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])
    assert MADE(response.headers["X-Request-ID"])


def test_options() -> None:
    handler = compose(request_id(header="X-Trace", accept=False), request_id())(handle)
    with FastServer(handler, port=0) as server:
        response = httpx.get(server.url, headers={"X-Trace": "a", "X-Request-ID": "b"})
    assert MADE(response.headers["X-Trace"])
    assert response.headers["X-Request-ID"] == response.headers["X-Trace"]


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/http", 404), ("/fail", 500)])
def test_logs(caplog: pytest.LogCaptureFixture, path: str, status: int) -> None:
    """Errors carry the name to the client too; the access line is written behind the answer."""
    caplog.set_level(logging.INFO, "fastraw.access")
    written = io.StringIO()
    stream = logging.StreamHandler(written)
    stream.addFilter(RequestIdFilter())
    stream.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    _log.addHandler(stream)
    try:
        with FastServer(request_id()(handle), port=0) as server:
            response = httpx.get(server.url + path, headers={"X-Request-ID": "name-1"})
        _log.warning("outside")
    finally:
        _log.removeHandler(stream)
    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "name-1"
    assert written.getvalue() == "name-1 handling\n- outside\n"
    access = [record.getMessage() for record in caplog.records if record.name == "fastraw.access"]
    assert re.fullmatch(rf'127.0.0.1 "GET {path} HTTP/1.1" {status} \d+ [\d.]+ name-1', access[0])
    errors = [record.getMessage() for record in caplog.records if record.name == "fastraw.error"]
    expected = f"Exception in the handler of <Request GET {path} HTTP/1.1 name-1>"
    assert errors == ([expected] if status == 500 else [])
