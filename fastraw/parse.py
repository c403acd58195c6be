"""The parser: the extension `_parse` where it was built, otherwise its twin in Python.

FASTRAW_PURE=1 in the environment forces the twin (0 and empty do not).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .errors import ParseError

__all__ = ["IMPLEMENTATION", "Head", "ParseError", "parse_head", "take_chunks"]

# A missing extension is looked for, not caught, so that a broken one shows its own error.
IMPLEMENTATION: str
if TYPE_CHECKING:
    from ._parse_py import Head, parse_head, take_chunks
elif os.environ.get("FASTRAW_PURE", "") in ("", "0") and find_spec("fastraw._parse"):
    from ._parse import Head, parse_head, take_chunks

    IMPLEMENTATION = "extension"
else:
    from ._parse_py import Head, parse_head, take_chunks

    IMPLEMENTATION = "python"
