"""The work of a head that comes one octet at a time is linear in its length: counted, not timed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import fastraw
from fastraw import Limits, _parse_py, _unfinished_py

COMPILER = shutil.which("gcc") or shutil.which("clang")
SOURCE = Path(__file__).with_name("scan_work.c")
INCLUDE = Path(fastraw.__file__).parent
MOST = 2.2  # of the work, for twice the length

# Length by kind: a long target, value, name, value of blanks; many lines, with a limit beyond
# those that are counted each time one ends.
LENGTHS = {"t": 4000, "v": 4000, "n": 4000, "b": 4000, "l": 20_000}


@pytest.mark.skipif(COMPILER is None, reason="no C compiler: apt-get install gcc")
def test_the_scanner(tmp_path: Path) -> None:
    program = tmp_path / "scan_work"
    command = [COMPILER, "-w", "-O1", "-fsanitize-coverage=trace-pc", f"-I{INCLUDE}"]
    subprocess.run([*map(str, command), str(SOURCE), "-o", str(program)], check=True, timeout=60)
    for kind, length in LENGTHS.items():
        asked = [f"{kind}{length}", f"{kind}{2 * length}"]
        ran = subprocess.run([program, *asked], check=True, capture_output=True, timeout=60)
        once, twice = map(int, ran.stdout.split())
        assert length < once
        assert twice < MOST * once, kind


class Counted(bytearray):
    """Counts the octets that it is asked to look at."""

    work = 0

    def look(self, start: int, end: int | None) -> None:
        self.work += 1 + max(0, min(len(self), len(self) if end is None else end) - start)

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        found = super().find(sub, start, len(self) if end is None else end)
        self.look(start, end if found < 0 else found + len(sub))
        return found

    def rfind(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        stop = len(self) if end is None else end
        found = super().rfind(sub, start, stop)
        self.look(max(start, found), stop)
        return found

    def count(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]
        self.look(start, None)
        return super().count(sub, start)

    def __getitem__(self, key: object) -> object:  # type: ignore[override]
        if isinstance(key, slice):
            self.look(key.start or 0, key.stop)
        return super().__getitem__(key)  # type: ignore[index]


def head_of(kind: str, length: int) -> bytes:
    part = b"a" * length
    lines = {
        "v": b"X: " + part + b"\r\n",
        "n": part + b": 1\r\n",
        "b": b"X: " + b" " * length + b"\r\n",
        "l": b"A: bcd\r\n" * (length // 8),
    }
    target = b"/" + (part if kind == "t" else b"")
    return b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + lines.get(kind, b"") + b"\r\n"


def work_of(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the twin looks at when these octets come one at a time."""
    buffer = Counted()
    field_lines = _unfinished_py._field_lines

    def counted(data: Counted, start: int, end: int) -> object:
        data.look(start, end)
        return field_lines(data, start, end)

    monkeypatch.setattr(_unfinished_py, "_field_lines", counted)
    limits = Limits(request_line_bytes=None, head_bytes=None, field_lines=None)
    head = None
    for seen, octet in enumerate(octets):
        buffer.append(octet)
        assert head is None
        head = _parse_py.parse_head(buffer, 0, seen, limits)
    monkeypatch.undo()
    assert head is not None
    return buffer.work


@pytest.mark.parametrize("kind", LENGTHS)
def test_the_twin(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    length = LENGTHS[kind]
    once, twice = (work_of(head_of(kind, size), monkeypatch) for size in (length, 2 * length))
    assert length < once
    assert twice < MOST * once


@pytest.mark.parametrize("end", ["\n", "\r \n", "\r\r\n"])
def test_white_space_in_a_bad_line(end: str) -> None:
    """The patterns of the twin try a malformed line in a number of ways that does not grow: with
    one more for each blank, 60,000 of them would take minutes."""
    octets = ("GET / HTTP/1.1\r\nHost: a\r\nX:" + " \t" * 30_000 + end + "\r\n\r\n").encode()
    with pytest.raises(fastraw.ParseError):
        _parse_py.parse_head(octets)
    patterns = (_parse_py._find_fields.__self__, _parse_py._request_line.__self__)  # type: ignore[attr-defined]
    for pattern in patterns:
        assert not re.search(r"\[ \\t\]\*", pattern.pattern)
