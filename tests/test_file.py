"""FileSlice: octets of an open file that count and slice like the octets themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from fastraw import file as file_module
from fastraw.file import PIECE_BYTES, FileContent, FileSlice, media_type_of, open_regular

OCTETS = bytes(range(256)) * 2400  # more than two pieces


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    path = tmp_path / "octets"
    path.write_bytes(OCTETS)
    opened, size = open_regular(path)
    assert size == len(OCTETS)
    with opened:
        yield opened


@pytest.mark.parametrize("has_pread", [True, False])
def test_it_is_like_the_octets(
    file: BinaryIO, has_pread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_pread:  # as on Windows
        monkeypatch.delattr(os, "pread")
    whole = FileSlice(file, 0, len(OCTETS))
    assert len(whole) == len(OCTETS)
    assert whole.read() == OCTETS
    assert b"".join(whole.pieces()) == OCTETS
    assert [len(piece) for piece in whole.pieces()] == [
        PIECE_BYTES, PIECE_BYTES, len(OCTETS) - 2 * PIECE_BYTES,
    ]  # fmt: skip
    for part in (slice(5), slice(5, 9), slice(-7, None), slice(3, -3), slice(9, 5), slice(2, 9**9)):
        assert whole[part].read() == OCTETS[part]
        assert whole[100:][part].read() == OCTETS[100:][part]
    assert repr(whole[5:9]) == "FileSlice(offset=5, count=4)"


def test_what_cannot_be(file: BinaryIO) -> None:
    for offset, count in ((-1, 5), (0, -1)):
        message = f"^offset and count must not be negative, not {offset} and {count}$"
        with pytest.raises(ValueError, match=message):
            FileSlice(file, offset, count)
    with pytest.raises(ValueError, match="a file slice has no step"):
        FileSlice(file, 0, 9)[::2]


def test_a_file_that_has_become_shorter(file: BinaryIO) -> None:
    with pytest.raises(EOFError, match="shorter"):
        FileSlice(file, 0, len(OCTETS) + 1).read()
    with pytest.raises(EOFError, match="shorter"):
        list(FileSlice(file, len(OCTETS), PIECE_BYTES + 1).pieces())


def test_a_read_that_gives_less_is_gone_on_with(
    file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread
    monkeypatch.setattr(
        file_module.os, "pread", lambda fd, count, offset: pread(fd, min(count, 100_000), offset)
    )
    assert FileSlice(file, 1, len(OCTETS) - 1).read() == OCTETS[1:]


def test_content_is_closed_with_its_file(file: BinaryIO) -> None:
    content = FileContent(file, 0, 5)
    assert [piece.read() for piece in content] == [OCTETS[:5]]
    content.close()
    assert file.closed


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path(os.devnull)):
        with pytest.raises(ValueError, match="is not a regular file"):
            open_regular(path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_types(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
