"""Heads that are not complete, or wrong: which fault came first, and when it is worth a look.

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

from . import faults
from .faults import Fault
from .grammar import FIELD_VALUE, TOKEN, UNLIMITED, field_line_fault, request_line_fault
from .limits import Limits

# Up to this many field lines are counted each time one has ended, which bounds the cost of an
# octet; of more, only each time the head has grown by about a hundredth.
COUNTED_LINES = 1024

_begins = re.compile(TOKEN[:-1].encode()).match
_field_lines = re.compile(rf"(?:{TOKEN}:{FIELD_VALUE}\r\n)*".encode()).fullmatch


def first_fault(data: bytes | bytearray, start: int, limits: Limits) -> Fault | None:
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
    return request_line_fault(data[start : end + 1].decode("latin-1")) or _first_field_fault(
        data, end + 1, limits
    )


def _first_field_fault(data: bytes | bytearray, start: int, limits: Limits) -> Fault | None:
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


def worth_a_look(data: bytes | bytearray, start: int, seen: int, limits: Limits) -> bool:
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
