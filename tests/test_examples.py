"""The examples, as processes: each works, each step from scratch breaks where its page says it
does, and fastraw takes the same."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.request import urlopen

import psutil
import pytest

from fastraw.testing import RawClient
from tests.program import PATIENCE_SECONDS, PYTHON, ROOT, Program

RAW, BUFFERED, THREAD_EACH, POOL, FASTRAW = STEPS = (
    "step1_raw_socket",
    "step2_buffered",
    "step3_thread_each",
    "step4_thread_pool",
    "step5_fastraw",
)
POOL_THREADS = 8

REQUEST = b"GET /there HTTP/1.1\r\nHost: a\r\n\r\n"
# What a client does that has nothing to say, stops in the middle, or forgets the blank line.
STALLED = {"nothing": b"", "half a line": REQUEST[:9], "no blank line": REQUEST[:-2]}

# How long nothing must have come before we say that nothing comes. Too short can only hide that a
# step got better than its page says, never fail a good one.
QUIET_SECONDS = 0.5


@contextmanager
def example(path: str) -> Iterator[Program]:
    with Program(*PYTHON, ROOT / "examples" / f"{path}.py", "0") as program:
        yield program


def step(name: str) -> Program:
    return Program(*PYTHON, ROOT / "examples" / "from_scratch" / f"{name}.py", "0")


def quiet(client: RawClient) -> bool:
    """Whether no answer comes."""
    return not select.select([client.sock], [], [], QUIET_SECONDS)[0]


def answer(client: RawClient) -> bytes:
    """The rest of what comes, up to the end of the first answer's content."""
    received = b""
    while not received.endswith(b"!\n"):
        data = client.sock.recv(65536)
        assert data, received
        received += data
    return received


def threads(program: Program) -> int:
    """How many threads it has, once it serves."""
    program.wait_for("http")
    return int(psutil.Process(program.pid).num_threads())


def test_hello() -> None:
    with example("hello") as program:
        with urlopen(f"{program.url}/?name=Ada", timeout=PATIENCE_SECONDS) as response:
            assert response.read() == b"Hello, Ada!\n"
        if os.name == "posix":
            assert program.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("name", STEPS)
def test_each_step_answers_a_whole_request(name: str) -> None:
    with step(name) as program, RawClient(program.address) as client:
        client.send(REQUEST)
        received = answer(client)
        if name == RAW:
            assert received.startswith(b"HTTP/1.0 200 OK\r\n")
            assert received.endswith(b"\r\n\r\nHello!\n")
        else:
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nContent-Length: 15\r\n" in received
            assert received.endswith(b"\r\n\r\nHello, /there!\n")


@pytest.mark.parametrize("name", STEPS[1:])
def test_from_the_second_step_on_the_connection_stays(name: str) -> None:
    with step(name) as program, RawClient(program.address) as client:
        for _ in range(3):
            client.send(REQUEST)
            assert answer(client).endswith(b"Hello, /there!\n")


def test_raw_socket_answers_what_nobody_has_asked() -> None:
    """One octet, the first piece of a request that comes in pieces, is answered as a whole one."""
    with step(RAW) as program, RawClient(program.address) as client:
        client.send(b"G")
        assert answer(client).endswith(b"Hello!\n")


@pytest.mark.parametrize("name", STEPS[1:])
def test_from_the_second_step_on_pieces_are_put_together(name: str) -> None:
    with step(name) as program, RawClient(program.address) as client:
        client.send(b"G")
        assert quiet(client)
        client.send(*(REQUEST[index : index + 1] for index in range(1, len(REQUEST))))
        assert answer(client).endswith(b"Hello, /there!\n")


@pytest.mark.parametrize(
    ("name", "stalls"), [(RAW, "nothing"), *((BUFFERED, stalls) for stalls in STALLED)]
)
def test_one_stalled_client_stops_the_first_steps(name: str, stalls: str) -> None:
    with (
        step(name) as program,
        RawClient(program.address) as stalled,
        RawClient(program.address) as client,
    ):
        stalled.send(STALLED[stalls])
        client.send(REQUEST)
        assert quiet(client)
        stalled.close()
        assert answer(client).endswith(b"!\n")


def test_a_thread_each_is_a_thread_for_each_stalled_client() -> None:
    with step(THREAD_EACH) as program, ExitStack() as stack:
        before = threads(program)
        for _ in range(50):
            stack.enter_context(RawClient(program.address)).send(REQUEST[:-2])
        client = stack.enter_context(RawClient(program.address))
        client.send(REQUEST)
        assert answer(client).endswith(b"Hello, /there!\n")
        assert threads(program) == before + 51


@pytest.mark.parametrize("stalls", STALLED)
def test_as_many_stalled_clients_as_threads_stop_the_pool(stalls: str) -> None:
    with step(POOL) as program, ExitStack() as stack:
        crowd = [stack.enter_context(RawClient(program.address)) for _ in range(POOL_THREADS)]
        for stalled in crowd:
            stalled.send(STALLED[stalls])
        client = stack.enter_context(RawClient(program.address))
        client.send(REQUEST)
        assert quiet(client)
        crowd[-1].close()
        assert answer(client).endswith(b"Hello, /there!\n")


@pytest.mark.parametrize("stalls", STALLED)
def test_fastraw_takes_all_of_them(stalls: str) -> None:
    """Ten times as many as it has threads; all are there before the next one is answered."""
    with step(FASTRAW) as program, ExitStack() as stack:
        before = threads(program)
        for _ in range(10 * POOL_THREADS):
            stack.enter_context(RawClient(program.address)).send(STALLED[stalls])
        client = stack.enter_context(RawClient(program.address))
        client.send(REQUEST)
        assert answer(client).endswith(b"Hello, /there!\n")
        assert threads(program) == before
