"""TLS as clients meet it: handshakes, requests, ends, and what is no TLS at all."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from fastraw import FastServer, Limits, Request, Response, Timeouts
from fastraw.engine.poller import EpollPoller, SelectorPoller
from fastraw.testing import BadResponse, RawClient
from tests.apps import wire_app
from tests.authority import Authority
from tests.tls_client import Cut, Openssl, TLSClient, at_once, one_by_one
from tests.waiting import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = bytes(range(256)) * 16_384
STALLED = 1000
SMALL_BUFFER_BYTES = 128 * 1024

Address = tuple[str, int]
Connect = Callable[..., TLSClient]


class App:
    """The wire app, and a few things that only show themselves over TLS."""

    def __init__(self) -> None:
        self.entered, self.proceed = threading.Event(), threading.Event()
        self.found: object = None

    def __call__(self, request: Request) -> wire_app.Answer:
        if request.path == "/big":
            return BIG
        if request.path == "/scheme":
            return {"scheme": request.scheme, "certificate": request.peer_certificate}
        if request.path == "/upgrade":
            return self.echo(request)
        if request.path == "/digest":
            read = iter(lambda: request.stream.read(10_000), b"")
            return str(sum(map(len, read)))
        if request.path == "/wait":
            self.found = request.disconnected
            self.entered.set()
            assert self.proceed.wait(15)
            self.found = self.found, eventually(lambda: request.disconnected)
        return wire_app.handler(request)

    def echo(self, request: Request) -> None:
        """Sends back what it receives, on a thread of its own, while this one receives."""
        with request.upgrade("echo") as (sock, received):
            sock.settimeout(15)
            sock.sendall(received)
            pieces: SimpleQueue[bytes] = SimpleQueue()

            def send() -> None:
                while piece := pieces.get():
                    sock.sendall(piece)

            sender = threading.Thread(target=send)
            sender.start()
            buffer = bytearray(50_000)
            while count := sock.recv_into(buffer):
                pieces.put(bytes(buffer[:count]))
            pieces.put(b"")
            sender.join()

    def stream_body(self, request: Request) -> bool:
        return request.path == "/digest"


@pytest.fixture(scope="module")
def app() -> App:
    return App()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            EpollPoller,
            marks=pytest.mark.skipif(os.name == "nt", reason="this system has no epoll"),
        ),
        SelectorPoller,
    ],
)
def running(request: pytest.FixtureRequest, authority: Authority, app: App) -> Iterator[FastServer]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("fastraw.running.default_poller", request.param)
        # What must not wait for its deadline would wait for ever.
        timeouts = Timeouts(handshake_seconds=None)
        tls = authority.tls()
        with FastServer(app, port=0, workers=2, tls=tls, timeouts=timeouts) as running:
            yield running


@pytest.fixture
def address(running: FastServer) -> Address:
    return "127.0.0.1", running.port


@pytest.fixture
def connect(address: Address, authority: Authority) -> Connect:
    def make(**settings: object) -> TLSClient:
        return TLSClient(address, authority.client(), **settings)

    return make


# ---- handshakes ----


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("cut", [at_once, one_by_one])
def test_handshake(
    address: Address, authority: Authority, version: ssl.TLSVersion, cut: Cut
) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with TLSClient(address, context, cut=cut) as client:
        assert client.tls.object.selected_alpn_protocol() == "http/1.1"
        for _ in range(2):
            client.send(GET)
            assert client.response().body == b"Hello, World!"
        client.finish()
        client.expect_end()


def test_handshake_that_ends_with_the_client(authority: Authority) -> None:
    """TLS 1.3 without session tickets: the server has nothing more to say."""
    context = authority.tls().load()
    context.num_tickets = 0
    with (
        FastServer(wire_app.handler, port=0, tls=context) as running,
        TLSClient(("127.0.0.1", running.port), authority.client()) as client,
    ):
        client.send(GET)
        assert client.response().status == 200


def test_versions_before_1_2_are_refused(address: Address, authority: Authority) -> None:
    context = authority.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)version"):
        TLSClient(address, context)


def test_client_that_offers_another_protocol_gets_http_1_1(
    address: Address, authority: Authority
) -> None:
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with TLSClient(address, context) as client:
        assert client.tls.object.selected_alpn_protocol() == "http/1.1"


def test_handshake_and_request_in_one_segment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows the end of the handshake is not left lying: no event will tell of it."""
    kept: list[bytes] = []

    def keep_last(octets: bytes) -> list[bytes]:
        # A ClientHello is sent, what ends the handshake is kept: record type 20 or 23 comes first.
        if octets[:1] == b"\x16" or not octets:
            return [octets]
        kept.append(octets)
        return []

    with connect(cut=keep_last) as client:
        client.tls.raw.sendall(kept[0] + client.tls.records(GET))
        assert client.response().status == 200


def test_stalled_handshakes_hold_no_worker(
    running: FastServer, address: Address, connect: Connect
) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(STALLED):
            stalled = stack.enter_context(socket.create_connection(address))
            if number % 2:
                stalled.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert eventually(lambda: running.stats().connections >= STALLED)
        with connect() as client:
            client.send(GET)
            assert client.response().status == 200
        assert eventually(lambda: running.stats().running == 0)
    assert eventually(lambda: running.stats().connections == 0)


@pytest.mark.usefixtures("quick_sweeps")
def test_stalled_handshake_is_closed_at_its_deadline(authority: Authority) -> None:
    with FastServer(
        wire_app.handler, port=0, tls=authority.tls(), timeouts=Timeouts(handshake_seconds=0.05)
    ) as running:
        with socket.create_connection(("127.0.0.1", running.port), 15) as silent:
            assert silent.recv(1) == b""
        assert eventually(lambda: running.stats().connections == 0)


# ---- what is no TLS ----


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_plain_http_is_told_so(address: Address, method: str) -> None:
    with RawClient(address) as client:
        client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        response = client.response(method)
        assert response.status == 400
        assert response.closes
        assert method == "HEAD" or b"TLS" in response.body
        client.finish()
        client.expect_end()


GARBAGE = {
    "zeros": bytes(100),
    "random": bytes(range(128, 256)),
    "a broken hello": b"\x16\x03\x01\x00\x05hello",
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "a version that there is not": b"\x16\x09\x09\x00\x05hello",
    "SSLv2": b"\x80\x2e\x01\x00\x02",
    "half a hello": b"\x16\x03\x01\x02\x00\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_costs_nothing_but_its_descriptor(
    running: FastServer, address: Address, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_connection(address, 15) as client:
        client.sendall(GARBAGE[name])
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    assert eventually(lambda: running.stats().connections == 0)
    assert len(caplog.records) <= 1
    assert all(record.levelno <= logging.INFO for record in caplog.records)
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("reset", [False, True])
def test_close_without_close_notify(
    running: FastServer, connect: Connect, caplog: pytest.LogCaptureFixture, reset: bool
) -> None:
    caplog.set_level(logging.INFO)
    with connect() as client:
        client.send(GET)
        assert client.response().status == 200
        client.send(b"GET / HT")
        if reset:
            linger = b"\1\0\0\0\0\0\0\0"
            client.tls.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert eventually(lambda: running.stats().connections == 0)
    assert not [record for record in caplog.records if record.name != "fastraw.access"]


def test_records_that_are_spoilt_end_the_connection(
    running: FastServer, connect: Connect, app: App
) -> None:
    with connect() as client:
        spoilt = bytearray(client.tls.records(GET))
        spoilt[-1] ^= 1
        client.tls.raw.sendall(spoilt)
        with pytest.raises(ssl.SSLError, match=r"(?i)mac|alert"):
            client.response()
    assert eventually(lambda: running.stats().connections == 0)


# ---- requests ----


def test_request_knows_that_it_came_by_tls(running: FastServer, connect: Connect) -> None:
    assert running.url == f"https://127.0.0.1:{running.port}"
    with connect() as client:
        client.send(b"GET /scheme HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().body == b'{"scheme": "https", "certificate": null}'


def test_pipelined_requests_in_one_record_and_in_many(connect: Connect) -> None:
    with connect() as client:
        client.send(GET * 20)
        client.tls.raw.sendall(b"".join(client.tls.records(GET) for _ in range(20)))
        for _ in range(40):
            assert client.response().body == b"Hello, World!"


def test_request_and_end_in_one_segment(connect: Connect) -> None:
    """The end comes with the request, and without an event of its own."""
    with connect() as client:
        client.tls.raw.sendall(client.tls.records(GET) + client.tls.goodbye())
        assert client.response().status == 200
        client.expect_end()


def test_records_octet_by_octet(connect: Connect) -> None:
    with connect() as client:
        for _ in range(2):
            for octet in one_by_one(client.tls.records(GET)):
                client.tls.raw.sendall(octet)
            assert client.response().status == 200


@pytest.mark.parametrize("path", ["/echo", "/digest"])
def test_large_content(connect: Connect, path: str) -> None:
    """Collected by the server, and read by the handler on a thread that waits."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BIG)}\r\n\r\n"
    with connect() as client:
        for _ in range(2):
            client.send(head.encode(), BIG)
            expected = BIG if path == "/echo" else str(len(BIG)).encode()
            assert client.response().body == expected


@pytest.mark.parametrize("path", ["/big", "/stream?n=40&size=100000"])
def test_slow_reader(running: FastServer, connect: Connect, path: str) -> None:
    """What does not fit waits encrypted, and holds no thread."""
    slow = connect(receive_buffer_bytes=SMALL_BUFFER_BYTES)
    with slow, connect() as other:
        slow.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + GET)
        assert eventually(lambda: running.stats().requests)
        other.send(GET)
        assert other.response().status == 200
        assert eventually(lambda: running.stats().running == 0)
        body = slow.response().body
        assert body == BIG if path == "/big" else body == b"x" * 4_000_000
        assert slow.response().body == b"Hello, World!"


def test_expect_continue(connect: Connect) -> None:
    with connect() as client:
        client.send(
            b"POST /digest HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert client.response().status == 100
        client.send(b"hello")
        assert client.response().body == b"5"


def test_disconnected_is_seen_behind_close_notify(connect: Connect, app: App) -> None:
    app.entered.clear()
    app.proceed.clear()
    with connect() as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert app.entered.wait(15)
        client.finish()
        app.proceed.set()
        client.response()
    assert app.found == (False, True)


@pytest.mark.parametrize("rdhup", [True, False])
def test_a_look_at_the_client_takes_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, rdhup: bool
) -> None:
    """Also where the system does not tell of the client's end without a look at what has come."""
    if not rdhup:
        monkeypatch.delattr("select.POLLRDHUP", raising=False)
    sent, requests, found = threading.Event(), [], []

    def handler(request: Request) -> str:
        requests.append(request)
        found.append(request.disconnected)
        assert sent.wait(15)
        found.append(request.disconnected)
        return "well"

    with (
        FastServer(handler, port=0, tls=authority.tls()) as running,
        TLSClient(("127.0.0.1", running.port), authority.client()) as client,
    ):
        client.send(GET)
        assert eventually(lambda: found)
        client.send(GET)
        sent.set()
        assert [client.response().body for _ in range(2)] == [b"well"] * 2
        client.finish()
        client.expect_end()
        assert eventually(lambda: running.stats().connections == 0)
    assert found == [False] * 4
    assert requests[0].disconnected


def test_stop_cuts_a_handler_that_runs(authority: Authority) -> None:
    app = App()
    running = FastServer(app, port=0, tls=authority.tls())
    running.start()
    with TLSClient(("127.0.0.1", running.port), authority.client()) as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert app.entered.wait(15)
        report = running.stop(timeout=0.05)
        assert (report.drained, report.still_running) == (0, 1)
        app.proceed.set()
        with pytest.raises((BadResponse, ConnectionResetError)):
            client.expect_end()
        assert eventually(lambda: app.found == (False, True))


def test_new_keys(address: Address) -> None:
    """KeyUpdate (RFC 8446 section 4.6.3) between requests: the reply goes out by itself."""
    with Openssl(address, "-tls1_3") as openssl:
        for _ in range(3):
            openssl.say(GET)
            openssl.expect(b"Hello, World!")
            openssl.say(b"K\n")
            openssl.expect(b"KEYUPDATE")


UPGRADE = b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


def test_upgrade(running: FastServer, connect: Connect) -> None:
    with connect() as client:
        client.tls.raw.sendall(client.tls.records(UPGRADE + b"ear") + client.tls.records(b"ly"))
        received = b""
        while not received.endswith(b"\r\n\r\nearly"):
            received += client.tls.recv(1000)
        assert received.startswith(b"HTTP/1.1 101 ")
        sender = threading.Thread(target=client.send, args=(BIG,))
        sender.start()
        received = b""
        while len(received) < len(BIG):
            received += client.tls.recv(100_000)
        assert received == BIG
        sender.join()
        client.finish()
        client.expect_end()
    assert eventually(lambda: running.stats().connections == 0)


def test_stop_cuts_an_upgraded_connection(authority: Authority, app: App) -> None:
    running = FastServer(app, port=0, tls=authority.tls())
    running.start()
    with TLSClient(("127.0.0.1", running.port), authority.client()) as client:
        client.send(UPGRADE)
        client.tls.recv(1000)
        report = running.stop(timeout=0.05)
        assert (report.aborted, report.still_running) == (1, 0)


def test_renegotiation_is_refused(address: Address) -> None:
    with Openssl(address, "-tls1_2") as openssl:
        openssl.say(GET)
        openssl.expect(b"Hello, World!")
        openssl.say(b"R\n")
        openssl.expect(b"no renegotiation")


def test_renegotiation_where_a_context_allows_it(authority: Authority) -> None:
    context = authority.renegotiating()
    with (
        FastServer(wire_app.handler, port=0, tls=context) as running,
        Openssl(("127.0.0.1", running.port), "-tls1_2") as openssl,
    ):
        for _ in range(2):
            openssl.say(GET)
            openssl.expect(b"Hello, World!")
            openssl.say(b"R\n")
            openssl.expect(b"RENEGOTIATING")


# ---- the end ----


def test_too_many_connections_are_told_so_over_tls(authority: Authority) -> None:
    with FastServer(
        wire_app.handler, port=0, tls=authority.tls(), limits=Limits(connections=1)
    ) as running:
        address = "127.0.0.1", running.port
        with (
            TLSClient(address, authority.client()),
            TLSClient(address, authority.client()) as second,
        ):
            response = second.response()
            assert response.status == 503
            assert response.get("retry-after")
            second.expect_end()


def test_stop_says_goodbye_and_leaves_nothing(authority: Authority) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    running = FastServer(wire_app.handler, port=0, tls=authority.tls())
    running.start()
    address = "127.0.0.1", running.port
    with TLSClient(address, authority.client()) as idle, socket.create_connection(address):
        idle.send(GET)
        assert idle.response().status == 200
        assert eventually(lambda: running.stats().connections == 2)
        report = running.stop()
        assert (report.drained, report.aborted) == (2, 0)
        idle.expect_end()
    after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    assert after == before


def test_an_answer_that_is_cut_off_does_not_sound_complete(authority: Authority) -> None:
    """No close_notify behind it: a client must be able to tell (RFC 8446 section 6.1)."""

    def pieces() -> Iterator[bytes]:
        yield b"x" * 10
        raise ValueError("on purpose")

    def handler(request: Request) -> Response:
        return Response.stream(pieces())

    with (
        FastServer(handler, port=0, tls=authority.tls()) as running,
        TLSClient(("127.0.0.1", running.port), authority.client()) as client,
    ):
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises((AssertionError, ConnectionResetError)):
            client.response()
