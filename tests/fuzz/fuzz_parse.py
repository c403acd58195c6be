"""Coverage-guided: the extension and its twin must agree on any octets, cut up anyhow.

The first octets of an input choose what is done with the others: heads or chunked content, the
limits, where the message starts, and how it is cut up. `tests/fuzz/run` builds what this needs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

INSTRUMENTED = [
    *("fastraw._parse_py", "fastraw._unfinished_py", "fastraw._chunks_py"),
    *("fastraw.grammar", "fastraw.body"),
]
with atheris.instrument_imports(include=INSTRUMENTED):
    from bench.heads import HEADS
    from fastraw import Limits, _parse, _parse_py, body
    from tests.fuzz.outcomes import of_content, of_head, of_head_in_pieces
    from tests.wire_corpus import Send, load

CHOICES = 4  # octets in front of a message
LIMITS = (
    Limits(),
    Limits(request_line_bytes=40, head_bytes=100, field_lines=4),
    Limits(request_line_bytes=None, head_bytes=None, field_lines=None),
    Limits(head_bytes=200_000, field_lines=2000),
)
ROOMS = (None, 5, 1000, 2**40)
BEHIND = b"GET /behind HTTP/1.1\r\n"


def one_input(data: bytes) -> None:
    if len(data) < CHOICES:
        return
    what, start, *seed = data[:CHOICES]
    octets = data[CHOICES:]
    chance = random.Random(bytes(seed))
    cuts = sorted(chance.randrange(len(octets) + 1) for _ in range(chance.choice((1, 2, 5, 30))))
    if what & 1:
        chunks(octets, cuts, what >> 1)
    else:
        heads(octets, min(start, len(octets)), cuts, what >> 1)


def heads(octets: bytes, start: int, cuts: list[int], choice: int) -> None:
    limits = LIMITS[choice % len(LIMITS)]
    expected = of_head(_parse_py.parse_head, octets, start, 0, limits)
    compare(of_head(_parse.parse_head, octets, start, 0, limits), expected)
    compare(of_head(_parse.parse_head, bytearray(octets), start, 0, limits), expected)
    later = [cut for cut in cuts if cut > start]
    for module in (_parse, _parse_py):
        compare(of_head_in_pieces(module.parse_head, octets, start, later, limits), expected)
    if expected is not None:
        compare(of_head(_parse.parse_head, octets + BEHIND, start, 0, limits), expected)


def chunks(octets: bytes, cuts: list[int], choice: int) -> None:
    limits, room = LIMITS[choice % 4], ROOMS[choice // 4 % len(ROOMS)]
    outcomes = []
    for module in (_parse_py, _parse):
        body.take_chunks = module.take_chunks
        outcomes += [of_content(octets, (), limits, room), of_content(octets, cuts, limits, room)]
    for outcome in outcomes:
        compare(outcome, outcomes[0])


def compare(outcome: object, expected: object) -> None:
    if outcome != expected:
        raise AssertionError(f"{outcome!r} instead of {expected!r}")


def write_corpus(directory: Path) -> None:
    """The heads of the benchmark, and all that the wire corpus sends."""
    directory.mkdir(parents=True, exist_ok=True)
    seeds = set(HEADS.values())
    for case in load():
        seeds.update(step.octets for step in case.steps if isinstance(step, Send))
    for number, seed in enumerate(sorted(seed for seed in seeds if len(seed) < 10_000)):
        _, empty_line, content = seed.partition(b"\r\n\r\n")
        (directory / f"head-{number}").write_bytes(bytes((0, 0, number % 256, 0)) + seed)
        if empty_line and content:
            (directory / f"chunks-{number}").write_bytes(bytes((1, 0, number % 256, 0)) + content)


def main() -> None:
    assert _parse.__file__.startswith(str(ROOT / "build")), _parse.__file__
    if sys.argv[1] == "--write-corpus":
        write_corpus(Path(sys.argv[2]))
        return
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
