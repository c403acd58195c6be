"""Descriptions: the metadata of files, by what the system says of them."""

from __future__ import annotations

import os
from time import time

from .representation import Fields, Representation

# Each is about 1 KiB.
_KNOWN_LIMIT = 4096
_WINDOWS = os.name == "nt"


class Descriptions:
    """Makes them, and keeps how they are written.

    What is kept depends on nothing but what the system says of a file each time it is asked: it
    cannot be out of date.

    Args:
        fields: header fields that all of them have.
    """

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._known: dict[tuple[object, ...], Representation] = {}

    def of(
        self, status: os.stat_result, content_type: str, coding: str, varies: bool
    ) -> Representation:
        """The metadata of one file.

        Args:
            status: what the system says of it.
            content_type: its media type, without the coding.
            coding: its content coding, or empty.
            varies: whether Accept-Encoding has had a say.
        """
        key = (
            status.st_ctime_ns, status.st_mtime_ns, status.st_ino, status.st_size,
            content_type, coding, varies,
        )  # fmt: skip
        found = self._known.get(key)
        if found is None:
            found = self._describe(status, content_type, coding, varies)
            if found.modified_seconds == status.st_mtime_ns // 1_000_000_000:
                if len(self._known) >= _KNOWN_LIMIT:
                    self._known.clear()
                self._known[key] = found
        return found

    def _describe(
        self, status: os.stat_result, content_type: str, coding: str, varies: bool
    ) -> Representation:
        # Not later than the answer's Date (RFC 9110 section 8.8.2.1), which is made ten times a
        # second and so may be behind.
        latest_seconds = int(time()) - 1
        modified_seconds = max(0, min(status.st_mtime_ns // 1_000_000_000, latest_seconds))
        fields = list(self._fields)
        if coding:
            fields.append(("Content-Encoding", coding))
        if varies:
            fields.append(("Vary", "Accept-Encoding"))
        return Representation(content_type, etag(status, coding), modified_seconds, fields)


def etag(status: os.stat_result, coding: str) -> str:
    """A strong entity tag (RFC 9110 section 8.8.1): no change of the octets leaves it the same.

    Whoever writes a file can set its time of modification, and many tools do; the time of the
    last change they cannot. What Windows calls so is when the file was made.
    """
    time_ns = status.st_mtime_ns if _WINDOWS else status.st_ctime_ns
    return f'"{time_ns:x}-{status.st_ino:x}-{status.st_size:x}{coding and "-" + coding}"'
