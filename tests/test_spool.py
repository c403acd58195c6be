"""Spooled content is a file like any other, whether memory or disk has it."""

from __future__ import annotations

import io

import pytest

from fastraw.spool import Spool

LINES = [b"%d\n" % number for number in range(1000)]


@pytest.mark.parametrize("memory_bytes", [None, 0, 100], ids=["memory", "disk", "both"])
def test_reading(memory_bytes: int | None) -> None:
    spool = Spool(memory_bytes)
    for line in LINES:
        spool.write(line)
    assert spool.size == len(b"".join(LINES))
    assert list(spool.open()) == LINES
    file = spool.open()
    assert file.readline() == LINES[0]
    assert spool.read() == b"".join(LINES)
    assert spool.open().read(3) == b"0\n1"
    spool.close()


def test_lines_of_a_spooled_file_cost_no_call_an_octet() -> None:
    spool = Spool(0)
    spool.write(b"line\n")
    assert isinstance(spool.open(), io.BufferedReader)
    spool.close()


def test_closing_gives_the_file_back() -> None:
    spool = Spool(0)
    spool.write(b"x")
    reader = spool.open()
    spool.close()
    assert reader.closed
    with pytest.raises(ValueError, match="closed"):
        spool.open()
