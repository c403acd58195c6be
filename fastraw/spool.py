"""A request's content while it arrives: in memory, and beyond a limit in a temporary file."""

from __future__ import annotations

import io
import tempfile
from typing import BinaryIO


class Spool:
    """Collects content; more than `memory_bytes` moves to an unnamed temporary file.

    Args:
        memory_bytes: octets kept in memory; None keeps everything there.
    """

    __slots__ = ("_file", "_memory", "_memory_bytes", "size")

    def __init__(self, memory_bytes: int | None) -> None:
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Append a piece; OSError when the temporary file cannot be written."""
        self.size += len(piece)
        if self._file is None:
            if self._memory_bytes is None or self.size <= self._memory_bytes:
                self._memory += piece
                return
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
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
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        return self._file.read()

    def open(self) -> BinaryIO:
        """The content as a binary file, positioned at its start."""
        if self._file is None:
            return io.BytesIO(bytes(self._memory))
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give back the temporary file."""
        if self._file is not None:
            self._file.close()
