"""Whether an argument is what it should be; what is wrong with one names it."""

from __future__ import annotations

import os
import sys


def check_argument(name: str, good: bool, expected: str, value: object) -> None:
    """TypeError, naming the argument and what was expected, unless it is `good`."""
    if not good:
        raise TypeError(f"{name} must be {expected}, not {value!r}")


def is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and os.fspath(value) != ""


def is_seconds(value: object) -> bool:
    """Whether it is a number that can be added to a time: no NaN, and no int too large for a
    float."""
    if type(value) is int:
        return abs(value) <= sys.float_info.max
    return type(value) is float and value == value  # NaN is the one that does not equal itself
