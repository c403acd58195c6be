"""TLSSocket by itself: what it says has been sent and received, on sockets that take little."""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from fastraw import TLS
from fastraw.engine import tls_stream
from fastraw.engine.tls_socket import TLSSocket
from fastraw.testing import BadResponse
from tests.authority import NAME, Authority
from tests.tls_client import Openssl, TLSClientSocket

BUFFER_BYTES = 4096
OCTETS = random.Random(1).randbytes(300_000)

Pair = tuple[TLSSocket, TLSClientSocket]


class Owner:
    stirred = False


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def pair(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Pair]:
    """After the handshake. The server's side has room for little."""
    context = authority.client()
    context.maximum_version = request.param
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    client = TLSClientSocket(theirs, context, NAME)
    with TLSSocket(ours, authority.tls().load()) as server, theirs:
        thread = threading.Thread(target=client.handshake)
        thread.start()
        shake_hands(server)
        thread.join()
        theirs.setblocking(False)
        yield server, client


def shake_hands(server: TLSSocket) -> None:
    while True:
        writable = [server] if server.has_unsent else []
        assert any(select.select([server], writable, [], 15))
        if server.handshake() is not None:
            return


def take(client: TLSClientSocket) -> bytes:
    """All that has come."""
    pieces = [b""]
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def send(server: TLSSocket, octets: memoryview) -> int:
    try:
        return server.send(octets)
    except BlockingIOError:
        return 0


def test_handshake_that_takes_many_turns(authority: Authority) -> None:
    """Either side's certificate is larger than what the other receives at once."""
    names = [f"{number}.a-name-of-some-length.test" for number in range(1000)]
    large = authority.issue(NAME, *names, stem="large")
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    client = TLSClientSocket(theirs, authority.client(*large), NAME)
    with TLSSocket(ours, TLS(*large, client_ca=authority.file).load()) as server, theirs:
        thread = threading.Thread(target=client.handshake)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.handshake()  # it has said hello
        theirs.setblocking(True)
        for _ in range(2):
            assert server.handshake() is None
            assert server.has_unsent
        thread.start()
        shake_hands(server)
        thread.join()
        certificate = server.peer_certificate()
        assert certificate is not None
        assert len(certificate["subjectAltName"]) == len(names) + 1
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_said_to_be_gone_has_gone(pair: Pair, seed: int) -> None:
    server, client = pair
    chance = random.Random(seed)
    left, received, said_bytes = memoryview(OCTETS), b"", 0
    while left:
        size = chance.choice((1, 1000, 20_000, 100_000, 300_000))
        sent = send(server, left[:size])
        left = left[sent:]
        said_bytes += sent
        if not sent or chance.random() < 0.3:
            received += take(client)
            # TLS hides the part of a record that has come; the last octet comes with its record.
            assert said_bytes <= len(received) + 16_384
            assert left or said_bytes == len(received)
    assert received + take(client) == OCTETS


def test_last_octet_is_not_said_to_be_gone_before_its_record(pair: Pair) -> None:
    server, client = pair
    left = memoryview(OCTETS[:16_000])
    received = b""
    while sent := send(server, left):
        left = left[sent:]
    assert left
    while left:
        received += take(client)
        assert len(received) < 16_000
        left = left[send(server, left) :]
    assert received + take(client) == OCTETS[:16_000]


def test_nothing_is_sent_of_nothing(pair: Pair) -> None:
    server, client = pair
    assert server.send(b"") == 0
    assert take(client) == b""


def test_less_than_asked_for_means_that_nothing_is_left(pair: Pair) -> None:
    server, client = pair
    client.raw.setblocking(True)
    sizes = (1, 100, 16_384, 5, 16_384, 40_000, 3)
    for asked in (1_000_000, 56_877, 16_384, 7000):
        sender = threading.Thread(
            target=client.raw.sendall,
            args=(b"".join(client.records(OCTETS[:size]) for size in sizes),),
        )
        sender.start()
        received = 0
        while received < sum(sizes):
            assert select.select([server], [], [], 15)[0] or received
            try:
                while True:
                    got = len(server.recv(asked))
                    received += got
                    if got < asked:
                        break
            except BlockingIOError:
                pass
        sender.join()
        with pytest.raises(BlockingIOError):
            server.recv(1)


def test_end_behind_octets_stirs_the_owner(pair: Pair) -> None:
    server, client = pair
    owner = Owner()
    server.belongs_to(owner)
    client.raw.send(client.records(b"last"))
    assert server.recv(100) == b"last"
    assert not owner.stirred
    client.raw.send(client.records(b"last") + client.goodbye())
    assert server.recv(100) == b"last"
    assert owner.stirred
    assert server.recv(100) == b""
    assert server.recv(100) == b""


def test_end_is_said_behind_all_octets(pair: Pair) -> None:
    server, client = pair
    left = memoryview(OCTETS)
    received = b""
    while left:
        left = left[send(server, left) :]
        received += take(client)
    server.shutdown(socket.SHUT_WR)
    while len(received) < len(OCTETS):
        received += take(client)
    assert received == OCTETS
    assert client.recv(1) == b""


def test_end_that_does_not_fit_is_said_later(pair: Pair) -> None:
    server, client = pair
    take(client)  # the session tickets
    octet = memoryview(b"x")
    while send(server, octet):
        pass
    while not send(server, octet):  # room for this one, and no more
        client.receive(8)
    server.shutdown(socket.SHUT_WR)
    assert server.has_unsent
    take(client)
    with pytest.raises(BlockingIOError):
        server.recv(1)
    assert not server.has_unsent
    assert client.recv(1) == b""


@pytest.mark.parametrize("forsaken", [False, True])
def test_close_is_no_good_end_when_there_is_more(pair: Pair, forsaken: bool) -> None:
    server, client = pair
    if forsaken:
        server.forsake()
    else:
        while send(server, memoryview(OCTETS)):
            pass
    server.close()
    with pytest.raises((BadResponse, ConnectionResetError)):
        client.recv(len(OCTETS)) and take(client)


def test_replies_that_are_not_taken_end_the_connection(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = pair
    monkeypatch.setattr(tls_stream, "REPLY_BYTES", -tls_stream.WRITE_BYTES)
    while send(server, memoryview(OCTETS)):
        pass
    spoilt = bytearray(client.records(b"spoilt"))
    spoilt[-1] ^= 1
    client.raw.send(spoilt)
    with pytest.raises(OSError, match=r"(?i)mac|take"):
        server.recv(100)


def test_write_that_has_to_read_first(authority: Authority) -> None:
    """A renegotiation is under way: what the client has to say in it comes before our octets."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Openssl(listener.getsockname(), "-tls1_2") as openssl,
        TLSSocket(listener.accept()[0], authority.renegotiating()) as server,
    ):
        shake_hands(server)
        openssl.say(b"R\n")
        openssl.expect(b"RENEGOTIATING")
        assert select.select([server], [], [], 15)[0]
        with pytest.raises(BlockingIOError):
            server.recv(100)
        while not (sent := send(server, memoryview(b"hello"))):
            assert server.must_read
            assert select.select([server], [], [], 15)[0]
        assert sent == 5
        assert not server.must_read
        openssl.expect(b"hello")


@pytest.mark.parametrize("part", ["half a record", "only the end"])
def test_the_end_behind_what_is_for_nobody_is_seen_at_once(pair: Pair, part: str) -> None:
    """Both may have come before the server looked, with one event for the two."""
    server, client = pair
    if part == "half a record":
        client.raw.sendall(client.records(b"never whole")[:-5])
    client.raw.shutdown(socket.SHUT_WR)
    assert server.recv(16_384) == b""
