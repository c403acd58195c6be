"""What calls an application, and what that calls to begin its response: in C where that was built,
otherwise their twins in Python.

FASTRAW_PURE=1 in the environment forces the twins, as for the parser.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._wsgi_py import Adapter, Start
elif os.environ.get("FASTRAW_PURE", "") in ("", "0") and find_spec("fastraw.apps.pep3333._wsgi"):
    from ._wsgi import Adapter, Start
else:
    from ._wsgi_py import Adapter, Start

__all__ = ["Adapter", "Start"]
