"""The house: who may import whom, what each module may know, and the public names."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import sysconfig
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fastraw

PACKAGE = Path(fastraw.__file__).parent

# The floors, from the ground up: a module imports from floors below its own, and the modules of
# `engine` and `apps` from each other.
FLOORS = (
    *("errors", "arguments", "limits", "faults", "headers", "fields", "dates", "file"),
    *("_environ_py", "grammar", "_head_py", "_chunks_py", "_unfinished_py"),
    *("_parse_py", "_message_py", "_parse", "parse", "spool", "cookies", "jsoncontent"),
    *("parameters", "forms", "multipart", "request", "response", "route", "body", "encode"),
    *("engine", "running", "server", "apps"),
    *("", "testing", "pytest_plugin", "command", "__main__"),
)
MESSAGES = FLOORS[: FLOORS.index("engine")]
OUTSIDE_WORLD = frozenset(
    ("asyncio", "concurrent", "select", "selectors", "signal", "socket", "ssl", "threading", "time")
)
# What is slow to import and of no use to a server at its start.
HEAVY = frozenset(
    (
        *("argparse", "asyncio", "Cython", "ctypes", "email.utils", "tempfile", "html"),
        *("http.client", "http.server", "multiprocessing", "ssl", "unittest", "uuid", "xml"),
    )
)

PUBLIC = [
    "BindError",
    "Broadcast",
    "ClientDisconnected",
    "EventStream",
    "FastServer",
    "FastrawError",
    "HTTPError",
    "Head",
    "Headers",
    "IMPLEMENTATION",
    "Limits",
    "ParseError",
    "Request",
    "Response",
    "Router",
    "StaticFiles",
    "Stats",
    "StopReport",
    "TLS",
    "Timeouts",
    "WSGI",
    "compose",
    "parse_head",
]


def module_name(path: Path) -> str:
    """`engine.poller` for fastraw/engine/poller.py; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


SOURCES = {
    module_name(path): path for path in sorted((*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")))
}


def imports(path: Path) -> set[str]:
    """All that a source imports, absolute; for typing only, too."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":
        statements = re.findall(r"^(?:from \S+ )?c?import (?:\([^)]*\)|.*)", text, re.MULTILINE)
        text = "\n".join(statements).replace("cimport", "import")
    package = [*path.relative_to(PACKAGE.parent).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found.add(origin)
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return found


def own_imports(name: str) -> set[str]:
    """The modules of fastraw among the imports of one of them."""
    inside = {
        origin.removeprefix("fastraw").removeprefix(".")
        for origin in imports(SOURCES[name])
        if origin.partition(".")[0] == "fastraw"
    }
    return {origin for origin in inside if origin in SOURCES} - {name} - {name.rpartition(".")[0]}


def floor(name: str) -> int:
    return FLOORS.index(name.partition(".")[0])


def test_the_walk_sees_the_imports() -> None:
    assert "engine.connection" in own_imports("running")
    assert {"errors", "headers", "faults"} <= own_imports("_parse")
    assert "socket" in imports(SOURCES["running"])


@pytest.mark.parametrize("name", SOURCES)
def test_imports_point_down(name: str) -> None:
    for origin in own_imports(name):
        same_folder = "." in name and name.partition(".")[0] == origin.partition(".")[0]
        assert same_folder or floor(origin) < floor(name), f"{name} imports {origin}"


def test_no_import_goes_round() -> None:
    list(TopologicalSorter({name: own_imports(name) for name in SOURCES}).static_order())


@pytest.mark.parametrize("name", [name for name in SOURCES if name in MESSAGES])
def test_messages_know_no_socket_no_thread_no_clock(name: str) -> None:
    origins = imports(SOURCES[name])
    if "time.gmtime" in origins:  # arithmetic, which asks no clock
        origins -= {"time", "time.gmtime"}
    assert not {origin.partition(".")[0] for origin in origins} & OUTSIDE_WORLD


def run(code: str) -> str:
    """What a fresh interpreter prints that has loaded nothing but the standard library."""
    setup = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", setup + code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


# Not what the others are made of, nor what belongs to pytest.
ALONE = [name for name in SOURCES if name not in ("", "_parse", "pytest_plugin")]


@pytest.mark.parametrize("name", ALONE)
def test_each_module_imports_alone(name: str) -> None:
    """Without fastraw/__init__.py, which would import the others in an order that works."""
    package = [str(PACKAGE)]
    output = run(
        "import importlib, types\n"
        "package = sys.modules['fastraw'] = types.ModuleType('fastraw')\n"
        f"package.__path__, package.__version__ = {package!r}, ''\n"
        f"print(importlib.import_module('fastraw.{name}').__name__)\n"
    )
    assert output == f"fastraw.{name}\n"


def test_import_loads_nothing_heavy() -> None:
    assert "fastraw.errors" not in run("import fastraw; print(*sys.modules)").split()
    loaded = set(run("from fastraw import FastServer; print(*sys.modules)").split())
    assert "fastraw.server" in loaded
    assert not loaded & HEAVY


def test_import_leaves_the_gil_as_it_is() -> None:
    code = "print(getattr(sys, '_is_gil_enabled', lambda: True)())\n"
    before, after = run(f"{code}import fastraw\n{code}").split()
    assert before == after


def test_implementation_is_the_one_asked_for() -> None:
    pure = os.environ.get("FASTRAW_PURE", "") not in ("", "0")
    built = (PACKAGE / f"_parse{sysconfig.get_config_var('EXT_SUFFIX')}").exists()
    chosen = fastraw.IMPLEMENTATION
    assert chosen == ("extension" if built and not pure else "python")


def test_public_names() -> None:
    assert sorted(fastraw.__all__) == sorted(fastraw._ORIGINS) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(fastraw))
    for name in PUBLIC:
        assert getattr(fastraw, name) is not None


def test_public_signatures() -> None:
    server = inspect.signature(fastraw.FastServer)
    assert [
        (parameter.name, parameter.default)
        for parameter in server.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ] == [
        ("host", "127.0.0.1"),
        ("port", 7878),
        ("uds", None),
        ("fd", None),
        ("workers", None),
        ("limits", fastraw.Limits()),
        ("timeouts", fastraw.Timeouts()),
        ("tls", None),
    ]
    assert next(iter(server.parameters)) == "handler"
    response = inspect.signature(fastraw.Response)
    assert list(response.parameters) == ["body", "status", "headers", "content_type"]
