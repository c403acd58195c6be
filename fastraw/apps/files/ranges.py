"""Byte ranges (RFC 9110 section 14): which octets are asked for, and a message of several.

Range -> parse_ranges -> one: Content-Range
                      -> several: Multipart
                      -> none: 416
"""

from __future__ import annotations

import os
import re

# A client that wants more parts than this is better served with the whole.
MAX_RANGES = 64

_UNIT = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL).fullmatch
# RFC 9110 section 14.1.1: int-range or suffix-range. int() is asked for no more than it takes.
_SPEC = re.compile(r"([0-9]{0,18})([0-9]*)-([0-9]{0,18})([0-9]*)").fullmatch

Range = tuple[int, int]
"""First octet, number of octets."""


def parse_ranges(value: str, size: int) -> list[Range] | None:
    """The ranges of a Range field that lie in a representation of `size` octets, in the order
    asked for; empty when none does, which is answered with 416.

    None when the field is to be ignored (RFC 9110 section 14.2): another unit, no valid set, or a
    set that asks for more than everything: over 64 ranges, or more octets than there are.
    """
    unit = _UNIT(value)
    if unit is None:
        return None
    specs = [text for spec in unit[1].split(",") if (text := spec.strip(" \t"))]
    if not specs or len(specs) > MAX_RANGES:
        return None
    found: list[Range] = []
    for spec in specs:
        match = _SPEC(spec)
        if match is None or spec == "-":
            return None
        first, more_first, last, more_last = match.groups()
        if not first:
            # The last octets; of nothing, they are all there is, which no Content-Range can say.
            count = size if more_last else min(int(last), size)
            if not size and int(last):
                return None
            start = size - count
        else:
            start = _position(first, more_first)
            end = _position(last, more_last) if last else size
            if last and end < start:
                return None
            count = min(end + 1, size) - start if last else size - start
        if count > 0:
            found.append((start, count))
    if len(found) > 1 and sum(count for _, count in found) > size:
        return None
    return found


def _position(digits: str, more: str) -> int:
    """The number; one with more than 18 digits is beyond any file, and one as good as another."""
    return int(digits) if not more else 10**18


def content_range(one: Range, size: int) -> str:
    """The value of Content-Range (RFC 9110 section 14.4)."""
    start, count = one
    return f"bytes {start}-{start + count - 1}/{size}"


class Multipart:
    """Several ranges in one message: multipart/byteranges (RFC 9110 section 14.6).

    Attributes:
        content_type: of the message.
        parts: what is sent, in order: framing as octets, content as ranges.
    """

    __slots__ = ("content_type", "parts")

    def __init__(self, ranges: list[Range], size: int, content_type: str) -> None:
        # 128 bits that nobody foresees: no file contains them (RFC 2046 section 5.1.1).
        boundary = os.urandom(16).hex()
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        self.parts: list[bytes | Range] = []
        # The line end before a boundary belongs to it; before the first there is none to end.
        line_end = ""
        for each in ranges:
            head = (
                f"{line_end}--{boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: {content_range(each, size)}\r\n\r\n"
            )
            self.parts += (head.encode("latin-1"), each)
            line_end = "\r\n"
        self.parts.append(f"\r\n--{boundary}--\r\n".encode())
