"""Spooled content is a file like any other, whether memory or disk has it."""

from __future__ import annotations

import contextlib
import io
import os
import resource

import pytest

from fastraw.spool import SPARE_FILE_BYTES, SPARE_FILES, SpareFiles, Spool

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
    file.close()
    assert spool.open().read(3) == b"0\n1"
    spool.close()


def test_as_much_as_memory_may_take_makes_no_file() -> None:
    spool = Spool(4)
    spool.write(b"four")
    assert isinstance(spool.open(), io.BytesIO)
    spool.write(b"!")
    assert spool.read() == b"four!"
    spool.close()


def test_a_file_that_takes_only_a_part_is_an_error() -> None:
    """The system writes what it has room for, and fails at the next attempt only."""
    spool = Spool(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            spool.write(bytes(10_001))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
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


def spooled(spares: SpareFiles, content: bytes) -> Spool:
    spool = Spool(0, spares)
    spool.write(content)
    return spool


def test_reading_all_moves_no_reader() -> None:
    spool = Spool(0)
    spool.write(b"0123456789" * 10_000)
    reader = spool.open()
    assert reader.read(3) == b"012"
    assert spool.read() == b"0123456789" * 10_000
    assert reader.read() == (b"0123456789" * 10_000)[3:]
    spool.close()


def test_a_file_that_is_used_again_holds_its_own_content_only() -> None:
    spares = SpareFiles()
    first = spooled(spares, b"secret" * 1000)
    descriptor = first.open().fileno
    first.close()
    with pytest.raises(ValueError, match="closed"):
        descriptor()
    for content in (b"a" * 10, b"b" * 3, b"c" * 5000):
        spool = spooled(spares, content)
        assert spool.read() == content
        reader = spool.open()
        assert (reader.read(), reader.seek(0, io.SEEK_END)) == (content, len(content))
        spool.close()
    spares.close()


def test_a_file_is_used_again_unless_somebody_may_have_kept_it() -> None:
    spares = SpareFiles()
    spool = spooled(spares, b"kept")
    kept = os.dup(spool.open().fileno())
    spool.close()
    spooled(spares, b"other").close()
    assert os.pread(kept, 10, 0) == b"kept"
    os.close(kept)
    file = spares.take()
    spares.give(file)
    spool = spooled(spares, b"more")
    assert os.pread(file.fileno(), 4, 0) == b"more"
    spool.close()
    spares.close()
    assert file.closed


def test_what_a_handler_keeps_of_a_reader_is_closed() -> None:
    spares = SpareFiles()
    spool = spooled(spares, b"content")
    reader = spool.open()
    reader.close()
    reader = spool.open()
    assert isinstance(reader, io.BufferedReader)
    raw = reader.detach()
    spool.close()
    assert raw.closed
    for use in (spool.read, spool.open):
        with pytest.raises(ValueError, match="closed"):
            use()
    spool.close()
    spares.close()


def test_what_has_been_detached_from_a_reader_is_of_a_file_that_is_not_used_again() -> None:
    spares = SpareFiles()
    spool = spooled(spares, b"content")
    reader = spool.open()
    assert isinstance(reader, io.BufferedReader)
    kept = reader.detach()
    spool.close()
    assert kept.closed
    with contextlib.closing(spares.take()) as file:
        assert os.fstat(file.fileno()).st_size == 0  # a new one


def test_a_readers_name_is_no_descriptor() -> None:
    with contextlib.closing(Spool(0)) as spool:
        spool.write(b"content")
        assert spool.open().name == "<content>"


@pytest.mark.parametrize("use", ["read", "open"])
def test_a_thread_that_is_left_behind_reads_its_own_content_or_none(
    use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has found the file open when the request is over, and another's content comes."""
    spares = SpareFiles()
    spares.give(file := spares.take())
    spool = spooled(spares, b"own" * 10)
    others: list[Spool] = []
    where = (os, "pread" if use == "read" else "fstat")
    through = getattr(*where)

    def late(*arguments: int) -> object:
        monkeypatch.undo()
        spool.close()
        with pytest.raises(ValueError, match="closed"):
            spool.read()
        assert not file.closed  # one is still there
        others.append(spooled(spares, b"others" * 10))
        return through(*arguments)

    monkeypatch.setattr(*where, late)
    try:
        read = spool.read() if use == "read" else spool.open().read()
    except ValueError:
        read = b""
    assert read in (b"own" * 10, b"")
    assert file.closed
    assert others[0].read() == b"others" * 10
    others[0].close()
    spares.close()


def test_no_more_is_kept_than_a_few_files_of_a_size() -> None:
    spares = SpareFiles()
    taken = [spares.take() for _ in range(SPARE_FILES + 1)]
    taken[0].write(bytes(SPARE_FILE_BYTES + 1))
    for file in taken:
        spares.give(file)
    assert [file.closed for file in taken] == [False] * SPARE_FILES + [True]
    assert os.fstat(taken[0].fileno()).st_size == SPARE_FILE_BYTES
    last = spares.take()
    spares.close()
    spares.give(last)
    assert all(file.closed for file in taken)
