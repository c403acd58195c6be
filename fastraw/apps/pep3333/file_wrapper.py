"""wsgi.file_wrapper: a file as the content of a response."""

from __future__ import annotations

import io
import os
import stat
from typing import Any

from ...file import FileSlice

# Whose octets are those of their descriptor; others, like a GzipFile, have a descriptor too.
_FILES = (io.FileIO, io.BufferedReader, io.BufferedRandom)


class FileWrapper:
    """A file-like object as an iterable of blocks (PEP 3333, optional platform-specific file
    handling).

    Args:
        filelike: has read(size), and closes with the response if it has close().
        block_size: octets in a block, where it is read and not sent by the kernel.
    """

    def __init__(self, filelike: Any, block_size: int = 64 * 1024) -> None:
        self.filelike = filelike
        self.block_size = block_size

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        block: bytes = self.filelike.read(self.block_size)
        if not block:
            raise StopIteration
        return block

    def rest(self) -> FileSlice | None:
        """What follows the file's position, as something that the kernel can send; None unless
        it is a regular file."""
        file = self.filelike
        if type(file) not in _FILES:
            return None
        if isinstance(file, io.BufferedRandom):
            file.flush()
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        position = file.tell()
        return FileSlice(file, position, max(0, status.st_size - position))

    def close(self) -> None:
        """Close the file."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()
