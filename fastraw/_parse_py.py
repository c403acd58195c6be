"""parse_head in Python: the reference that the extension `_parse` must agree with.

    parse_head -> _read        a complete head, in few passes over all of it
               -> first_fault  anything else, line by line, in the order the octets came

Which fault is reported, and what a call costs that completes no head: `_unfinished_py`.
"""

from __future__ import annotations

import re

from . import faults
from ._chunks_py import take_chunks
from ._head_py import Head
from ._unfinished_py import first_fault, worth_a_look
from .errors import ParseError
from .grammar import (
    TARGET,
    TOKEN,
    UNLIMITED,
    authority_of,
    check_coding,
    connection_options,
    is_host,
    length_of,
)
from .limits import Limits

__all__ = ["DEFAULT", "Head", "parse_head", "take_chunks"]

DEFAULT = Limits()
_request_line = re.compile(rf"({TOKEN}) ({TARGET}+) HTTP/1\.([0-9])\r\n").match
# Field lines as nearly all are, one space before the value and none behind; a control character in
# a value is found by a look at all octets of the head, which is faster. No repetition stands
# beside another that could match the same, so that a line costs no more than its length.
_find_fields = re.compile(rf"(?m)^({TOKEN}): ?(\S.*\S|\S?)\r\n").findall
_tokens = re.compile(TOKEN.replace("[", r"[\n")).fullmatch
_plain_host = re.compile(r"[A-Za-z0-9\-.]+(?::[0-9]+)?").fullmatch
# Of which a head has the CRLF of its lines and no others.
_CONTROLS = bytes(octet for octet in (*range(32), 127) if octet != 9)
_new = Head.__new__


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
    elif seen > start and not worth_a_look(data, start, min(seen, len(data)), limits):
        return None
    fault = first_fault(data, start, limits)
    if fault is not None:
        raise ParseError(*fault)
    return None


def _read(data: bytes | bytearray, start: int, end: int, limits: Limits) -> Head | None:
    """The head that begins at `start`, of which the empty line begins at `end`; None when a line
    or a limit is wrong."""
    octets = data[start:end]
    text = octets.decode("latin-1")
    # RFC 9112 section 2.2: one empty line before the request line is skipped.
    skipped = 2 if octets[0] == 13 and octets[1] == 10 else 0
    line = _request_line(text, skipped)
    if line is None:
        return None
    section = line.end()
    pairs: list[tuple[str, str]] = _find_fields(text, section)
    # Each field has a CR and a LF. Any more are of a line that is none, or stand in a value.
    controls = len(octets) - len(octets.translate(None, _CONTROLS)) - skipped - 2
    count = len(pairs)
    if 2 * count != controls:
        pairs = _split_fields(text[section:])
        count = len(pairs)
    if (
        2 * count != controls
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
    connection = by_name.get("connection")
    if unique and connection == "keep-alive":
        head.keep_alive = True
    elif connection is not None:
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
