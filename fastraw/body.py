"""Decoders of request content: by length, and chunked (RFC 9112 sections 6 and 7.1).

    decoder.feed(octets received) -> sink(content) ... until decoder.done

A decoder takes all octets up to the end of its message, keeps the part of a line that has come
so far, and leaves what follows the message. What comes of the octets, and after which of them a
fault is reported, does not depend on how they were cut up.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import faults
from .errors import ParseError
from .faults import Fault
from .grammar import TOKEN, UNLIMITED, field_line_fault
from .headers import Headers
from .limits import Limits
from .parse import take_chunks

# A size line and all extensions of a message together. Nobody uses extensions, and a message of
# nothing else must not go round the limit of its content.
SIZE_LINE_BYTES = 8 * 1024
EXTENSIONS_BYTES = 16 * 1024
MAX_CONTENT = 2**63 - 1

Sink = Callable[[bytes | bytearray | memoryview], object]
"""What takes pieces of content. It copies what it keeps: they may lie where the next one will."""

_SIZE, _DATA, _DATA_CR, _DATA_LF, _TRAILERS = range(5)

_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
# RFC 9112 section 7.1.1, white space around ";" and "=" as there.
_extensions = re.compile(
    rf"(?:[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*(?:{TOKEN}|{_QUOTED}))?)*".encode("latin-1")
).fullmatch
_hex_digits = re.compile(rb"[0-9A-Fa-f]+").match
_FRAMING = frozenset(("content-length", "transfer-encoding", "host"))


class LengthDecoder:
    """Content of a known length in octets (RFC 9112 section 6.2); `missing` are yet to come."""

    __slots__ = ("done", "missing")

    trailers: Headers | None = None
    """Always None; only chunked content has trailers."""

    def __init__(self, length: int) -> None:
        self.missing = length
        self.done = length == 0

    def feed(self, data: bytes | bytearray | memoryview, start: int, sink: Sink) -> int:
        """Give the content in `data` from `start` on to `sink`; index of the first octet left."""
        piece = data[start : start + self.missing]
        if piece:
            self.missing -= len(piece)
            self.done = self.missing == 0
            sink(piece)
        return start + len(piece)


class ChunkedDecoder:
    """Chunked content (RFC 9112 section 7.1).

    Args:
        limits: bounds of the trailer section.
        max_bytes: what the content may be at most, None for any size; more is refused with 413
            as soon as the size line of a chunk says so.
    """

    __slots__ = (
        "_extensions_bytes",
        "_fields",
        "_limits",
        "_line",
        "_missing",
        "_room",
        "_section_bytes",
        "_state",
        "done",
        "trailers",
    )

    def __init__(self, limits: Limits, max_bytes: int | None) -> None:
        self._limits = limits
        self._room = MAX_CONTENT if max_bytes is None else max_bytes
        self._state = _SIZE
        self._missing = 0
        self._line = bytearray()
        self._extensions_bytes = 0
        self._section_bytes = 0
        self._fields: list[tuple[str, str]] = []
        self.done = False
        self.trailers: Headers | None = None
        """The trailer fields once `done`; None when there are none."""

    def feed(self, data: bytes | bytearray | memoryview, start: int, sink: Sink) -> int:
        """Give the content in `data` from `start` on to `sink`, in pieces.

        Returns the index of the first octet that does not belong to this message. Raises
        ParseError for what is malformed or too much.
        """
        if isinstance(data, memoryview):
            data = bytes(data)
        while start < len(data) and not self.done:
            if self._state == _SIZE:
                start = self._take_size(data, start, sink)
            elif self._state == _DATA:
                start = self._take_data(data, start, sink)
            elif self._state == _TRAILERS:
                start = self._take_trailer(data, start)
            else:
                if data[start] != (13 if self._state == _DATA_CR else 10):
                    raise ParseError(*faults.CHUNK_END)
                self._state = _DATA_LF if self._state == _DATA_CR else _SIZE
                start += 1
        return start

    def _take_size(self, data: bytes | bytearray, start: int, sink: Sink) -> int:
        if not self._line:
            content, start = take_chunks(data, start, self._room)
            if content:
                self._room -= len(content)
                sink(content)
                return start
        line, start = self._take_line(data, start, SIZE_LINE_BYTES + 2, faults.CHUNK_LINE_LONG)
        if line:
            self._missing = self._read_size(line)
            self._state = _DATA if self._missing else _TRAILERS
        return start

    def _read_size(self, line: bytes) -> int:
        match = _hex_digits(line)
        if match is None or line[match.end()] not in b"\r\n \t;":
            raise ParseError(*faults.CHUNK_SIZE)
        if line[-2:] != b"\r\n":
            raise ParseError(*faults.LINE_END)
        if not _extensions(line, match.end(), len(line) - 2):
            raise ParseError(*faults.CHUNK_EXTENSION)
        self._extensions_bytes += len(line) - 2 - match.end()
        if self._extensions_bytes > EXTENSIONS_BYTES:
            raise ParseError(*faults.CHUNK_EXTENSIONS_LONG)
        size = int(match[0], 16)
        if size > self._room:
            raise ParseError(*faults.CONTENT_LARGE)
        self._room -= size
        return size

    def _take_data(self, data: bytes | bytearray, start: int, sink: Sink) -> int:
        piece = bytes(data[start : start + self._missing])
        self._missing -= len(piece)
        if not self._missing:
            self._state = _DATA_CR
        sink(piece)
        return start + len(piece)

    def _take_trailer(self, data: bytes | bytearray, start: int) -> int:
        """RFC 9112 section 7.1.2; checked as the header section is, by the same limits."""
        room = (self._limits.head_bytes or UNLIMITED) + 2 - self._section_bytes
        line, start = self._take_line(data, start, room, faults.TRAILERS_LONG)
        if line == b"\r\n":
            self.done = True
            self.trailers = Headers.from_parsed(self._fields) if self._fields else None
        elif line:
            self._section_bytes += len(line)
            if len(self._fields) == self._limits.field_lines:
                raise ParseError(*faults.TRAILERS_LINES)
            text = line.decode("latin-1")
            fault = field_line_fault(text)
            if fault is not None:
                raise ParseError(*fault)
            name, _, value = text.partition(":")
            if name.lower() in _FRAMING:  # RFC 9110 section 6.5.1
                raise ParseError(*faults.TRAILER_FIELD)
            self._fields.append((name, value[:-2].strip(" \t")))
        return start

    def _take_line(
        self, data: bytes | bytearray, start: int, room: int, fault: Fault
    ) -> tuple[bytes, int]:
        """A line with its LF, empty as long as that is missing, and the index behind it.

        Raises `fault` as soon as the line is certain to have more than `room` octets.
        """
        end = data.find(b"\n", start, start + room - len(self._line)) + 1
        self._line += data[start : end or None]
        if not end:
            if len(self._line) >= room:
                raise ParseError(*fault)
            return b"", len(data)
        line = bytes(self._line)
        self._line.clear()
        return line, end
