"""take_chunks in Python: the reference that the extension `_parse` must agree with."""

from __future__ import annotations

import re

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
