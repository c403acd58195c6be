"""What fastraw has for tests of other people's code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastraw import FastServer, Request
from fastraw.testing import BadResponse, RawClient, RawResponse, request
from tests.program import PATIENCE_SECONDS, ROOT


def echo(incoming: Request) -> bytes:
    return incoming.method.encode() + b" " + incoming.body


@pytest.fixture(scope="module")
def server() -> Iterator[FastServer]:
    with FastServer(echo, port=0) as running:
        yield running


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_one_exchange(server: FastServer) -> None:
    for where in (server, server.url, server.address, f"http://localhost:{server.port}/path"):
        response = request(where, GET)
        assert (response.status, response.body, response.framing) == (200, b"GET ", "length")
        assert response.get("content-type") == "application/octet-stream"


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with FastServer(echo, uds=path) as running:
        for where in (running, path, running.url):
            assert request(where, GET).body == b"GET "


def test_head_and_continue(server: FastServer) -> None:
    assert request(server, GET.replace(b"GET", b"HEAD")).framing == "none"
    assert request(server, b"\r\n" + GET.replace(b"GET", b"HEAD")).get("content-length") == "5"
    with RawClient(server.address) as client:
        client.send(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        assert client.response().status == 100
        client.send(b"x")
        assert client.response("PUT").body == b"PUT x"


def test_malformed_request(server: FastServer) -> None:
    response = request(server, b"nonsense\r\n")
    assert response.status == 400
    assert response.closes


def test_nobody_answers(server: FastServer) -> None:
    with pytest.raises(TimeoutError):
        request(server, GET[:10], timeout_seconds=0.05)


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="must be an address or an http URL, not 'ftp://a/'"):
        request("ftp://a/", GET)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"HTTP/1.1 200 OK\nDate: x\r\n\r\n", "without CR"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "not a status line"),
        (b"HTTP/1.1 200 OK\r\nbad field\r\n\r\n", "not a field line"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "without Date"),
        (b"HTTP/1.1 200 OK\r\nDate: Mon, 1 Jan 2024 00:00:00 GMT\r\n\r\n", "IMF-fixdate"),
        (b"HTTP/1.1 200 OK\r\nDate: a\r\nDate: b\r\n\r\n", "date is there 2 times"),
        (b"HTTP/1.1 200 O", "ended inside a line"),
    ],
)
def test_answers_that_are_none(octets: bytes, fault: str) -> None:
    """Said by an upgraded connection, which may say anything."""

    def handler(incoming: Request) -> str:
        with incoming.upgrade("raw") as (sock, _):
            sock.sendall(octets)
        return ""

    switch = GET[:-2] + b"Connection: upgrade\r\nUpgrade: raw\r\n\r\n"
    with FastServer(handler, port=0) as running, RawClient(running.address) as client:
        client.send(switch)
        client.until(b"\r\n\r\n")
        with pytest.raises(BadResponse, match=fault):
            client.response()


def test_response_fields() -> None:
    response = RawResponse(200, [("A", "1"), ("a", "2"), ("B", "3")])
    assert response.get_all("A") == ["1", "2"]
    assert response.get("c") is None
    with pytest.raises(BadResponse):
        response.get("a")


PLUGIN_TEST = """
from threading import enumerate
from urllib.request import urlopen

def test_two_servers(fastraw_server):
    one = fastraw_server(lambda request: "one")
    other = fastraw_server(lambda request: "other", workers=1)
    assert urlopen(one.url).read() == b"one"
    assert urlopen(other.url).read() == b"other"
    assert one.port != other.port

def test_nothing_is_left():
    assert not [thread for thread in enumerate() if thread.name.startswith("fastraw")]
"""


def test_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PLUGIN_TEST)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "fastraw.pytest_plugin", str(tmp_path)],
        cwd=tmp_path,
        # Whether or not fastraw is installed, and so loaded without being named.
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "2 passed" in run.stdout, run.stdout + run.stderr
