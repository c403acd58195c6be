"""Where a server may listen, why it may not, and how it accepts."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastraw import BindError
from fastraw.engine import listener as listener_module
from fastraw.engine.clients import Address
from fastraw.engine.listener import ACCEPTS_AT_ONCE, PAUSE_SECONDS, Listener, address_of, listen
from fastraw.engine.task import NEVER, Task
from tests.program import PYTHON, ROOT

Refuse = Callable[..., str]


def refusal(*arguments: Any, **options: Any) -> str:
    """What listen() says when it cannot."""
    with pytest.raises(BindError) as caught:
        listen(*arguments, **options).close()
    return str(caught.value)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_host_and_port() -> None:
    with listen("127.0.0.1", 0) as sock:
        assert sock.gettimeout() == 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        host, port = sock.getsockname()
        assert (host, port > 0) == ("127.0.0.1", True)


def test_a_copy_does_not_listen_on(tmp_path: Path) -> None:
    """Of our own socket, as a child process has it; what was handed to us is its owner's."""
    for sock in (listen("127.0.0.1", 0), listen("", 0, uds=str(tmp_path / "sock"))):
        with socket.socket(fileno=os.dup(sock.fileno())) as copy:
            address = copy.getsockname()
            sock.close()
            with socket.socket(copy.family) as client, pytest.raises(ConnectionRefusedError):
                client.connect(address)
    with socket.create_server(("127.0.0.1", 0)) as owner:
        listen("", 0, fd=owner.fileno()).close()
        socket.create_connection(owner.getsockname()).close()


FORKED = """\
import os, socket
from fastraw.engine.listener import listen

sock = listen("127.0.0.1", 0)
child = os.fork()
if not child:
    sock.close()
    os._exit(0)
os.waitpid(child, 0)
socket.create_connection(sock.getsockname()).close()
"""


def test_a_child_that_closes_its_copy_stops_nothing() -> None:
    subprocess.run([*PYTHON, "-c", FORKED], cwd=ROOT, check=True, timeout=60)


def test_port_in_use(taken: int) -> None:
    assert refusal("127.0.0.1", taken) == (
        f"cannot listen on 127.0.0.1:{taken}: the port is in use; stop what listens there, or "
        "choose another port (port 0 takes a free one)"
    )


def test_port_whose_connections_are_still_ending() -> None:
    """SO_REUSEADDR: a server can be started again at once."""
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            sock.setblocking(True)
            accepted, _ = sock.accept()
            accepted.close()  # the side that closes first is the one in TIME_WAIT
            client.recv(1)
    listen("127.0.0.1", port).close()


def test_address_of_another_machine() -> None:
    assert refusal("192.0.2.1", 0) == (
        "cannot listen on 192.0.2.1:0: no network interface of this machine has that address; "
        "127.0.0.1 and 0.0.0.0 always work"
    )


def test_privileged_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, who may do it; the words are the system error's all the same."""

    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert refusal("127.0.0.1", 80) == (
        "cannot listen on 127.0.0.1:80: permission denied; ports below 1024 need privileges, "
        "choose a higher one"
    )


@pytest.mark.parametrize("host", ["host.invalid", "a..b", "x" * 64, "a\0b", "127.0.0.1:80", "\xff"])
def test_host_that_is_none(host: str) -> None:
    message = refusal(host, 0)
    assert message.startswith("cannot listen on ")
    assert message.endswith("; check the host name")
    assert "None" not in message


def test_ipv6_has_brackets_in_messages() -> None:
    assert refusal("2001:db8::1", 80).startswith("cannot listen on [2001:db8::1]:80: ")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
@pytest.mark.parametrize(("host", "both"), [("::", True), ("::1", False)])
def test_ipv6(host: str, both: bool) -> None:
    with listen(host, 0) as sock:
        assert bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) is not both
        port = sock.getsockname()[1]
        socket.create_connection(("::1", port)).close()
        if both:
            socket.create_connection(("127.0.0.1", port)).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()


# Unix sockets.


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listen("", 0, uds=path) as sock:
        assert sock.gettimeout() == 0
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_path_that_a_dead_server_left(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    listen("", 0, uds=path).close()
    listen("", 0, uds=path).close()


def test_path_that_somebody_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listen("", 0, uds=path):
        assert refusal("", 0, uds=path) == (
            f"cannot listen on {path}: something listens there, or a file that is no socket is "
            "in the way"
        )


def test_file_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    assert "in the way" in refusal("", 0, uds=str(path))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/s", "x" * 200, "a\0b"])
def test_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    message = refusal("", 0, uds=path)
    assert message.startswith(f"cannot listen on {path}: ")
    assert "None" not in message


# Descriptors.


def open_descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []


def test_descriptor_of_a_bound_socket() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with listen("", 0, fd=bound.fileno()) as sock:
            assert sock.getsockname() == bound.getsockname()
            socket.create_connection(bound.getsockname()).close()
        assert bound.fileno() >= 0
        os.fstat(bound.fileno())  # the owner's is still open


def test_descriptors_that_cannot_listen(tmp_path: Path) -> None:
    before = open_descriptors()
    ours, theirs = socket.socketpair()
    connected = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(connected.getsockname())
    with ours, theirs, client, connected, open(os.devnull) as file:
        assert refusal("", 0, fd=file.fileno()).endswith("Socket operation on non-socket")
        assert refusal("", 0, fd=client.fileno()).endswith("Invalid argument")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            message = refusal("", 0, fd=datagrams.fileno())
            assert message.endswith(f"descriptor {datagrams.fileno()}: it is no stream socket")
        for family in (socket.AF_INET, socket.AF_UNIX):
            with socket.socket(family) as unbound:
                assert refusal("", 0, fd=unbound.fileno()).endswith("it is not bound")
    assert refusal("", 0, fd=99_999) == "cannot listen on descriptor 99999: Bad file descriptor"
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("fe80::1", 80, 0, 3), ("fe80::1", 80)),
        ("/run/s", "/run/s"),
        ("", ""),
        (b"\0abstract", "\0abstract"),
    ],
)
def test_addresses(name: Any, address: Address) -> None:
    assert address_of(name) == address


# Accepting, with what accept() raises only now and then.


class Script:
    """A listening socket whose accept() does what the test says."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.closed = False

    def fileno(self) -> int:
        return 0

    def accept(self) -> tuple[Any, Any]:
        result = self.results.pop(0) if self.results else BlockingIOError(errno.EAGAIN, "")
        if isinstance(result, OSError):
            raise result
        return result, ("192.0.2.1", 5000)

    def close(self) -> None:
        self.closed = True


class Accepted:
    def setblocking(self, flag: bool) -> None:
        assert not flag


class Surroundings:
    """Service, deadlines, scheduler and poller at once: what a listener asks of them, noted."""

    needs_rearm = False
    draining = False
    stopping = False

    def __init__(self) -> None:
        self.scheduler = self.deadlines = self.poller = self
        self.resumed = 0
        self.asked: list[float] = []

    def resume(self, task: Task) -> None:
        self.resumed += 1

    def ask(self, seconds: float) -> None:
        self.asked.append(seconds)


def accepting(*results: Any) -> tuple[Listener, Surroundings, list[Address]]:
    around: Any = Surroundings()
    sock: Any = Script(*results)
    seen: list[Address] = []
    listener = Listener(sock, lambda sock, address: seen.append(address), around)
    listener.lock.acquire()
    return listener, around, seen


def test_accepts_all_that_wait() -> None:
    listener, around, seen = accepting(Accepted(), Accepted())
    listener.ready(0)
    assert seen == [("192.0.2.1", 5000)] * 2
    assert not listener.lock.locked()
    assert not around.resumed


def test_a_burst_lets_others_have_their_turn() -> None:
    listener, around, seen = accepting(*[Accepted()] * (ACCEPTS_AT_ONCE + 1))
    listener.ready(0)
    assert len(seen) == ACCEPTS_AT_ONCE
    assert around.resumed == 1
    listener.resume()
    assert len(seen) == ACCEPTS_AT_ONCE + 1


@pytest.mark.parametrize("name", ["ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EHOSTUNREACH"])
def test_a_connection_that_is_gone_already_is_passed_over(name: str) -> None:
    listener, around, seen = accepting(OSError(getattr(errno, name), "gone"), Accepted())
    listener.ready(0)
    assert len(seen) == 1
    assert not around.asked


def test_connections_that_are_all_gone_do_not_hold_the_thread() -> None:
    gone = OSError(errno.ECONNABORTED, "gone")
    listener, around, _ = accepting(*[gone] * (ACCEPTS_AT_ONCE + 1))
    listener.ready(0)
    assert around.resumed == 1


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EINVAL", "EBADF"])
def test_what_does_not_pass_by_itself_makes_a_pause(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError(getattr(errno, name), "for want of something")
    listener, around, seen = accepting(error, error, Accepted())
    listener.ready(0)
    assert not listener.lock.locked()
    assert around.asked == [PAUSE_SECONDS]
    assert not around.resumed
    assert listener.deadline != NEVER
    listener.lock.acquire()
    listener.expire()
    assert (around.resumed, listener.deadline) == (1, NEVER)
    listener.resume()
    assert around.asked == [PAUSE_SECONDS] * 2
    # One line for both: they are less than a second apart.
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["Cannot accept connections for now: for want of something"]
    listener.lock.acquire()
    listener.resume()
    assert len(seen) == 1


def test_one_line_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError(errno.EMFILE, "Too many open files")
    listener, _, _ = accepting(*[error] * 10)
    for now in (100.0, 100.5, 100.99, 101.0, 101.5, 102.5):
        monkeypatch.setattr(listener_module, "monotonic", lambda now=now: now)
        listener.resume()
        listener.lock.acquire()
    assert len(caplog.records) == 3


def test_none_is_accepted_when_draining() -> None:
    listener, around, seen = accepting(Accepted())
    around.draining = True
    listener.ready(0)
    assert not seen
    assert not listener.lock.locked()
    assert not around.resumed
