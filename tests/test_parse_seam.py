"""Which parser is chosen, and that the two are one thing to whoever uses them."""

from __future__ import annotations

import copy
import gc
import importlib.util
import inspect
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import fastraw
from fastraw import Headers
from tests.parsers import PURE, each_parser, implementation

OCTETS = b"GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n\r\n"
PACKAGE = Path(fastraw.__file__).parent
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


def chosen(directory: Path, pure: str | None = None) -> subprocess.CompletedProcess[str]:
    """Import fastraw from a directory, and print what it chose.

    Without site: where fastraw is installed editable, a finder adds the modules of the checkout.
    """
    environment = {key: value for key, value in os.environ.items() if key != "FASTRAW_PURE"}
    if pure is not None:
        environment["FASTRAW_PURE"] = pure
    return subprocess.run(
        [sys.executable, "-S", "-c", "import fastraw; print(fastraw.IMPLEMENTATION)"],
        check=False, cwd=directory, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the package without the extension."""
    for path in PACKAGE.rglob("*.py"):
        target = tmp_path / "fastraw" / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("pure", "implementation"),
    [(None, "extension"), ("", "extension"), ("0", "extension"), ("1", "python"), ("x", "python")],
)
def test_environment(pure: str | None, implementation: str) -> None:
    if PURE and implementation == "extension":
        implementation = "extension" if importlib.util.find_spec("fastraw._parse") else "python"
    ran = chosen(PACKAGE.parent, pure)
    assert (ran.stdout, ran.stderr) == (f"{implementation}\n", "")


def test_missing_extension_falls_back(sources: Path) -> None:
    ran = chosen(sources)
    assert (ran.stdout, ran.stderr) == ("python\n", "")


def test_broken_extension_shows_its_own_error(sources: Path) -> None:
    (sources / "fastraw" / f"_parse{SUFFIX}").write_bytes(b"no shared object")
    ran = chosen(sources)
    assert ran.returncode == 1
    assert "ImportError" in ran.stderr
    assert f"_parse{SUFFIX}" in ran.stderr
    assert chosen(sources, "1").stdout == "python\n"


@each_parser
def test_looks_like_its_twin(name: str) -> None:
    extension, twin = implementation(name), implementation("_parse_py")
    names = {name for name in dir(extension.Head) if name[0] != "_"}
    assert names == {name for name in dir(twin.Head) if name[0] != "_"}
    for name in ("parse_head", "take_chunks", "Head"):
        ours, theirs = getattr(extension, name), getattr(twin, name)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs)
        if name != "Head":
            assert list(inspect.signature(ours).parameters) == list(
                inspect.signature(theirs).parameters
            )


@each_parser
def test_head(name: str) -> None:
    module = implementation(name)
    head = module.parse_head(OCTETS)
    assert type(head) is module.Head
    assert repr(head) == "<Head GET /a HTTP/1.1>"
    assert isinstance(head.headers, Headers)
    assert head.headers is head.headers
    assert head.target is head.target
    assert head.headers.get_all("X") == ["1", "2"]
    assert (head.chunked, head.keep_alive, head.expect_continue) == (False, True, False)
    assert type(head.minor_version) is type(head.size) is int
    with pytest.raises(TypeError, match="made by parse_head"):
        module.Head()
    with pytest.raises(AttributeError):
        head.anything = 1


@each_parser
def test_headers_can_be_changed(name: str) -> None:
    head = implementation(name).parse_head(OCTETS)
    head.headers["X"] = "3"
    assert head.headers.items() == [("Host", "a"), ("X", "3")]
    assert copy.copy(head.headers).items() == head.headers.items()


@each_parser
def test_a_head_keeps_what_it_was_made_of(name: str) -> None:
    buffer = bytearray(OCTETS)
    head = implementation(name).parse_head(buffer)
    buffer[:] = b"x" * 2 * len(buffer)
    buffer.clear()
    assert head.target == "/a"
    assert head.headers.items() == [("Host", "a"), ("X", "1"), ("x", "2")]


@each_parser
def test_nothing_is_leaked(name: str) -> None:
    """Each kind of head and fault, over and over: no block of memory more than before."""
    module = implementation(name)
    many = OCTETS[:-2] + b"".join(b"Y-%d: \xff%d\r\n" % (n, n) for n in range(100)) + b"\r\n"
    absolute = OCTETS.replace(b"/a", b"http://b/a")
    kept = b"Connection: upgrade, x\r\nUpgrade: a\r\nExpect: 100-continue\r\n\r\n"
    heads = (OCTETS, many, absolute, bytearray(absolute), OCTETS[:-2] + kept, OCTETS[:-1])
    faulty = (b"x\r\n", OCTETS.replace(b"Host", b"Cost"), OCTETS[:-2] + b"Host: a\r\n\r\n")

    def work() -> None:
        for octets in heads:
            head = module.parse_head(octets)
            if head is not None:
                repr((head, head.headers, head.upgrade))
        for octets in faulty:
            with pytest.raises(fastraw.ParseError):
                module.parse_head(octets)
        module.take_chunks(b"3\r\nabc\r\n0\r\n\r\n", 0, 100)

    def blocks() -> int:
        gc.collect()
        return sys.getallocatedblocks()

    for _ in range(3):
        work()
    before = blocks()
    for _ in range(300):
        work()
    assert blocks() - before < 100
