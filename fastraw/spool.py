"""A request's content while it arrives: in memory, and beyond a limit in a temporary file."""

from __future__ import annotations

import io
from importlib import import_module
from typing import BinaryIO


class Spool:
    """Collects content; more than `memory_bytes` moves to an unnamed temporary file.

    Args:
        memory_bytes: octets kept in memory; None keeps everything there.
    """

    __slots__ = ("_file", "_memory", "_memory_bytes", "_reader", "size")

    def __init__(self, memory_bytes: int | None) -> None:
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        # Unbuffered: what has been written is in the file, or the write has failed.
        self._file: io.FileIO | None = None
        self._reader: BinaryIO | None = None
        self.size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Append a piece; OSError when the temporary file cannot be written."""
        self.size += len(piece)
        if self._file is None:
            if self._memory_bytes is None or self.size <= self._memory_bytes:
                self._memory += piece
                return
            # Imported when it is first needed: it brings half of the standard library with it.
            self._file = import_module("tempfile").TemporaryFile(buffering=0)
            self._write_out(memoryview(self._memory))
            self._memory = bytearray()
        self._write_out(memoryview(piece))

    def _write_out(self, piece: memoryview) -> None:
        """A raw file may take less than it is given: go on until it has every octet."""
        assert self._file is not None
        while piece:
            piece = piece[self._file.write(piece) :]

    def read(self) -> bytes:
        """All of the content."""
        return bytes(self._memory) if self._file is None else self.open().read()

    def open(self) -> BinaryIO:
        """The content as a binary file, positioned at its start: one file, however often.

        It is buffered, so that reading line by line does not cost a system call an octet.
        """
        if self._reader is None or self._reader.closed:
            file = self._file
            self._reader = io.BytesIO(self._memory) if file is None else io.BufferedReader(file)
        self._reader.seek(0)
        return self._reader

    def close(self) -> None:
        """Give back the temporary file."""
        if self._reader is not None:
            self._reader.close()
        if self._file is not None:
            self._file.close()
