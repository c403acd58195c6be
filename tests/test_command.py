"""python -m fastraw, as a process: its page, its log, its settings, its errors, its end."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fastraw.testing import RawClient
from tests.program import PATIENCE_SECONDS, PYTHON, ROOT, Program

COMMAND = (*PYTHON, "-m", "fastraw")
UNTAINTED = dict.fromkeys(("FASTRAW_HOST", "FASTRAW_PORT", "FASTRAW_WORKERS"), "")

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and capabilities")


def command(*arguments: str, **environment: str) -> Program:
    return Program(*COMMAND, *arguments, **{**UNTAINTED, **environment})


@pytest.fixture
def program() -> Iterator[Program]:
    with command("--port", "0") as program:
        yield program


def ask(program: Program, method: str, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*program.address, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
    finally:
        connection.close()
    return response


# ---- the page ----


def test_page_is_html_that_needs_nothing_else(program: Program) -> None:
    response = ask(program, "GET", "/")
    body = response.body.decode()  # type: ignore[attr-defined]
    assert response.status == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert body.startswith("<!doctype html>")
    assert "Hello from fastraw" in body
    assert "src=" not in body
    assert "http" not in body  # no address to load anything from


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("HEAD", "/", 200), ("GET", "/?a=b", 200), ("GET", "/other", 404), ("POST", "/", 405)],
)
def test_other_requests(program: Program, method: str, path: str, status: int) -> None:
    response = ask(program, method, path)
    assert response.status == status
    assert response.headers["allow"] == ("GET, HEAD" if status == 405 else None)


def test_each_request_is_logged_with_what_came_of_it(program: Program) -> None:
    for path in ("/first?x=1", "/"):
        ask(program, "GET", path)
    assert program.stop() == 0
    first, second = (line for line in program.output.splitlines() if "GET" in line)
    assert "127.0.0.1" in first
    assert '"GET /first?x=1 HTTP/1.1" 404' in first
    assert '"GET / HTTP/1.1" 200' in second


def test_browser_shows_the_page(program: Program, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium; on Debian: apt-get install chromium")
    run = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={tmp_path}", "--dump-dom", f"{program.url}/"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert "<h1>Hello from fastraw</h1>" in run.stdout
    assert program.stop() == 0
    # The page asks for nothing else, not even an icon.
    assert re.findall(r'"(GET \S+) HTTP/1.1" (\d+)', program.output) == [("GET /", "200")]


# ---- settings ----


@pytest.mark.parametrize(
    ("arguments", "environment", "host"),
    [
        ((), {}, "127.0.0.1"),
        (("--host", "::1"), {}, "::1"),
        ((), {"FASTRAW_HOST": "::1"}, "::1"),
        (("--host", "127.0.0.2"), {"FASTRAW_HOST": "::1"}, "127.0.0.2"),
    ],
)
def test_host(arguments: tuple[str, ...], environment: dict[str, str], host: str) -> None:
    if host == "127.0.0.2" and sys.platform != "linux":
        host, arguments = "127.0.0.1", ("--host", "127.0.0.1")
    with command("--port", "0", *arguments, **environment) as program:
        assert program.address[0] == host
        assert ask(program, "GET", "/").status == 200


def test_port_of_the_flag_wins() -> None:
    """Even over a variable that is no good."""
    with command("--port", "0", FASTRAW_PORT="junk") as program:
        assert ask(program, "GET", "/").status == 200


def test_port_of_the_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with command(FASTRAW_PORT=str(port)) as program:
        assert program.address == ("127.0.0.1", port)


def test_workers() -> None:
    """Each is a thread; the flag wins."""

    def threads(*arguments: str, **environment: str) -> int:
        with command("--port", "0", *arguments, **environment) as program:
            assert ask(program, "GET", "/").status == 200
            return int(psutil.Process(program.pid).num_threads())

    few = threads("--workers", "2", FASTRAW_WORKERS="30")
    assert threads(FASTRAW_WORKERS="11") == few + 9


@linux
def test_descriptor_limit_is_raised_to_the_hard_one() -> None:
    with Program("prlimit", "--nofile=300:900", *COMMAND, "--port", "0") as program:
        assert ask(program, "GET", "/").status == 200
        assert psutil.Process(program.pid).rlimit(psutil.RLIMIT_NOFILE) == (900, 900)


def test_help_names_every_setting() -> None:
    run = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("host", "port", "workers"):
        assert f"--{name}" in run.stdout
        assert f"FASTRAW_{name.upper()}" in run.stdout


# ---- what cannot be served ----


def refusal(*arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> str:
    """What the command says, on one line, when it refuses."""
    run = subprocess.run(
        [*prefix, *COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **UNTAINTED, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("fastraw: ")
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr.removeprefix("fastraw: ").rstrip("\n")


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5", "0x50", "٨٠", "1" * 5000, " "])
def test_port_that_is_none(port: str) -> None:
    assert refusal(f"--port={port}") == f"--port: {port!r} is no port (0 to 65535)"
    assert refusal(FASTRAW_PORT=port) == f"FASTRAW_PORT: {port!r} is no port (0 to 65535)"


@pytest.mark.parametrize("workers", ["0", "-3", "many", "10000"])
def test_number_of_workers_that_is_none(workers: str) -> None:
    says = f"{workers!r} is no number of workers (1 to 9999)"
    assert refusal(f"--workers={workers}") == f"--workers: {says}"
    assert refusal(FASTRAW_WORKERS=workers) == f"FASTRAW_WORKERS: {says}"


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "127.0.0.1:80"])
def test_host_that_is_none(host: str) -> None:
    assert host in refusal("--port=0", f"--host={host}")


def test_empty_host_does_not_mean_everywhere() -> None:
    assert refusal("--host=") == "--host: an address or a host name is needed"
    assert refusal(FASTRAW_HOST=" ") == "FASTRAW_HOST: an address or a host name is needed"


def test_argument_that_nobody_knows() -> None:
    assert "--wrokers" in refusal("--wrokers=3")


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refusal(f"--port={port}")
    assert f"127.0.0.1:{port}" in message
    assert "in use" in message


def test_address_of_another_machine() -> None:
    message = refusal("--host=192.0.2.1", "--port=0")  # RFC 5737 section 3: never anyone's
    assert "192.0.2.1" in message
    assert "no network interface" in message


@linux
def test_privileged_port() -> None:
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit < 2:
        pytest.skip("this system has no privileged ports")
    without = ("setpriv", "--bounding-set", "-net_bind_service") if os.getuid() == 0 else ()
    message = refusal(f"--port={limit - 1}", prefix=without)
    assert f"127.0.0.1:{limit - 1}" in message
    assert "privileges" in message


# ---- the end ----


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_well(number: signal.Signals) -> None:
    with command("--port", "0") as program, RawClient(program.address) as idle:
        idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.response().status == 200
        assert program.stop(number) == 0
        idle.expect_end()
        assert program.output.endswith("Stopped\n")
        assert "Traceback" not in program.output


@posix
def test_signal_before_it_serves() -> None:
    """Whenever it comes, the end is a good one: here while the server starts."""
    code = (
        "import os, signal, fastraw.__main__ as command, fastraw.server as server\n"
        "start = server.FastServer.start\n"
        "def interrupted(self):\n"
        "    start(self)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "server.FastServer.start = interrupted\n"
        "command.main(['--port=0'])\n"
    )
    with Program(*PYTHON, "-c", code) as program:
        assert program.wait() == 0
        assert program.output.endswith("Stopped\n")
        assert "Traceback" not in program.output
