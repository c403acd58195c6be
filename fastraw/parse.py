"""The parser, and what requests and responses are built on: the extension `_parse` where it was
built, otherwise its twins in Python.

FASTRAW_PURE=1 in the environment forces the twins (0 and empty do not).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from ._parse_py import DEFAULT
from .errors import ParseError

__all__ = [
    "DEFAULT",
    "IMPLEMENTATION",
    "Head",
    "ParseError",
    "RequestBase",
    "ResponseBase",
    "known_answer",
    "ordinary_environ",
    "parse_head",
    "parse_request",
    "prepared_answer",
    "quick",
    "take_chunks",
]

IMPLEMENTATION: str

if TYPE_CHECKING:
    from . import _parse, _parse_py
    from .headers import Headers
    from .limits import Limits

# A missing extension is looked for, not caught, so that a broken one shows its own error.
if (
    not TYPE_CHECKING
    and os.environ.get("FASTRAW_PURE", "") in ("", "0")
    and find_spec("fastraw._parse")
):
    from ._parse import (
        Head,
        RequestBase,
        ResponseBase,
        known_answer,
        ordinary_environ,
        parse_head,
        parse_request,
        prepared_answer,
        quick,
        take_chunks,
    )

    IMPLEMENTATION = "extension"
else:
    from ._environ_py import ordinary_environ
    from ._message_py import (
        RequestBase,
        ResponseBase,
        known_answer,
        parse_request,
        prepared_answer,
        quick,
    )
    from ._parse_py import Head, parse_head, take_chunks

    IMPLEMENTATION = "python"


if TYPE_CHECKING:

    class _Head(Protocol):
        """What both have, for the type checker."""

        @property
        def method(self) -> str: ...
        @property
        def target(self) -> str: ...
        @property
        def minor_version(self) -> int: ...
        @property
        def headers(self) -> Headers: ...
        @property
        def content_length(self) -> int | None: ...
        @property
        def chunked(self) -> bool: ...
        @property
        def keep_alive(self) -> bool: ...
        @property
        def expect_continue(self) -> bool: ...
        @property
        def upgrade(self) -> str | None: ...
        @property
        def size(self) -> int: ...
        @property
        def ordinary(self) -> bool: ...
        def environ(
            self, template: dict[str, Any], client: tuple[str, int] | str
        ) -> dict[str, Any]: ...

    class _Parser(Protocol):
        def parse_head(
            self, data: bytes | bytearray, start: int = 0, seen: int = 0, limits: Limits = ...
        ) -> _Head | None: ...
        def take_chunks(
            self, data: bytes | bytearray, start: int, room: int
        ) -> tuple[bytes, int]: ...

    _ALIKE: tuple[_Parser, _Parser] = (_parse, _parse_py)
