"""OpenFile: a regular file by its descriptor, as the content of a representation."""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from ...errors import HTTPError
from ...file import FileSlice
from .tree import Folder


class OpenFile:
    """A file that is open until `close`.

    Attributes:
        status: what the system said of it when it was opened.
        size: its octets, by that.

    Raises OSError; IsADirectoryError for a directory, FileNotFoundError for what is neither.
    """

    __slots__ = ("_descriptor", "_file", "size", "status")

    def __init__(self, folder: Folder, name: str) -> None:
        self._descriptor: int | None = folder.open(name)
        self._file: BinaryIO | None = None
        try:
            self.status = status = os.fstat(self._descriptor)
            if not S_ISREG(status.st_mode):
                raise (IsADirectoryError if S_ISDIR(status.st_mode) else FileNotFoundError)(name)
        except BaseException:
            self.close()
            raise
        self.size = status.st_size

    def read_all(self) -> bytes:
        """All of it, if nothing has been read yet; HTTPError 503 when it has become shorter."""
        return self._read(self.size)

    def read(self, start: int, count: int) -> bytes:
        """These octets; HTTPError 503 when the file has become shorter."""
        assert self._descriptor is not None
        os.lseek(self._descriptor, start, os.SEEK_SET)
        return self._read(count)

    def _read(self, count: int) -> bytes:
        assert self._descriptor is not None
        data = os.read(self._descriptor, count)
        if len(data) != count:
            # Somebody writes it just now.
            raise HTTPError(503, "The file is being changed.", headers=[("Retry-After", "1")])
        return data

    def slice(self, start: int, count: int) -> FileSlice:
        """The same, without reading them. The descriptor stays this object's."""
        assert self._descriptor is not None
        if self._file is None:
            self._file = os.fdopen(self._descriptor, "rb", buffering=0, closefd=False)
        return FileSlice(self._file, start, count)

    def close(self) -> None:
        """Close it, the first time this is called."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
