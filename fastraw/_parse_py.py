"""parse_head in Python: the reference that the extension `_parse` must agree with.

    parse_head -> _read         a complete head, in few passes over all of it
               -> _first_fault  anything else, line by line, in the order the octets came

1. The outcome is a function of the octets alone, however they were cut up on the way.
2. So each fault has a place: the octet with whose arrival it is certain. The first octet of a
   request line, the octet that goes over a limit, the LF of a malformed line, the LF that ends
   the head (what concerns several fields). The fault with the first place is reported.
3. A call that completes no head looks at the lines that ended since the call before, and at the
   limits; only a fault, or the end of the head, makes it look at all octets again. So the cost
   of a head is linear in its length.
"""

from __future__ import annotations

import re
from typing import Any, final

from . import faults
from ._environ_py import environ_of
from .errors import ParseError
from .faults import Fault
from .grammar import (
    FIELD_VALUE,
    TARGET,
    TOKEN,
    UNLIMITED,
    authority_of,
    check_coding,
    connection_options,
    field_line_fault,
    is_host,
    length_of,
    request_line_fault,
)
from .headers import Headers
from .limits import Limits

DEFAULT = Limits()
# Up to this many field lines are counted each time one has ended, which bounds the cost of an
# octet; of more, only each time the head has grown by about a hundredth.
COUNTED_LINES = 1024

_begins = re.compile(TOKEN[:-1].encode()).match
_request_line = re.compile(rf"({TOKEN}) ({TARGET}+) HTTP/1\.([0-9])\r\n").match
# Field lines as nearly all are, one space before the value and none behind; a control character in
# a value is found by a look at all octets of the head, which is faster. No repetition stands
# beside another that could match the same, so that a line costs no more than its length.
_find_fields = re.compile(rf"(?m)^({TOKEN}): ?(\S.*\S|\S?)\r\n").findall
_tokens = re.compile(TOKEN.replace("[", r"[\n")).fullmatch
_field_lines = re.compile(rf"(?:{TOKEN}:{FIELD_VALUE}\r\n)*".encode()).fullmatch
_plain_host = re.compile(r"[A-Za-z0-9\-.]+(?::[0-9]+)?").fullmatch
# Everything that may stand in a head except the CRLF of its lines.
_TEXT = bytes(octet for octet in range(256) if octet == 9 or (octet >= 32 and octet != 127))


@final
class Head:
    """A request's head: request line and header section (RFC 9112 section 2.1). Read only.

    `method`, `target` and the field names are as received. `minor_version` is 0 or 1; a higher
    one counts as 1 (RFC 9110 section 2.5). `ordinary` says that it is a request by HTTP/1.1 without
    content, neither HEAD nor CONNECT, after which the connection is kept.
    """

    __slots__ = (
        "_headers",
        "_pairs",
        "chunked",
        "content_length",
        "expect_continue",
        "keep_alive",
        "method",
        "minor_version",
        "size",
        "target",
        "upgrade",
    )

    method: str
    target: str
    minor_version: int
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    upgrade: str | None
    size: int
    _pairs: list[tuple[str, str]]
    _headers: Headers | None

    def __init__(self) -> None:
        raise TypeError("a Head is made by parse_head")

    @property
    def headers(self) -> Headers:
        """The header fields; Host is the authority of an absolute-form target."""
        headers = self._headers
        if headers is None:
            headers = self._headers = _from_parsed(self._pairs)
        return headers

    @property
    def ordinary(self) -> bool:
        return (
            self.keep_alive
            and self.minor_version == 1
            and not self.content_length
            and not self.chunked
            and self.method not in ("HEAD", "CONNECT")
        )

    def environ(self, template: dict[str, Any], client: tuple[str, int] | str) -> dict[str, Any]:
        """The environ of a WSGI request: the template, with this request's meta-variables (RFC
        3875 section 4.1, PEP 3333). `client` is its address: (host, port), or a path. The template
        holds what most requests have: GET, an empty query, HTTP/1.1."""
        return environ_of(self, template, client)

    def __repr__(self) -> str:
        return f"<Head {self.method} {self.target} HTTP/1.{self.minor_version}>"


_new = Head.__new__
_from_parsed = Headers.from_parsed


def parse_head(
    data: bytes | bytearray, start: int = 0, seen: int = 0, limits: Limits = DEFAULT
) -> Head | None:
    """Parse the request head that begins at `data[start]` (RFC 9112 sections 2 to 6).

    Args:
        data: what was received; a bytearray may grow between calls.
        start: index of the first octet of the request.
        seen: how far an earlier call with the same start, which returned None, has looked: its
            `len(data)`; 0 when there was none.
        limits: how long the request line and the header section may be.

    Returns None as long as the head is neither complete nor certain to be wrong. Raises
    ParseError with the status to answer with, TypeError unless data is bytes or a bytearray,
    ValueError for a start outside of data.
    """
    if type(data) is not bytes and not isinstance(data, (bytes, bytearray)):
        raise TypeError("data must be bytes or a bytearray")
    if not 0 <= start <= len(data):
        raise ValueError("start must be an index into data")
    end = data.find(b"\r\n\r\n", seen - 3 if seen > start + 3 else start)
    if end >= 0:
        head = _read(data, start, end + 2, limits)
        if head is not None:
            return head
    elif seen > start and not _worth_a_look(data, start, min(seen, len(data)), limits):
        return None
    fault = _first_fault(data, start, limits)
    if fault is not None:
        raise ParseError(*fault)
    return None


def _read(data: bytes | bytearray, start: int, end: int, limits: Limits) -> Head | None:
    """The head that begins at `start`, of which the empty line begins at `end`; None when a line
    or a limit is wrong."""
    octets = data[start:end]
    text = octets.decode("latin-1")
    # RFC 9112 section 2.2: one empty line before the request line is skipped.
    skipped = 2 if text[:2] == "\r\n" else 0
    line = _request_line(text, skipped)
    if line is None:
        return None
    section = line.end()
    pairs: list[tuple[str, str]] = _find_fields(text, section)
    # All that is no text must be the CRLF of the lines.
    line_ends = octets.translate(None, _TEXT)
    count = len(line_ends) // 2
    if line_ends != b"\r\n" * count:
        return None
    count -= 2 if skipped else 1
    if len(pairs) != count:
        pairs = _split_fields(text[section:])
    if (
        len(pairs) != count
        or section - skipped - 2 > (limits.request_line_bytes or UNLIMITED)
        or len(text) - section > (limits.head_bytes or UNLIMITED)
        or count > (limits.field_lines or UNLIMITED)
    ):
        return None
    head = _new(Head)
    method, target, minor_version = line.groups()
    authority = None
    if target[0] != "/" or method == "CONNECT":
        authority = authority_of(method, target)
        if authority is None:
            return None
    head.method = method
    head.target = target
    head.minor_version = 0 if minor_version == "0" else 1
    head.size = end + 2 - start
    head._pairs = pairs
    head._headers = None
    _interpret(head, {name.lower(): value for name, value in pairs})
    if authority and method != "CONNECT":
        _replace_host(pairs, authority)
    return head


def _split_fields(text: str) -> list[tuple[str, str]]:
    """The fields of a header section, for each CRLF one; none at all unless all are well-formed."""
    pairs = []
    for line in text.split("\r\n")[:-1]:
        name, colon, value = line.partition(":")
        if not (colon and name):
            return []
        pairs.append((name, value.strip(" \t")))
    return pairs if _tokens("\n".join([name for name, _ in pairs])) else []


def _replace_host(pairs: list[tuple[str, str]], authority: str) -> None:
    """RFC 9112 section 3.2.2: the host of an absolute form counts, not the field."""
    for index, (name, _) in enumerate(pairs):
        if name.lower() == "host":
            pairs[index] = (name, authority)
            return
    pairs.append(("Host", authority))


# What the fields say together, once every line is well-formed.


def _interpret(head: Head, by_name: dict[str, str]) -> None:
    """Set what Host, framing, Expect and Connection say, or raise the first fault of them."""
    minor_version = head.minor_version
    unique = len(by_name) == len(head._pairs)
    host = by_name.get("host")
    if host is None:
        if minor_version:  # RFC 9112 section 3.2
            raise ParseError(*faults.HOST_MISSING)
    elif not unique and len(_values(head, by_name, "host")) > 1:
        raise ParseError(*faults.HOST_REPEATED)
    elif not _plain_host(host) and host and not is_host(host):
        raise ParseError(*faults.HOST_INVALID)

    head.chunked = False
    head.content_length = None
    if "transfer-encoding" in by_name:
        if not minor_version:  # RFC 9112 section 6.1
            raise ParseError(*faults.CODING_VERSION)
        if "content-length" in by_name:  # RFC 9112 section 6.3
            raise ParseError(*faults.CODING_AND_LENGTH)
        check_coding(",".join(_values(head, by_name, "transfer-encoding")))
        head.chunked = True
    elif "content-length" in by_name:
        head.content_length = length_of(_values(head, by_name, "content-length"))

    head.expect_continue = False
    if minor_version and "expect" in by_name:  # RFC 9110 section 10.1.1
        if any(value.lower() != "100-continue" for value in _values(head, by_name, "expect")):
            raise ParseError(*faults.EXPECTATION)
        head.expect_continue = True

    head.keep_alive = minor_version == 1
    head.upgrade = None
    if unique and by_name.get("connection") == "keep-alive":
        head.keep_alive = True
    elif "connection" in by_name:
        options = connection_options(_values(head, by_name, "connection"))
        # RFC 9112 section 9.3
        head.keep_alive = "close" not in options and (minor_version == 1 or "keep-alive" in options)
        if minor_version and "upgrade" in options and "upgrade" in by_name:
            head.upgrade = ", ".join(_values(head, by_name, "upgrade")) or None


def _values(head: Head, by_name: dict[str, str], name: str) -> list[str]:
    """The values of all fields with this name, of which there is one."""
    if len(by_name) == len(head._pairs):
        return [by_name[name]]
    return [value for key, value in head._pairs if key.lower() == name]


# Where a head is incomplete or wrong.


def _first_fault(data: bytes | bytearray, start: int, limits: Limits) -> Fault | None:
    """The first fault of the head in `data`; None as long as there is none."""
    if data[start : start + 1] == b"\r":
        # RFC 9112 section 2.2: one empty line before the request line is skipped.
        if data[start + 1 : start + 2] not in (b"", b"\n"):
            return faults.BEGINNING
        start += 2
    if start >= len(data):
        return None
    if not _begins(data, start):
        return faults.BEGINNING
    stop = start + (limits.request_line_bytes or UNLIMITED) + 2
    end = data.find(b"\n", start, stop)
    if end < 0:
        return faults.REQUEST_LINE_LONG if len(data) >= stop else None
    return request_line_fault(data[start : end + 1].decode("latin-1")) or first_field_fault(
        data, end + 1, limits
    )


def first_field_fault(data: bytes | bytearray, start: int, limits: Limits) -> Fault | None:
    """The first fault of the field lines that begin at `start`; None if there is none so far."""
    stop = start + (limits.head_bytes or UNLIMITED) + 2
    lines = 0
    while True:
        end = data.find(b"\n", start, stop)
        if end < 0:
            return faults.HEAD_LONG if len(data) >= stop else None
        line = data[start : end + 1].decode("latin-1")
        if line == "\r\n":
            return None
        lines += 1
        if lines > (limits.field_lines or UNLIMITED):
            return faults.HEAD_LINES
        fault = field_line_fault(line)
        if fault is not None:
            return fault
        start = end + 1


def _worth_a_look(data: bytes | bytearray, start: int, seen: int, limits: Limits) -> bool:
    """Whether the octets from `seen` on may have brought a fault; those before have none.

    Costs no more than a look at the new octets, and one at each line when it ends.
    """
    length = len(data)
    if seen < start + 3:
        return True
    if data[start] == 13:
        start += 2
    stop = start + (limits.request_line_bytes or UNLIMITED) + 2
    if seen < stop <= length and data.find(b"\n", start, stop) < 0:
        return True
    # The section is too long when the request line ended more than this many octets ago.
    section = (limits.head_bytes or UNLIMITED) + 2
    if (
        length - section > start
        and data.find(b"\n", max(start, seen - section), length - section) >= 0
    ):
        return True
    end = data.rfind(b"\n", seen)
    if end < 0:
        return False
    line = data.rfind(b"\n", start, seen) + 1
    return (
        line == 0
        or not _field_lines(data, line, end + 1)
        or _too_many(data, start, seen, limits.field_lines)
    )


def _too_many(data: bytes | bytearray, start: int, seen: int, lines: int | None) -> bool:
    if lines is None:
        return False
    if lines > COUNTED_LINES:
        step = max(1, (len(data) - start) >> 7)
        if (len(data) - start) // step == (seen - start) // step:
            return False
    return data.count(b"\n", start) > lines + 1


# Chunked content, for body.py.

_chunk = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n").match


def take_chunks(data: bytes | bytearray, start: int, room: int) -> tuple[bytes, int]:
    """Take whole chunks off `data` from `start` on, as long as they are plain.

    Stops before a chunk that is incomplete, malformed or the last one, has extensions, or would
    make more than `room` octets. Returns the content, and the index of the first octet left.
    """
    if not 0 <= start <= len(data) or room < 0:
        raise ValueError("start must be an index into data, room not negative")
    pieces = []
    while match := _chunk(data, start):
        size = int(match[1], 16)
        begin = match.end()
        end = begin + size
        if not 0 < size <= room or data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[begin:end])
        room -= size
        start = end + 2
    return b"".join(pieces), start
