"""A request's content while it arrives: in memory, and beyond a limit in a temporary file.

A file is used again, since to write over pages that the system has takes a quarter of what new ones
take. For this

1. what is handed out holds this content and no more: it ends where that ends (`Spool.open`);
2. nothing reads it after `Spool.close`: what is handed out is closed by then, and a file whose
   descriptor somebody has asked for, and may have kept, is not used again (`_Lent`);
3. no more is kept than SpareFiles says, and nothing once the server has stopped.
"""

from __future__ import annotations

import contextlib
import io
import os
from importlib import import_module
from typing import BinaryIO

from .file import FileSlice

# What is kept of disk and descriptors: as much as a burst of uploads needs, and no disk misses.
SPARE_FILES = 16
SPARE_FILE_BYTES = 1024 * 1024


class SpareFiles:
    """Temporary files that wait for the next content. From any thread."""

    def __init__(self) -> None:
        self._files: list[io.FileIO] = []
        self._closed = False

    def take(self) -> io.FileIO:
        """An unnamed temporary file, at its start; what it still holds is to be written over."""
        try:
            file = self._files.pop()
        except IndexError:
            return new_file()
        file.seek(0)
        return file

    def give(self, file: io.FileIO) -> None:
        """Take a file back, which nobody else has a hold of any more."""
        if len(self._files) >= SPARE_FILES:
            file.close()
            return
        if os.fstat(file.fileno()).st_size > SPARE_FILE_BYTES:
            file.truncate(SPARE_FILE_BYTES)
        self._files.append(file)
        if self._closed:  # looked at last, since `close` sets it first
            self.close()

    def close(self) -> None:
        """Close them, and those that are given back later."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._files.pop().close()


def new_file() -> io.FileIO:
    """Unbuffered: what has been written is in the file, or the write has failed."""
    # Imported when it is first needed: it brings half of the standard library with it.
    file = import_module("tempfile").TemporaryFile(buffering=0)
    assert isinstance(file, io.FileIO)
    return file


class _Lent(io.FileIO):
    """A file by the descriptor of another, which stays open when this one is closed."""

    shared = False
    """Somebody has the descriptor, to duplicate it, to map it, or for another process."""

    def __init__(self, owner: io.FileIO) -> None:
        super().__init__(owner.fileno(), "rb", closefd=False)

    def fileno(self) -> int:
        self.shared = True
        return super().fileno()


class Spool:
    """Collects content; more than `memory_bytes` moves to an unnamed temporary file.

    Args:
        memory_bytes: octets kept in memory; None keeps everything there.
        spares: where the file comes from and goes to; None for one that is only used once.
    """

    __slots__ = (
        "_file", "_given_back", "_lent", "_memory", "_memory_bytes", "_reader", "_spares", "size",
    )  # fmt: skip

    def __init__(self, memory_bytes: int | None, spares: SpareFiles | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._spares = spares
        self._memory = bytearray()
        self._file: io.FileIO | None = None
        self._lent: list[_Lent] = []
        self._given_back = False
        self._reader: BinaryIO | None = None
        self.size = 0

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append a piece; OSError when the temporary file cannot be written."""
        self.size += len(piece)
        if self._file is None:
            if self._memory_bytes is None or self.size <= self._memory_bytes:
                self._memory += piece
                return
            self._file = new_file() if self._spares is None else self._spares.take()
            self._write_out(memoryview(self._memory))
            self._memory = bytearray()
        self._write_out(memoryview(piece))

    def _write_out(self, piece: memoryview) -> None:
        """A raw file may take less than it is given: go on until it has every octet."""
        assert self._file is not None
        while piece:
            piece = piece[self._file.write(piece) :]

    def read(self) -> bytes:
        """All of the content. ValueError when the file has been given back."""
        file = self._held()
        if file is None:
            return bytes(self._memory)
        if not hasattr(os, "pread"):  # to read at a place would move the reader's
            return self.open().read()
        return FileSlice(file, 0, self.size).read()

    def open(self) -> BinaryIO:
        """The content as a binary file, positioned at its start: one file, however often.

        It is buffered, so that reading line by line does not cost a system call an octet.
        ValueError when the file has been given back.
        """
        file = self._held()
        if self._reader is None or self._reader.closed:
            self._reader = io.BytesIO(self._memory) if file is None else self._lend(file)
        self._reader.seek(0)
        return self._reader

    def _held(self) -> io.FileIO | None:
        if self._given_back:
            raise ValueError("content of a request that has been answered: the file is closed")
        return self._file

    def _lend(self, file: io.FileIO) -> io.BufferedReader:
        if os.fstat(file.fileno()).st_size > self.size:
            file.truncate(self.size)
        self._lent.append(_Lent(file))
        return io.BufferedReader(self._lent[-1])

    def close(self) -> None:
        """Give back the temporary file. What `open` has given is closed."""
        if self._reader is not None:
            with contextlib.suppress(ValueError):  # what lies below it has been detached
                self._reader.close()
        file, self._file = self._file, None
        if file is None:
            return
        self._given_back = True
        for lent in self._lent:
            lent.close()
        if self._spares is None or any(lent.shared for lent in self._lent):
            file.close()
        else:
            self._spares.give(file)
