"""multipart/form-data (RFC 7578), by the parser of the package python-multipart.

content -> python_multipart, which finds the parts -> _Parts, which keeps them -> Form

1. A part is a file when its Content-Disposition has a file name, and else a field, in UTF-8.
2. Fields stay in memory and files go to one spool, each within its limit.
3. The form counts only when its last boundary has arrived.
4. A file name that is empty, with no content, is a file input left empty: no file.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any, BinaryIO

from .errors import HTTPError
from .fields import parse_parameters
from .forms import Form, FormLimits, Upload
from .headers import Headers
from .spool import Spool

READ_BYTES = 64 * 1024
# A part of a form has three header fields at most that mean anything (RFC 7578 section 4.8).
MAX_PART_FIELDS = 16

# A bad form is the client's affair, and answered; the parser would warn of each in the log.
_silent = logging.getLogger("fastraw.multipart")
_silent.setLevel(logging.CRITICAL)

# RFC 2046 section 5.1.1.
MAX_BOUNDARY_BYTES = 70
_BOUNDARY_CHARACTERS = frozenset(filter(str.isalnum, map(chr, range(128)))) | frozenset(
    "'()+_,-./:=? "
)
_UTF_8 = ("", "utf-8", "utf8", "us-ascii")


def parse_multipart(source: BinaryIO, boundary: str, limits: FormLimits) -> Form:
    """Read a form from `source` to its end.

    Raises:
        HTTPError: 400 for what is no such form, 413 beyond a limit, 415 for a field in another
            charset than UTF-8.
        ImportError: python-multipart is not installed; the message says how to get it.
    """
    if not (
        0 < len(boundary) <= MAX_BOUNDARY_BYTES
        and _BOUNDARY_CHARACTERS.issuperset(boundary)
        and boundary[-1] != " "
    ):
        raise HTTPError(400, "The content type of a multipart form must state its boundary.")
    library = _library()
    spool = Spool(limits.file_memory_bytes)
    parts = _Parts(limits, spool, library.parse_options_header)
    parser = library.MultipartParser(
        boundary.encode(),
        parts.callbacks(),
        max_header_count=MAX_PART_FIELDS,
        max_header_size=limits.max_part_head_bytes,
    )
    parser.logger = _silent
    try:
        while piece := source.read(READ_BYTES):
            parser.write(piece)
        if not parts.complete:
            raise HTTPError(400, "The multipart form ends before its last boundary.")
    except library.MultipartParseError:
        spool.close()
        raise HTTPError(400, "The content is not a valid multipart form.") from None
    except BaseException:
        spool.close()
        raise
    return Form(parts.fields, parts.files, spool)


def _library() -> Any:
    """The parser's module, loaded when the first form comes."""
    try:
        return importlib.import_module("python_multipart.multipart")
    except ImportError as error:
        raise ImportError(
            "multipart forms need the package python-multipart: pip install fastraw[multipart]"
        ) from error


class _Parts:
    """What the parser's callbacks make of the parts."""

    def __init__(self, limits: FormLimits, spool: Spool, parse_disposition: Any) -> None:
        self.fields: list[tuple[str, str]] = []
        self.files: list[tuple[str, Upload]] = []
        self.complete = False
        self._limits = limits
        self._spool = spool
        self._parse_disposition = parse_disposition
        self._count = 0
        self._begin()

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin_counted,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_head,
            "on_part_data": self._add_data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def _begin(self) -> None:
        self._headers = Headers()
        self._head_bytes = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name = ""
        self._upload: Upload | None = None
        self._value = bytearray()

    def _begin_counted(self) -> None:
        self._count += 1
        self._limits.check_parts(self._count)
        self._begin()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._header_name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._header_value += data[start:end]

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.max_part_head_bytes:
            raise HTTPError(413, "The header section of a part of the form is too long.")

    def _end_header(self) -> None:
        try:
            self._headers.add(
                self._header_name.decode("latin-1"), self._header_value.decode("latin-1")
            )
        except ValueError:
            raise HTTPError(400, "A part of the form has an invalid header field.") from None
        self._header_name.clear()
        self._header_value.clear()

    def _end_head(self) -> None:
        """The part's header section is complete: what kind of part is it?"""
        kind, options = self._parse_disposition(self._headers.get("content-disposition"))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise HTTPError(400, "A part of the form must be form-data with a name.")
        self._name = _utf_8(name)
        filename = options.get(b"filename")
        if filename is not None:
            self._upload = Upload(_utf_8(filename), self._headers, self._spool)
            return
        parameters = (self._headers.get("content-type") or "").partition(";")[2]
        charset = dict(parse_parameters(parameters) or ()).get("charset", "")
        if charset.lower() not in _UTF_8:
            raise HTTPError(415, "The fields of a form must be in UTF-8.")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._upload is not None:
            self._upload.write(data[start:end])
            return
        self._value += data[start:end]
        self._limits.check_field(len(self._value))

    def _end(self) -> None:
        upload = self._upload
        if upload is None:
            self.fields.append((self._name, _utf_8(self._value)))
        elif upload.filename or upload.size:
            self.files.append((self._name, upload))

    def _complete(self) -> None:
        self.complete = True


def _utf_8(octets: bytes | bytearray) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise HTTPError(400, "The form is not valid UTF-8.") from None
