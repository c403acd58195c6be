"""The package as others get it: what an sdist and a wheel hold, and that they install anywhere.

sources       a copy of the checkout, without what was built in it
  -> sdist    -> wheel built from it -> installed where there is nothing else
  -> wheels   built with no compiler, and as FASTRAW_BUILD_EXTENSION says

Nothing is downloaded: setuptools and Cython are those of this environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import fastraw
from tests.program import ROOT

BUILT = shutil.ignore_patterns(
    *(".*", "build", "dist", "wheelhouse", "*.egg-info", "__pycache__"),
    *("*.so", "*.pyd", "_parse.c", "_wsgi.c", "htmlcov", "node_modules", "corpus"),
)
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false", "LDSHARED": "/bin/false"}

posix = pytest.mark.skipif(os.name != "posix", reason="CC names no compiler on this system")


def python(
    *arguments: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter; output and errors together, as they came."""
    # Neither our own variables, nor those that measure the coverage of what is run.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FASTRAW_", "COV"))
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def build(sources: Path, output: Path, *what: str, **environment: str) -> str:
    """What `python -m build` says, once it has succeeded."""
    command = ("-m", "build", "--no-isolation", "--outdir", output, *what)
    done = python(*command, cwd=sources, **environment)
    assert done.returncode == 0, done.stdout
    return done.stdout


def names(wheel: Path) -> set[str]:
    """The files of the package in a wheel, relative to it."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.removeprefix("fastraw/")
            for name in archive.namelist()
            if name.startswith("fastraw/")
        }


def sources_of_package() -> set[str]:
    """What a wheel holds whether or not an extension was built."""
    package = ROOT / "fastraw"
    return {
        path.relative_to(package).as_posix()
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in package.rglob(pattern)
    }


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packaging") / "fastraw"
    shutil.copytree(ROOT, folder, ignore=BUILT)
    return folder


@pytest.fixture(scope="module")
def dist(sources: Path) -> Path:
    """An sdist, and the wheel that was built from it and from nothing else."""
    folder = sources.parent / "dist"
    build(sources, folder, FASTRAW_BUILD_EXTENSION="yes")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, sources: Path) -> Path:
    """The scripts of an environment that holds the wheel, and not even pip."""
    folder = sources.parent / "empty"
    for command in (
        ("-m", "venv", "--without-pip", folder),
        ("-m", "pip", "--python", folder, "install", "--no-index", "--no-compile", wheel),
    ):
        done = python(*command, cwd=sources.parent)
        assert done.returncode == 0, done.stdout
    return folder / ("Scripts" if os.name == "nt" else "bin")


def test_sdist_has_all_that_builds_tests_and_explains(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames() if "/" in name}
    assert {
        *("pyproject.toml", "setup.py", "Makefile", "README.md", "CHANGELOG.md", "LICENSE"),
        *(
            *("fastraw/_parse.pyx", "fastraw/apps/pep3333/_wsgi.pyx"),
            *("fastraw/_octets.h", "fastraw/_known.h", "fastraw/_scan.h", "fastraw/_reuse.h"),
            *(
                f"fastraw/_{part}.pxi"
                for part in ("names", "head", "framing", "chunks", "environ", "message")
            ),
        ),
        *("tests/conftest.py", "bench/server.py"),
        *("tests/wire/README.md", "bench/lua/report.lua", "docs/README.md", "examples/hello.py"),
    } <= found
    assert {f"fastraw/{name}" for name in sources_of_package()} <= found
    made = {
        name for name in found if name.endswith((".so", ".pyd", ".pyc", "/_parse.c", "/_wsgi.c"))
    }
    assert not made


def test_wheel_has_the_package_its_types_and_its_extensions(wheel: Path) -> None:
    assert names(wheel) == sources_of_package() | {f"_parse{SUFFIX}", f"apps/pep3333/_wsgi{SUFFIX}"}
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    version = fastraw.__version__
    assert tops == {"fastraw", f"fastraw-{version}.dist-info"}


def test_wheel_depends_on_nothing(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(path).decode())
    assert metadata["Version"] == fastraw.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    requirements = metadata.get_all("Requires-Dist", [])
    assert requirements
    assert [each for each in requirements if "extra ==" not in each] == []
    assert {"test", "bench", "dev"} <= set(metadata.get_all("Provides-Extra", []))


def test_installed_alone_it_serves(installed: Path) -> None:
    code = (
        "import fastraw, urllib.request\n"
        "with fastraw.FastServer(lambda request: fastraw.IMPLEMENTATION, port=0) as server:\n"
        "    print(urllib.request.urlopen(server.url).read().decode())\n"
    )
    run = [installed / "python", "-I", "-W", "error", "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "FASTRAW_PURE"}
    answer = subprocess.check_output(run, cwd=installed, env=environment, text=True)
    assert answer == "extension\n"


def test_installed_alone_it_has_its_command(installed: Path) -> None:
    script = shutil.which("fastraw", path=str(installed))
    assert script is not None
    assert "usage: fastraw" in subprocess.check_output([script, "--help"], text=True)


@posix
def test_without_a_compiler_it_warns_and_leaves_the_extension_out(
    sources: Path, tmp_path: Path
) -> None:
    said = build(sources, tmp_path, "--wheel", **NO_COMPILER)
    assert 'building extension "fastraw._parse" failed' in said
    (wheel,) = tmp_path.glob("*.whl")
    assert names(wheel) == sources_of_package()


@posix
def test_without_a_compiler_it_fails_where_the_extension_is_asked_for(
    sources: Path, tmp_path: Path
) -> None:
    command = ("setup.py", "build_ext", "--build-lib", tmp_path, "--build-temp", tmp_path)
    done = python(*command, cwd=sources, FASTRAW_BUILD_EXTENSION="yes", **NO_COMPILER)
    assert done.returncode == 1
    assert re.search(r"^error: .*'/bin/false'", done.stdout, re.MULTILINE | re.IGNORECASE)


def test_without_the_extension_the_wheel_is_for_every_system(sources: Path, tmp_path: Path) -> None:
    build(sources, tmp_path, "--wheel", FASTRAW_BUILD_EXTENSION="no")
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert names(wheel) == sources_of_package()


def test_an_unknown_choice_is_refused(sources: Path) -> None:
    done = python("setup.py", "--name", cwd=sources, FASTRAW_BUILD_EXTENSION="perhaps")
    assert done.returncode == 1
    assert "FASTRAW_BUILD_EXTENSION must be yes, no or empty, not 'perhaps'" in done.stdout
