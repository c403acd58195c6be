"""What a form holds, and the encoding that needs no more than the standard library.

Request.form -> parse_urlencoded             -> Form
             -> multipart.parse_multipart    -> Form with files
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qsl

from .errors import HTTPError
from .headers import Headers
from .parameters import Pairs, Parameters
from .spool import Spool


class FormLimits(NamedTuple):
    """How large a form may be; see Request.form. All of it is content, and within its limit."""

    max_parts: int
    max_part_head_bytes: int
    max_field_bytes: int
    file_memory_bytes: int

    def check_field(self, size: int) -> None:
        """HTTPError 413 for a field that is not a file and has more than `max_field_bytes`."""
        if size > self.max_field_bytes:
            raise HTTPError(413, f"A form field has more than {self.max_field_bytes} octets.")

    def check_parts(self, count: int) -> None:
        """HTTPError 413 for more than `max_parts`."""
        if count > self.max_parts:
            raise HTTPError(413, f"The form has more than {self.max_parts} fields.")


class Upload:
    """A file that was sent in a form.

    Attributes:
        filename: the last segment of the name that the client gave, so without a slash or a
            backslash; empty when nothing is left. A client can send any name: it is not a path.
        content_type: what the client says it is; empty when it says nothing.
        headers: all header fields of the part.
        size: its octets.
    """

    __slots__ = ("_spool", "_start", "_window", "content_type", "filename", "headers", "size")

    def __init__(self, filename: str, headers: Headers, spool: Spool) -> None:
        last = filename.replace("\\", "/").rpartition("/")[2]
        self.filename = "" if last in (".", "..") else last
        self.content_type = headers.get("content-type") or ""
        self.headers = headers
        self.size = 0
        self._spool = spool
        self._start = spool.size
        self._window: BinaryIO | None = None

    def write(self, piece: bytes) -> None:
        """Append what has arrived; for the parser."""
        self._spool.write(piece)
        self.size += len(piece)

    @property
    def file(self) -> BinaryIO:
        """Its content as a binary file to read and seek in, until the request has been answered.

        All files of a form lie in one temporary file, or in memory, so it has no descriptor of
        its own, and reading from several threads at once needs a lock.
        """
        if self._window is None:
            window = Window(self._spool.open(), self._start, self.size)
            self._window = io.BufferedReader(window)
        return self._window

    def __repr__(self) -> str:
        return f"<Upload {self.filename!r}, {self.size} bytes>"


class Form(Parameters):
    """A decoded form: as a mapping its fields, in `files` what was uploaded."""

    __slots__ = ("_spool", "files")

    def __init__(
        self,
        fields: list[tuple[str, str]],
        files: list[tuple[str, Upload]] | None = None,
        spool: Spool | None = None,
    ) -> None:
        super().__init__(fields)
        self.files: Pairs[Upload] = Pairs(files or [])
        self._spool = spool

    def close(self) -> None:
        """Give back the temporary file. The server does this once the request is answered."""
        if self._spool is not None:
            self._spool.close()


class Window(io.RawIOBase):
    """Part of a file, as a file to read; closing it leaves the file open."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("cannot seek to before the start")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def parse_urlencoded(content: bytes, limits: FormLimits) -> Form:
    """The fields of application/x-www-form-urlencoded content.

    Raises HTTPError: 400 when it is not UTF-8, before or after decoding, 413 beyond a limit.
    """
    limits.check_parts(content.count(b"&") + 1)
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise HTTPError(400, "The form is not valid UTF-8.") from None
    for _, value in pairs:
        limits.check_field(len(value.encode()))
    return Form(pairs)
