"""Parsers against each other: time for each head, ratios over all of them, and the goals.

    python bench/parse_report.py [--rounds N] [--save]

Every round measures each parser on each head in turn, so that what drifts with time hits all. A
time is the least of the rounds, a ratio the median of those within each round; over the heads, the
geometric mean. --save puts the tables into README.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from timeit import Timer

from heads import HEADS
from parsers import (
    FASTRAW,
    H1C_ALL,
    H1C_RAW,
    H11,
    HTTPTOOLS,
    HTTPTOOLS_TEXT,
    PURE,
    Parser,
    check,
    load,
)

BENCH = Path(__file__).resolve().parent
MARKS = ("<!-- parsers -->", "<!-- end of parsers -->")
ROUND_SECONDS = 0.004  # what one parser has for one head in one round

Times = dict[str, dict[str, list[float]]]
"""By head and parser: seconds of one call, round by round."""

# Kind of work; slower; faster; that at least so many times as fast.
GOALS = (
    ("offsets", H1C_RAW, FASTRAW, 1.8),
    ("objects", H1C_ALL, FASTRAW, 1.5),
    ("objects", HTTPTOOLS, FASTRAW, 4.0),
    ("objects", HTTPTOOLS_TEXT, FASTRAW, 4.0),
    ("objects", HTTPTOOLS, PURE, 0.5),
    ("objects", HTTPTOOLS_TEXT, PURE, 0.5),
    ("objects", H11, PURE, 5.0),
)


def measure(parsers: list[Parser], rounds: int) -> Times:
    times: Times = {head: {parser.name: [] for parser in parsers} for head in HEADS}
    calls: dict[tuple[str, str], tuple[Timer, int]] = {}
    for head, octets in HEADS.items():
        for parser in parsers:
            check(parser, octets)
            timer = Timer("parse(octets)", globals={"parse": parser.parse, "octets": octets})
            number = max(1, int(ROUND_SECONDS / (min(timer.repeat(3, 50)) / 50)))
            calls[head, parser.name] = timer, number
    for _ in range(rounds):
        for (head, name), (timer, number) in calls.items():
            times[head][name].append(timer.timeit(number) / number)
    return times


def ratio(times: Times, slower: str, faster: str) -> float:
    """How many times as fast: geometric mean over the heads."""
    return statistics.geometric_mean(
        statistics.median(
            slow / fast for slow, fast in zip(rows[slower], rows[faster], strict=True)
        )
        for rows in times.values()
    )


def table(work: str, times: Times) -> list[str]:
    names = list(next(iter(times.values())))
    lines = [
        f"| {work}, µs a head | " + " | ".join(times) + " | to fastraw |",
        "|---|" + "---:|" * (len(times) + 1),
    ]
    for name in names:
        cells = [f"{min(times[head][name]) * 1e6:.2f}" for head in times]
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio(times, name, FASTRAW):.2f} |")
    return [*lines, ""]


def goals(every: dict[str, Times]) -> list[str]:
    lines = ["| what | wanted | measured | reached |", "|---|---:|---:|---|"]
    for work, slower, faster, wanted in GOALS:
        title = f"| {work}: time of {slower} / time of {faster} | {wanted} |"
        try:
            found = ratio(every[work], slower, faster)
        except KeyError:
            lines.append(f"{title} not measured | |")
            continue
        lines.append(f"{title} {found:.2f} | {'yes' if found >= wanted else 'no'} |")
    return lines


def save(text: str) -> None:
    """Write the tables between the marks in README.md."""
    readme = BENCH / "README.md"
    before, _, rest = readme.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=60)
    arguments.add_argument("--save", action="store_true", help="put them into README.md")
    given = arguments.parse_args()
    every: dict[str, Times] = {}
    lines = [f"Python {sys.version.split()[0]}, {given.rounds} rounds.", ""]
    for work in ("offsets", "objects"):
        parsers, missing = load(work)
        every[work] = measure(parsers, given.rounds)
        lines += table(work, every[work])
        lines += [f"Missing: {name}: {reason}" for name, reason in missing.items()]
    text = "\n".join([*lines, *goals(every)])
    print(text)
    if given.save:
        save(text)


if __name__ == "__main__":
    main()
