"""The parser's implementations, for tests that ask the same of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from fastraw import Limits
from tests.fuzz.outcomes import Outcome, of_head, of_head_in_pieces

PURE = os.environ.get("FASTRAW_PURE", "") not in ("", "0")
NAMES = ("_parse_py",) if PURE else ("_parse", "_parse_py")
BEHIND = b"GET /behind HTTP/1.1\r\nHost: b\r\n\r\n"
IN_FRONT = b"POST / HTTP/1.1\r\n\r\n"
DEFAULT = Limits()

each_parser = pytest.mark.parametrize("name", NAMES)
"""For a test with an argument `name`: a missing extension fails, it does not skip."""


def implementation(name: str) -> ModuleType:
    return import_module(f"fastraw.{name}")


def every_way(name: str, octets: bytes, limits: Limits = DEFAULT) -> Outcome:
    """What a parser makes of `octets`, after asking it in all the ways that must come to the same:
    as bytes and as a bytearray, behind other octets, before others, cut short anywhere, and
    octet by octet."""
    parse_head = implementation(name).parse_head
    outcome = of_head(parse_head, octets, 0, 0, limits)
    at = len(IN_FRONT)
    assert of_head(parse_head, bytearray(octets), 0, 0, limits) == outcome
    assert of_head(parse_head, IN_FRONT + octets, at, 0, limits) == outcome
    assert of_head(parse_head, bytearray(IN_FRONT + octets), at, 0, limits) == outcome
    if outcome is not None:
        for behind in (b"\0", b"\r\n", BEHIND):
            assert of_head(parse_head, octets + behind, 0, 0, limits) == outcome
            assert of_head(parse_head, IN_FRONT + octets + behind, at, 0, limits) == outcome
    decided = list(prefixes(parse_head, octets, limits))
    assert decided == [outcome] * len(decided), "a shorter prefix says something else"
    each_octet = range(1, len(octets))
    assert of_head_in_pieces(parse_head, octets, 0, each_octet, limits) == outcome
    assert (
        of_head_in_pieces(parse_head, IN_FRONT + octets, at, range(at, at + len(octets)), limits)
        == outcome
    )
    return outcome


def prefixes(parse_head: Callable[..., Any], octets: bytes, limits: Limits) -> Iterator[Outcome]:
    """The outcomes of all prefixes that have one: once there is one, there always is."""
    outcome: Outcome = None
    for end in range(len(octets) + 1):
        before, outcome = outcome, of_head(parse_head, octets[:end], 0, 0, limits)
        assert outcome is not None or before is None, f"taken back at {end}"
        if outcome is not None:
            yield outcome
