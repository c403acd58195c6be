"""Results to tables: medians over the rounds, ratios of samples taken in the same round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from peers import BARE

Results = dict[str, Any]
"""As server.py saves them: machine, peers, missing, jobs."""

Format = Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _micro(value: float) -> str:
    if value < 1000:
        return f"{value:.{0 if value >= 100 else 1}f} µs"
    return f"{value / 1000:.{0 if value >= 100_000 else 1}f} ms"


def _milli(value: float) -> str:
    return f"{value:.2f} ms"


def _ratio(value: float) -> str:
    return f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _rarely(value: float) -> str:
    return f"{value:.1f}"


COLUMNS: dict[str, tuple[tuple[str, str, Format], ...]] = {
    "wrk": (
        ("rate", "requests/s", _count),
        ("to_limit", "of the bare loop", _ratio),
        ("to_fastraw", "of fastraw", _ratio),
        ("cpu_us", "CPU a request", _micro),
        ("p50_us", "p50", _micro),
        ("p99_us", "p99", _micro),
        ("memory_mib", "MiB", _count),
    ),
    "crowd": (
        ("rate_alone", "requests/s alone", _count),
        ("rate", "among the crowd", _count),
        ("rate_ratio", "ratio", _ratio),
        ("p99_alone_us", "p99 alone", _micro),
        ("p99_beside_us", "beside another's crowd", _micro),
        ("p99_us", "among the crowd", _micro),
        ("p99_ratio", "to alone", _ratio),
        ("p99_beside_ratio", "to beside", _ratio),
        ("idle_bytes", "octets an idle one", _count),
        ("half_bytes", "a half-sent one", _count),
        ("open", "still open", _count),
    ),
    "drip": (
        ("p50_ms", "median", _milli),
        ("worst_ms", "worst", _milli),
        ("cpu_percent", "CPU", _percent),
        ("open", "still open", _count),
    ),
    "idle": (
        ("calls", "system calls, none", _rarely),
        ("wake_ups", "wake-ups, none", _rarely),
        ("crowd_calls", "system calls, silent", _rarely),
        ("crowd_wake_ups", "wake-ups, silent", _rarely),
    ),
    "file": (
        ("rate", "MiB/s", _count),
        ("to_fastraw", "of fastraw", _ratio),
        ("cpu_us", "CPU a GiB", _micro),
        ("memory_mib", "MiB", _count),
        ("growth_mib", "MiB more than before", _rarely),
    ),
    "broadcast": (
        ("reached_ms", "all have it after", _milli),
        ("worst_ms", "worst", _milli),
        ("subscriber_bytes", "octets a subscriber", _count),
    ),
    "control": (("p50_ms", "median", _milli), ("worst_ms", "worst", _milli)),
    "import": (
        ("package_ms", "import fastraw", _milli),
        ("server_ms", "from fastraw import FastServer", _milli),
        ("http_server_ms", "import http.server", _milli),
        ("package_ratio", "fastraw to http.server", _ratio),
        ("server_ratio", "FastServer to it", _ratio),
    ),
    "lifecycle": (
        ("start_ms", "start()", _milli),
        ("start_worst_ms", "worst", _milli),
        ("stop_ms", "stop()", _milli),
        ("stop_worst_ms", "worst", _milli),
    ),
}
"""By kind of job: key in the sample, heading, format."""


def samples(job: Results, server: str) -> list[dict[str, float]]:
    """What the rounds found for a server, failures left out."""
    found = (each.get(server) for each in job["rounds"])
    return [sample for sample in found if sample and "failed" not in sample]


def median(job: Results, server: str, key: str) -> float | None:
    """The median of one figure; None where it was not measured."""
    values = [sample[key] for sample in samples(job, server) if key in sample]
    return statistics.median(values) if values else None


def ratio(job: Results, server: str, other: str, key: str = "rate") -> float | None:
    """The median over the rounds of server's figure divided by other's; None without both."""
    ratios = []
    for each in job["rounds"]:
        mine, its = each.get(server, {}).get(key), each.get(other, {}).get(key)
        if mine is not None and its:
            ratios.append(mine / its)
    return statistics.median(ratios) if ratios else None


def limit(job: Results) -> str:
    """The name of the faster bare loop."""
    return max(BARE, key=lambda name: median(job, name, "rate") or 0.0)


def servers(job: Results) -> list[str]:
    """All that took part, the fastest first where there is a rate."""
    names = list(dict.fromkeys(name for each in job["rounds"] for name in each))
    return sorted(names, key=lambda name: -(median(job, name, "rate") or 0.0))


def failure(job: Results, server: str) -> str:
    """How often it failed, and the last reason."""
    reasons = [each[server]["failed"] for each in job["rounds"] if "failed" in each.get(server, {})]
    if not reasons:
        return ""
    often = f"{len(reasons)} of {len(job['rounds'])} rounds: " if len(job["rounds"]) > 1 else ""
    return f"failed, {often}{reasons[-1]}"


def table(job: Results) -> str:
    """One job as Markdown."""
    columns = COLUMNS[job["kind"]]
    best = limit(job)
    lines = [f"### {job['title']}", ""]
    lines += ["| | " + " | ".join(heading for _, heading, _ in columns) + " |"]
    lines += ["|---|" + "---:|" * len(columns)]
    notes = []
    for server in servers(job):
        if samples(job, server):
            cells = [_cell(job, server, best, key, form) for key, _, form in columns]
            lines.append(f"| {server} | " + " | ".join(cells) + " |")
        if reason := failure(job, server):
            notes.append(f"- {server}: {reason}")
    return "\n".join(lines + ([""] if notes else []) + notes) + "\n"


def _cell(job: Results, server: str, best: str, key: str, form: Format) -> str:
    if key == "to_limit":
        value = ratio(job, server, best)
    elif key == "to_fastraw":
        value = ratio(job, server, "fastraw")
    else:
        value = median(job, server, key)
    return "-" if value is None or math.isnan(value) else form(value)


def about(results: Results) -> str:
    """Where it was measured, of what, and what is missing."""
    machine = results["machine"]
    lines = [f"- {machine['cpu']}, {machine['system']}, Python {machine['python']}"]
    named = (
        f"{name} {peer['version']} ({peer['about']})".replace("  ", " ")
        for name, peer in results["peers"].items()
    )
    lines.append("- " + "; ".join(named))
    lines += [f"- missing: {name}: {reason}" for name, reason in results["missing"].items()]
    return "\n".join(lines) + "\n"


def tables(results: Results, names: Iterable[str]) -> str:
    """The jobs of those names as Markdown, with what they were measured on before them."""
    found = (table(results["jobs"][name]) for name in names if name in results["jobs"])
    return "\n".join([about(results), *found])
