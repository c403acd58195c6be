"""What the command serves: directories, handlers, WSGI applications; and what it says otherwise."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest

import fastraw.__main__ as command
from fastraw import FastServer
from fastraw.__main__ import main
from fastraw.command import log
from fastraw.command.settings import read_settings
from fastraw.command.target import load
from fastraw.testing import RawClient
from tests.authority import Authority
from tests.program import PYTHON, ROOT, Program
from tests.waiting import eventually

COMMAND = (*PYTHON, "-m", "fastraw")

MODULE = """\
import functools
from fastraw import WSGI, Router, compose
from fastraw.apps.middleware import gzip

def handler(request):
    return "a handler"

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"an application"]

class Class:
    def __call__(self, environ, start_response):
        return application(environ, start_response)

    def method(self, request):
        return "a method"

async def asynchronous(request): ...

async def asgi(scope, receive, send): ...

def asgi_with_three(scope, receive, send): ...

def anything(*arguments):
    return "anything" if len(arguments) == 1 else application(*arguments)

def maybe(request, more=None):
    return "maybe"

router = Router()
router.get("/")(handler)
instance = Class()
partial = functools.partial(application)
number = 7
wrapped = WSGI(application)
composed = compose(gzip())(WSGI(application))

class OfRequests:
    def __init__(self, request): ...

class Application:
    def __init__(self, environ, start_response):
        self.answer = application(environ, start_response)

    def __iter__(self):
        return iter(self.answer)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "things.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import json\njson.loads('x')\n")
    (tmp_path / "lacking.py").write_text("import there_is_no_such_module\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    return tmp_path


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command does to a process that it has to itself is undone."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(log, "set_up", partial(_set_up, log.set_up))
    monkeypatch.setattr(command, "_raise_descriptor_limit", lambda: None)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _set_up(real: Callable[[log.Format, str], None], form: log.Format, access_log: str) -> None:
    if access_log != "-":
        real(form, access_log)


def serve(folder: Path, *arguments: str, **environment: str) -> Program:
    return Program(*COMMAND, "--port=0", *arguments, **in_folder(folder), **environment)


def in_folder(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}


def get(program: Program, path: str = "/") -> str:
    with urlopen(program.url + path) as response:
        return str(response.read().decode())


@pytest.mark.parametrize(
    ("target", "flags", "answer"),
    [
        ("things:handler", (), "a handler"),
        ("things:router", (), "a handler"),
        ("things:instance.method", (), "a method"),
        ("things:application", (), "an application"),
        ("things:instance", (), "an application"),
        ("things:partial", (), "an application"),
        ("things:Application", (), "an application"),
        ("things:wrapped", (), "an application"),
        ("things:composed", (), "an application"),
        ("things:anything", ("--handler",), "anything"),
        ("things:anything", ("--wsgi",), "an application"),
        ("things:maybe", ("--handler",), "maybe"),
    ],
)
def test_object(
    folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, flags: tuple[str, ...], answer: str
) -> None:
    monkeypatch.syspath_prepend(folder)
    settings = read_settings([target, *flags])
    with (
        FastServer(load(settings.target, settings.kind), port=0) as server,
        urlopen(server.url) as response,
    ):
        assert response.read().decode() == answer


def test_as_a_process(folder: Path) -> None:
    with Program(*COMMAND, "--port=0", "things:application", folder=folder) as program:
        assert get(program) == "an application"
        assert program.stop() == 0


def test_directory(folder: Path) -> None:
    with serve(folder, str(folder)) as program:
        assert "things.py" in get(program)
        assert get(program, "/broken.py") == (folder / "broken.py").read_text()


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says, on one line, when it refuses."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    output, errors = capsys.readouterr()
    assert (ended.value.code, output) == (2, "")
    assert errors.startswith("fastraw: ")
    assert errors.count("\n") == 1, errors
    return errors.removeprefix("fastraw: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere:app",), "there is no module 'nowhere'"),
        (("things.more:app",), "there is no module 'things.more'"),
        (("things:nothing",), "the module 'things' has no 'nothing'"),
        (("things:number",), "'things:number' is an int, which cannot be called"),
        (("lacking:app",), "importing 'lacking' fails: ModuleNotFoundError: No module named"),
        (("broken:app",), "importing 'broken' fails: json.decoder.JSONDecodeError: Expecting"),
        (("wrong:app",), "importing 'wrong' fails: SyntaxError: "),
        (("things:anything",), "'things:anything' does not show how it wants to be called; say"),
        (("things:maybe",), "'things:maybe' does not show how it wants to be called"),
        (("things:asynchronous",), "'things:asynchronous' is asynchronous"),
        (("things:asgi",), "'things:asgi' is asynchronous"),
        (("--handler", "things:asynchronous"), "'things:asynchronous' is asynchronous"),
        (("things:asgi_with_three",), "'things:asgi_with_three' takes three arguments, as ASGI"),
        (("things:Class",), "'things:Class' is a class; name an object made of it"),
        (("things:OfRequests",), "'things:OfRequests' is a class; name an object made of it"),
        (("../things:handler",), "'../things' is no name of a module"),
        (("things.py:handler",), "there is no module 'things.py'"),
        (("things",), "'things' is no directory, and no module:name either"),
        (("./nowhere",), "'./nowhere' is no such directory, and no module:name either"),
        (("--wsgi", "--handler", "things:anything"), "--handler: not allowed with argument --wsgi"),
        (("--wsgi", "."), "--wsgi: it says what a module:name is"),
        (("--reload",), "--reload: it watches the code of a module:name"),
        (("--tls-key", "key.pem"), "--tls-key: it goes with --tls-cert"),
        (("--port=0", "--tls-cert", "nowhere.pem"), "cannot read nowhere.pem: No such file"),
        (("--uds", "x.sock", "--port=1"), "--uds: it takes the place of --host and --port"),
        (("--uds", ""), "--uds: a path is needed"),
        (("--uds", "x.sock", "--open"), "--open: a browser finds no Unix socket"),
        (("--access-log", "/nowhere/log"), "--access-log: /nowhere/log: No such file"),
        (("--log-format", "xml"), "--log-format: invalid choice: 'xml'"),
    ],
)
def test_what_cannot_be_served(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    own_process: None,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.syspath_prepend(folder)
    assert says in refusal(capsys, *arguments)


def test_place_of_the_fault_is_named(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    own_process: None,
) -> None:
    monkeypatch.syspath_prepend(folder)
    assert refusal(capsys, "wrong:app").endswith(f"({folder / 'wrong.py'}, line 1)")


def test_more_workers_than_the_system_has_threads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_process: None
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert refusal(capsys, "--port=0", "--workers=9999") == "can't start new thread"


def test_a_second_signal_ends_it_though_a_handler_does_not_return(folder: Path) -> None:
    lines = ("import threading", "def handler(request):", "  print('entered', flush=True)",
             "  threading.Event().wait()")  # fmt: skip
    (folder / "endless.py").write_text("\n".join(lines))
    with serve(folder, "endless:handler") as program, RawClient(program.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("entered")
        os.kill(program.pid, signal.SIGINT)
        assert eventually(lambda: refuses(program.address))
        os.kill(program.pid, signal.SIGINT)
        client.expect_cut()
        assert program.wait() == 0
        assert "Traceback" not in program.output


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # at the very moment of closing
    return False


def test_refusal_as_a_process(folder: Path) -> None:
    with Program(*COMMAND, "things:nothing", folder=folder) as program:
        assert program.wait() == 2
        assert program.output == "fastraw: the module 'things' has no 'nothing'\n"


def test_unix_socket(folder: Path) -> None:
    path = folder / "app.sock"
    with Program(*COMMAND, "--uds", str(path), "things:handler", **in_folder(folder)) as program:
        program.wait_for("Serving on ")
        with RawClient(str(path)) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.response().body == b"a handler"
        assert program.stop() == 0
        assert not path.exists()


def test_tls(folder: Path, authority: Authority) -> None:
    cert, key = authority.issue("127.0.0.1")
    files = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serve(folder, "things:handler", *files) as program:
        url = program.wait_for(r"https://\S+")[0]
        assert httpx.get(url, verify=authority.client(), trust_env=False).text == "a handler"


def test_json_log(folder: Path) -> None:
    with serve(folder, "things:handler", "--log-format=json") as program:
        get(program, "/some?where")
        with RawClient(program.address) as client:
            client.send(b"nonsense\r\n\r\n")
            assert client.response().status == 400
        assert program.stop() == 0
        lines = [json.loads(line) for line in program.output.splitlines()]
    assert [line["level"] for line in lines] == ["info"] * 4
    assert lines[0]["message"].startswith("Serving on http://127.0.0.1:")
    wanted = {
        "logger": "fastraw.access", "client": "127.0.0.1", "method": "GET",
        "target": "/some?where", "version": "HTTP/1.1", "status": 200, "bytes": 9,
    }  # fmt: skip
    assert wanted.items() <= lines[1].items()
    assert lines[1]["milliseconds"] >= 0
    assert {"client": "127.0.0.1", "status": 400}.items() <= lines[2].items()


def test_json_log_of_an_exception(folder: Path) -> None:
    (folder / "failing.py").write_text("def handler(request):\n    raise RuntimeError('oh')\n")
    with serve(folder, "failing:handler", "--log-format=json", "--access-log=off") as program:
        with RawClient(program.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.response().status == 500
        assert program.stop() == 0
        _, line, _ = (json.loads(line) for line in program.output.splitlines())
    assert line["logger"] == "fastraw.error"
    assert "RuntimeError: oh" in line["exception"]


def test_a_log_that_cannot_be_written_changes_nothing(folder: Path) -> None:
    logger = logging.getLogger("fastraw")
    before = logger.level, [*logger.handlers]
    with pytest.raises(OSError, match="directory"):
        log.set_up("text", str(folder))
    assert (logger.level, logger.handlers) == before


def test_access_log_to_a_file(folder: Path) -> None:
    log = folder / "access.log"
    with serve(folder, "things:handler", "--access-log", str(log)) as program:
        get(program)
        assert program.stop() == 0
        assert '"GET / HTTP/1.1" 200' in log.read_text()
        assert "GET" not in program.output


def test_open_shows_it_in_a_browser(folder: Path) -> None:
    opened = folder / "opened"
    script = folder / "browser.py"
    script.write_text(f"import sys; open({str(opened)!r}, 'w').write(sys.argv[1])")
    browser = f"{sys.executable} {script} %s"
    with serve(folder, "things:handler", "--open", BROWSER=browser) as program:
        assert get(program) == "a handler"
        assert eventually(lambda: opened.exists() and opened.read_text())
        assert opened.read_text() == program.url


def test_reload(folder: Path) -> None:
    """The address stays, so the port is one that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    module = folder / "changing.py"
    module.write_text("def handler(request):\n    return 'first'\n")
    arguments = (*COMMAND, f"--port={port}", "--reload", "changing:handler")
    with Program(*arguments, folder=folder, **in_folder(folder)) as program:
        assert get(program) == "first"
        module.write_text("def handler(request):\n    return 'the second'\n")
        assert program.wait_for(r"Serving on [\s\S]*Stopped[\s\S]*Serving on ")
        assert get(program) == "the second"
        assert program.stop() == 0
