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
from typing import Any

from . import faults
from ._environ_py import environ_of
from .errors import ParseError
from .faults import Fault
from .headers import Headers
from .limits import Limits

DEFAULT = Limits()
# Where a limit is off. Offsets of the extension have 32 bits.
UNLIMITED = 2**31 - 16
# Up to this many field lines are counted each time one has ended, which bounds the cost of an
# octet; of more, only each time the head has grown by about a hundredth.
COUNTED_LINES = 1024

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 section 5.6.2
_token = re.compile(TOKEN).fullmatch
_tokens = re.compile(TOKEN.replace("[", r"[\n")).fullmatch
_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch  # RFC 9110 section 5.5
_field_lines = re.compile(rf"(?:{TOKEN}:[\t\x20-\x7e\x80-\xff]*\r\n)*".encode()).fullmatch
_target = re.compile(r"[\x21\x22\x24-\x7e]*").fullmatch  # RFC 3986, and what clients send raw
_version = re.compile(r"HTTP/[0-9]\.[0-9]").fullmatch  # RFC 9112 section 2.3
_absolute = re.compile(r"(?i:https?)://([^/?]+)").match  # RFC 9112 section 3.2.2
# RFC 9110 section 7.2: uri-host [":" port]. No comma, which would make of two hosts one.
_host = re.compile(
    r"(?:(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+|\[([0-9A-Fa-f:.]+)\])(?::[0-9]+)?"
).fullmatch
_ipv4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII).fullmatch

_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
_MINOR_VERSIONS = {"HTTP/1.0": 0} | {f"HTTP/1.{digit}": 1 for digit in range(1, 10)}
# Everything that may stand in a head except the CRLF of its lines.
_TEXT = bytes(octet for octet in range(256) if octet == 9 or (octet >= 32 and octet != 127))


class Head:
    """A request's head: request line and header section (RFC 9112 section 2.1). Read only.

    `method`, `target` and the field names are as received. `minor_version` is 0 or 1; a higher
    one counts as 1 (RFC 9110 section 2.5).
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
        "ordinary",
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

    @property
    def headers(self) -> Headers:
        """The header fields; Host is the authority of an absolute-form target."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers.from_parsed(self._pairs)
        return headers

    def environ(self, template: dict[str, Any], client: tuple[str, int] | str) -> dict[str, Any]:
        """The environ of a WSGI request: the template, with this request's meta-variables (RFC
        3875 section 4.1, PEP 3333). `client` is its address: (host, port), or a path."""
        return environ_of(self, template, client)

    def __repr__(self) -> str:
        return f"<Head {self.method} {self.target} HTTP/1.{self.minor_version}>"


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
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError("data must be bytes or a bytearray")
    if not 0 <= start <= len(data):
        raise ValueError("start must be an index into data")
    end = data.find(b"\r\n\r\n", seen - 3 if seen > start + 3 else start)
    if end >= 0:
        if data.startswith(b"\r\n", start):
            head = _read(data, start + 2, end, limits)
            if head is not None:
                head.size += 2
        else:
            head = _read(data, start, end, limits)
        if head is not None:
            return head
    elif seen > start and not _worth_a_look(data, start, seen, limits):
        return None
    fault = _first_fault(data, start, limits)
    if fault is not None:
        raise ParseError(*fault)
    return None


def _read(data: bytes | bytearray, start: int, end: int, limits: Limits) -> Head | None:
    """The head from `start` to the CRLF CRLF at `end`; None when a line or a limit is wrong."""
    octets = data[start:end]
    text = octets.decode("latin-1")
    first, *lines = text.split("\r\n")
    try:
        method, target, version = first.split(" ")
        pairs = [
            (name, value.strip(" \t")) for name, value in [line.split(":", 1) for line in lines]
        ]
        minor_version = _MINOR_VERSIONS[version]
    except (ValueError, KeyError):
        return None
    by_name = {name.lower(): value for name, value in pairs}
    if (
        octets.translate(None, _TEXT) != b"\r\n" * len(lines)
        or not (method in _METHODS or _token(method))
        or not _target(target)
        or (pairs and ("" in by_name or not _tokens("\n".join(by_name))))
        or not _within(limits, len(first), len(text) - len(first), len(lines))
    ):
        return None
    authority = None
    if target[:1] != "/" or method == "CONNECT":
        authority = authority_of(method, target)
        if authority is None:
            return None
    head = Head()
    head.method = method
    head.target = target
    head.minor_version = minor_version
    head.size = end + 4 - start
    head._pairs = pairs
    head._headers = None
    _interpret(head, by_name)
    if authority and method != "CONNECT":
        _replace_host(pairs, authority)
    return head


def _within(limits: Limits, line_bytes: int, section_bytes: int, lines: int) -> bool:
    """Whether a head keeps to its limits; the section is counted with each line's CRLF."""
    return (
        line_bytes <= (limits.request_line_bytes or UNLIMITED)
        and section_bytes <= (limits.head_bytes or UNLIMITED)
        and lines <= (limits.field_lines or UNLIMITED)
    )


def authority_of(method: str, target: str) -> str | None:
    """The authority of a target not in origin form, "" for `*`; None when the form is wrong."""
    if method == "CONNECT":  # RFC 9112 section 3.2.3: host and port, and nothing else
        return target if is_host(target) and target[-1] != "]" and ":" in target else None
    if target == "*":  # section 3.2.4
        return "" if method == "OPTIONS" else None
    if target[:1] == "/":
        return ""
    match = _absolute(target)
    return match[1] if match and is_host(match[1]) else None


def is_host(text: str) -> bool:
    """Whether `text` is a host with or without a port (RFC 9110 section 7.2), and not empty."""
    match = _host(text)
    return match is not None and (match[1] is None or is_ipv6(match[1]))


def is_ipv6(text: str) -> bool:
    """Whether `text`, of hexadecimal digits, colons and dots, is an IPv6address (RFC 3986
    section 3.2.2)."""
    left, gap, right = text.partition("::")
    groups = [group for side in (left, right) if side for group in side.split(":")]
    count = len(groups)
    if groups and _ipv4(groups[-1]) and (right or not gap):
        groups.pop()
        count += 1
    return (count < 8 if gap else count == 8) and all(
        0 < len(group) < 5 and "." not in group for group in groups
    )


def _replace_host(pairs: list[tuple[str, str]], authority: str) -> None:
    """RFC 9112 section 3.2.2: the host of an absolute form counts, not the field."""
    for index, (name, _) in enumerate(pairs):
        if name.lower() == "host":
            pairs[index] = (name, authority)
            return
    pairs.append(("Host", authority))


# What the fields say together, once every line is well-formed.


def _interpret(head: Head, by_name: dict[str, str]) -> None:
    """Set what Host, framing, Connection and Expect say, or raise the first fault of them."""
    pairs = head._pairs
    minor_version = head.minor_version

    def values(name: str) -> list[str]:
        if len(by_name) == len(pairs):
            return [by_name[name]]
        return [value for key, value in pairs if key.lower() == name]

    host = by_name.get("host")
    if host is None:
        if minor_version:  # RFC 9112 section 3.2
            raise ParseError(*faults.HOST_MISSING)
    elif len(by_name) < len(pairs) and len(values("host")) > 1:
        raise ParseError(*faults.HOST_REPEATED)
    elif host and not is_host(host):
        raise ParseError(*faults.HOST_INVALID)

    head.chunked = False
    head.content_length = None
    if "transfer-encoding" in by_name:
        if not minor_version:  # RFC 9112 section 6.1
            raise ParseError(*faults.CODING_VERSION)
        if "content-length" in by_name:  # RFC 9112 section 6.3
            raise ParseError(*faults.CODING_AND_LENGTH)
        check_coding(",".join(values("transfer-encoding")))
        head.chunked = True
    elif "content-length" in by_name:
        head.content_length = length_of(values("content-length"))

    head.expect_continue = False
    if minor_version and "expect" in by_name:  # RFC 9110 section 10.1.1
        if any(value.lower() != "100-continue" for value in values("expect")):
            raise ParseError(*faults.EXPECTATION)
        head.expect_continue = True

    head.keep_alive = minor_version == 1
    head.upgrade = None
    if "connection" in by_name:
        options = connection_options(values("connection"))
        # RFC 9112 section 9.3
        head.keep_alive = "close" not in options and (minor_version == 1 or "keep-alive" in options)
        if minor_version and "upgrade" in options and "upgrade" in by_name:
            head.upgrade = ", ".join(values("upgrade")) or None


def connection_options(values: list[str]) -> list[str]:
    """RFC 9110 section 7.6.1: the list that all Connection fields make up, in lower case."""
    return [option.strip(" \t") for option in ",".join(values).lower().split(",")]


def check_coding(text: str) -> None:
    """RFC 9112 section 6.1; a coding never falls back to a length or to no content."""
    codings = [coding.strip(" \t").lower() for coding in text.split(",")]
    if codings == ["chunked"]:
        return
    chunked_last = codings[-1] == "chunked" and codings.count("chunked") == 1
    if chunked_last and all(_token(coding) for coding in codings):
        raise ParseError(*faults.CODING_UNKNOWN)
    raise ParseError(*faults.CODING_INVALID)


def length_of(values: list[str]) -> int:
    """RFC 9110 section 8.6, strictly: one field, digits only."""
    if len(values) > 1:
        raise ParseError(*faults.LENGTH_REPEATED)
    digits = values[0]
    if not (digits.isascii() and digits.isdigit()):
        raise ParseError(*faults.LENGTH_INVALID)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > 2**63 - 1:
        raise ParseError(*faults.CONTENT_LARGE)
    return int(digits)


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
    if not _token(chr(data[start])):
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


def request_line_fault(line: str) -> Fault | None:
    """RFC 9112 section 3: method SP request-target SP HTTP-version CRLF."""
    if line[-2:] != "\r\n":
        return faults.LINE_END
    parts = line[:-2].split(" ")
    if len(parts) != 3:
        return faults.SHAPE
    method, target, version = parts
    if not _token(method):
        return faults.METHOD
    if not _target(target):
        return faults.TARGET_OCTETS
    if not _version(version):
        return faults.VERSION
    if version[5] != "1":
        return faults.MAJOR_VERSION
    return faults.TARGET_FORM if authority_of(method, target) is None else None


def field_line_fault(line: str) -> Fault | None:
    """RFC 9112 section 5: field-name ":" OWS field-value OWS CRLF."""
    if line[-2:] != "\r\n":
        return faults.LINE_END
    if line[0] in " \t":
        return faults.FOLDED
    name, colon, value = line[:-2].partition(":")
    if not colon:
        return faults.COLON
    if not _token(name):
        return faults.FIELD_NAME
    return None if _value(value) else faults.FIELD_VALUE


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
