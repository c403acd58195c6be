"""TLS as clients meet it: handshakes, certificates, ends, and what is no TLS at all."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from fastraw import FastServer
from tests.apps import wire_app
from tests.raw_client import RawClient
from tests.tls_client import Authority, TLSClient, at_once, one_by_one

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[FastServer]:
    with FastServer(wire_app.handler, port=0, tls=authority.tls()) as running:
        yield running


def connect(server: FastServer, authority: Authority, **settings: object) -> TLSClient:
    return TLSClient(("127.0.0.1", server.port), authority.client(), **settings)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("cut", [at_once, one_by_one])
def test_handshake(
    server: FastServer, authority: Authority, version: ssl.TLSVersion, cut: object
) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with TLSClient(("127.0.0.1", server.port), context, cut=cut) as client:
        assert client.tls.object.selected_alpn_protocol() == "http/1.1"
        for _ in range(2):
            client.send(GET)
            assert client.response().body == b"Hello, World!"
        client.finish()
        client.expect_end()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_plain_http_is_told_so(server: FastServer, method: str) -> None:
    with RawClient(("127.0.0.1", server.port)) as client:
        client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        response = client.response(method)
        assert response.status == 400
        assert response.closes
        assert method == "HEAD" or b"TLS" in response.body
        client.finish()
        client.expect_end()


def test_plain_sockets_are_not_touched() -> None:
    with FastServer(wire_app.handler, port=0) as running:
        assert running.url.startswith("http://")
        with pytest.raises(RuntimeError, match="does not speak TLS"):
            running.reload_tls()
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(GET)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
