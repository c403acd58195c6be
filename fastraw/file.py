"""Pieces of open files as content: sent by the kernel where it can, read where it must be.

Response.file -> FileContent -> FileSlice -> os.sendfile (plain TCP), or read() (TLS, gzip, chunks)
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

# Read at once where the octets have to pass through Python.
PIECE_BYTES = 256 * 1024


class FileSlice:
    """`count` octets of an open regular file, from `offset` on; a piece of a streamed response.

    Counts and slices like the octets it stands for, but holds none of them, and does not own the
    file. The file's own position is not used.

    Raises ValueError for a negative offset or count.
    """

    __slots__ = ("count", "file", "offset")

    def __init__(self, file: BinaryIO, offset: int, count: int) -> None:
        if offset < 0 or count < 0:
            raise ValueError(f"offset and count must not be negative, not {offset} and {count}")
        self.file = file
        self.offset = offset
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> FileSlice:
        start, stop, step = part.indices(self.count)
        if step != 1:
            raise ValueError("a file slice has no step")
        return FileSlice(self.file, self.offset + start, max(0, stop - start))

    def read(self) -> bytes:
        """All of its octets; EOFError when the file has become too short."""
        data = _read_at(self.file, self.offset, self.count)
        if len(data) != self.count:
            raise EOFError("the file has become shorter while it was sent")
        return data

    def pieces(self) -> Iterator[bytes]:
        """Its octets in pieces of at most PIECE_BYTES; EOFError as above."""
        for start in range(0, self.count, PIECE_BYTES):
            yield self[start : start + PIECE_BYTES].read()

    def __repr__(self) -> str:
        return f"FileSlice(offset={self.offset}, count={self.count})"


class FileContent:
    """The iterable of a response that is one slice of a file, which is closed with it."""

    def __init__(self, file: BinaryIO, offset: int, count: int) -> None:
        self._slice = FileSlice(file, offset, count)

    def __iter__(self) -> Iterator[FileSlice]:
        return iter((self._slice,))

    def close(self) -> None:
        self._slice.file.close()


def open_regular(path: str | os.PathLike[str]) -> tuple[BinaryIO, int]:
    """A file open for reading, unbuffered, and its size in octets.

    Raises OSError when it cannot be opened, ValueError when it is no regular file: a FIFO or a
    device could keep a reader waiting for ever, and is not even waited for here.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ValueError(f"{os.fspath(path)!r} is not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0), status.st_size


def media_type_of(name: str) -> str:
    """The media type that a file name's ending stands for; text is taken to be in UTF-8."""
    found, encoding = mimetypes.guess_type(name)
    if found is None or encoding is not None:
        return "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    if not hasattr(os, "pread"):  # Windows; a slice's file is used by one thread at a time
        file.seek(offset)
        return file.read(count)
    data = os.pread(file.fileno(), count, offset)
    if len(data) == count:
        return data
    pieces = [data]
    while data and (missing := count - sum(map(len, pieces))):
        data = os.pread(file.fileno(), missing, offset + count - missing)
        pieces.append(data)
    return b"".join(pieces)
