"""For what happens soon, and of which no event tells."""

from __future__ import annotations

import time
from collections.abc import Callable

# Long enough for a busy machine: a test that waits this long has failed.
PATIENCE_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 0.005


def eventually(condition: Callable[[], object]) -> bool:
    """Whether the condition has become true."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_AGAIN_SECONDS)
    return True
