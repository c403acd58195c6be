"""A request's content while it arrives: in memory, and beyond a limit in a temporary file.

A file is used again, since to write over pages that the system has takes a quarter of what new ones
take. For this

1. what is handed out holds this content and no more: it ends where that ends (`Spool.open`);
2. nothing reads it after `Spool.close`: what is handed out is closed by then, and a file whose
   descriptor somebody has asked for, and may have kept, is not used again (`_Lent`);
3. nor does a thread that a handler has left behind, and that has begun before `close`: it first
   says that it is there and then looks whether there is a file; `close` first takes that away and
   then looks whether somebody is there. If so, the last to leave closes the file (`_leave`);
4. no more is kept than SpareFiles says, and nothing once the server has stopped.
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
        self.name = "<content>"  # otherwise the descriptor

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
        "_file", "_lent", "_memory", "_memory_bytes", "_owned", "_reader", "_spares", "_users",
        "size",
    )  # fmt: skip

    def __init__(self, memory_bytes: int | None, spares: SpareFiles | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._spares = spares
        self._memory = bytearray()
        self._file: io.FileIO | None = None
        self._owned: list[io.FileIO] = []  # the file, for whoever takes it out to part with it
        self._lent: list[_Lent] = []
        self._users: list[None] = []
        self._reader: BinaryIO | None = None
        self.size = 0

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append a piece; OSError when the temporary file cannot be written."""
        self.size += len(piece)
        if self._file is None:
            if self._in_memory():
                self._memory += piece
                return
            self._file = new_file() if self._spares is None else self._spares.take()
            self._owned.append(self._file)
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
        if self._in_memory():
            return bytes(self._memory)
        if not hasattr(os, "pread"):  # to read at a place would move the reader's
            return self.open().read()
        try:
            return FileSlice(self._enter(), 0, self.size).read()
        finally:
            self._leave()

    def open(self) -> BinaryIO:
        """The content as a binary file, positioned at its start: one file, however often.

        It is buffered, so that reading line by line does not cost a system call an octet.
        ValueError when the file has been given back.
        """
        if self._in_memory():
            if self._reader is None or self._reader.closed:
                self._reader = io.BytesIO(self._memory)
        else:
            try:
                file = self._enter()
                if self._reader is None or self._reader.closed:
                    self._reader = self._lend(file)
            finally:
                self._leave()
        self._reader.seek(0)
        return self._reader

    def _in_memory(self) -> bool:
        return self._memory_bytes is None or self.size <= self._memory_bytes

    def _enter(self) -> io.FileIO:
        """The file, until `_leave`."""
        self._users.append(None)
        file = self._file
        if file is None:
            raise ValueError("content of a request that has been answered: the file is closed")
        return file

    def _leave(self) -> None:
        self._users.pop()
        if self._file is None and not self._users:
            self._part(None)

    def _lend(self, file: io.FileIO) -> io.BufferedReader:
        if os.fstat(file.fileno()).st_size > self.size:
            file.truncate(self.size)
        self._lent.append(_Lent(file))
        return io.BufferedReader(self._lent[-1])

    def close(self) -> None:
        """Give back the temporary file. What `open` has given is closed."""
        self._file = None
        spares = self._spares
        if self._reader is not None:
            try:
                self._reader.close()
            except ValueError:
                spares = None  # what lies below it has been detached
        if not self._users:
            self._part(spares)

    def _part(self, spares: SpareFiles | None) -> None:
        """Part with the file, unless another thread was first."""
        try:
            file = self._owned.pop()
        except IndexError:
            return
        for lent in self._lent:
            lent.close()
        if spares is None or any(lent.shared for lent in self._lent):
            file.close()
        else:
            spares.give(file)
