"""What the documentation shows is true: programs run, commands answer as printed, links lead
somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import fastraw
from fastraw import Limits, Timeouts
from tests.program import PATIENCE_SECONDS, PYTHON, ROOT, Program

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROSE = {page.relative_to(ROOT): page.read_text(encoding="utf-8") for page in PAGES}

DEPLOYMENT = PROSE[Path("docs/deployment.md")]
TABLES = PROSE[Path("docs/embedding.md")]

Block = tuple[str, str]


def blocks(text: str) -> list[Block]:
    """(language, content) of each fenced block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def after(block: Block, text: str) -> Block:
    """The block behind another one; empty at the end."""
    every = [*blocks(text), ("", "")]
    return every[every.index(block) + 1]


def exchanges(console: str) -> list[tuple[str, str]]:
    """(command, output) of each `$` line."""
    pairs = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
    return [(command, output.strip()) for command, output in pairs]


def make_certificate(folder: Path) -> None:
    """As docs/tls.md says."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl; on Debian: apt-get install openssl")
    (command,) = (text for kind, text in EVERY if text.startswith("openssl req"))
    subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True)


EVERY = [block for prose in PROSE.values() for block in blocks(prose)]
# docs/from_scratch.md shows programs that are files, and run as such in test_examples.py.
PROGRAMS = [
    pytest.param(block, after(block, prose), id=f"{page.stem}-{number}")
    for page, prose in PROSE.items()
    if page.name != "from_scratch.md"
    for number, block in enumerate(blocks(prose))
    if block[0] == "python"
]
SHELL_LINES = [line for kind, block in EVERY if kind == "sh" for line in block.splitlines()]


def test_the_blocks_are_found() -> None:
    assert len(PROGRAMS) >= 20
    assert sum(kind == "console" for kind, _ in EVERY) >= 10
    assert "make serve" in SHELL_LINES


@pytest.mark.parametrize(("block", "behind"), PROGRAMS)
def test_program(block: Block, behind: Block, tmp_path: Path) -> None:
    """It ends well by itself, or it serves and what follows it happens as printed."""
    path = tmp_path / "program.py"
    text = block[1].replace("port=7878", "port=0")
    if '"cert.pem"' in text:
        make_certificate(tmp_path)
        for name in ("cert.pem", "key.pem"):
            text = text.replace(f'"{name}"', repr(str(tmp_path / name)))
    path.write_text(text, encoding="utf-8")
    kind, console = behind
    with Program(*PYTHON, path) as program:
        if kind != "console":
            assert program.wait() == 0, program.output
            assert program.output.strip()
            return
        for command, output in exchanges(console):
            run = subprocess.run(
                shlex.split(re.sub(r"https?://127\.0\.0\.1:7878", program.url, command)),
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=True,
            )
            assert run.stdout.strip() == output
        if os.name == "posix":
            assert program.stop() == 0, program.output


@pytest.mark.parametrize(
    "line", [line for line in SHELL_LINES if re.search(r"(^|-m )fastraw\b", line)]
)
def test_command_line(line: str) -> None:
    """Each one serves; here on a free port, and on a loopback address where it says everywhere."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    words = shlex.split(line)
    environment = dict(word.split("=") for word in words if "=" in word)
    arguments = words[words.index("fastraw") + 1 :]
    settings = {**environment, **dict(zip(arguments[::2], arguments[1::2], strict=True))}
    for name in settings.keys() & {"FASTRAW_HOST", "--host"}:
        settings[name] = loopback[settings[name]]
    for name in settings.keys() & {"FASTRAW_PORT", "--port"}:
        assert 0 < int(settings[name]) < 65536
    settings["--port"] = "0"
    flags = [word for name in settings if name[0] == "-" for word in (name, settings[name])]
    variables = {name: settings[name] for name in settings if name[0] != "-"}
    with Program(*PYTHON, "-m", "fastraw", *flags, **variables) as program:
        host = settings.get("--host", settings.get("FASTRAW_HOST", "127.0.0.1"))
        assert program.address[0] == host


TARGETS = [
    command
    for kind, text in EVERY
    for command, _ in exchanges(text)
    if kind == "console" and command.startswith("fastraw ")
]


@pytest.mark.parametrize("command", TARGETS)
def test_target(command: str, tmp_path: Path) -> None:
    """Each one serves, from a folder with what it names."""
    (tmp_path / "public").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web.py").write_text("def app(request):\n    return 'a shop'\n")
    make_certificate(tmp_path)
    arguments = shlex.split(command)[1:]
    with Program(
        *PYTHON, "-m", "fastraw", *arguments, "--port=0", folder=tmp_path, BROWSER="true"
    ) as program:
        scheme = "https" if "--tls-cert" in arguments else "http"
        program.wait_for(rf"Serving on {scheme}://127\.0\.0\.1:\d+")
        assert program.stop() == 0, program.output


def test_targets_are_found() -> None:
    assert len(TARGETS) >= 3


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze; on Debian: apt-get install systemd")
    units = re.findall(r"^# (app\.\w+)\n(.*?)^```$", DEPLOYMENT, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in units] == ["app.socket", "app.service"]
    for name, text in units:
        # It looks whether there is such a program.
        (tmp_path / name).write_text(text.replace("/srv/app/.venv/bin/python", sys.executable))
    run = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / name for name, _ in units)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_example_for_pytest(tmp_path: Path) -> None:
    (text,) = (text for kind, text in EVERY if kind == "py")
    (tmp_path / "test_it.py").write_text(text)
    run = subprocess.run(
        [*PYTHON, "-m", "pytest", "-q", "-p", "fastraw.pytest_plugin", str(tmp_path)],
        cwd=tmp_path,
        # Whether fastraw, and with it the plugin, is installed or not.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize("line", [line for line in SHELL_LINES if line.startswith("make ")])
def test_make_target_exists(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_from_scratch_shows_the_programs_as_they_are() -> None:
    shown = [text for kind, text in blocks(PROSE[Path("docs/from_scratch.md")]) if kind == "python"]
    steps = sorted((ROOT / "examples" / "from_scratch").glob("*.py"))
    assert shown == [step.read_text(encoding="utf-8") for step in steps]


@pytest.mark.parametrize("limits", [Limits(), Timeouts()], ids=["Limits", "Timeouts"])
def test_defaults_are_as_documented(limits: Limits | Timeouts) -> None:
    for field in fields(limits):
        row = re.search(rf"^\| `{field.name}` \| ([0-9,]+|[^|]*)", TABLES, re.MULTILINE)
        assert row is not None, field.name
        shown = row[1].split()[0].rstrip(",").replace(",", "")
        default = getattr(limits, field.name)
        assert shown == "none" if default is None else float(shown) == default


def test_every_public_name_is_in_the_reference() -> None:
    shown = set(re.findall(r"\bfastraw\.(\w+)$", PROSE[Path("docs/api.md")], re.MULTILINE))
    assert set(fastraw.__all__) <= shown | {"__version__"}


@pytest.mark.parametrize("page", PROSE, ids=str)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PROSE[page]):
        assert (ROOT / page.parent / target).exists(), target
