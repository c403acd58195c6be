"""The parsers against each other, with pytest-benchmark: `pytest bench/test_parse.py`.

Comparable work stands together, and is checked for the same result before it is timed. For ratios
over all heads, measured in turn, see parse_report.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from bench.heads import HEADS
from bench.parsers import WORK, Parser, check


def rows() -> Iterator[object]:
    for work, parsers in WORK.items():
        for head in HEADS:
            for row in parsers:
                yield pytest.param(work, head, row, id=f"{work}-{head}-{row[0]}")


@pytest.mark.parametrize(("work", "head", "row"), [*rows()])
def test_parse(benchmark: Any, work: str, head: str, row: Any) -> None:
    name, module, make, found = row
    if module != "fastraw._parse":  # a peer may be missing, the extension must not
        pytest.importorskip(module.partition(".")[0], reason=f"pip install fastraw[bench]: {name}")
    parser = Parser(name, make(importlib.import_module(module)), found)
    check(parser, HEADS[head])
    benchmark.group = f"{work}: {head}"
    benchmark(parser.parse, HEADS[head])
