"""What fastraw wants to reach, and whether it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import report
from report import Results

Value = float | None


@dataclass(frozen=True)
class Goal:
    """One figure: `value` is asked of the results, and must be at least or at most `wanted`."""

    what: str
    job: str
    wanted: float
    value: Callable[[Results], Value]
    at_most: bool = False
    unit: str = ""

    def row(self, results: Results) -> str:
        """A row of the table."""
        job = results["jobs"].get(self.job)
        value = self.value(job) if job else None
        bound = f"at {'most' if self.at_most else 'least'} {self.wanted:,g}{self.unit}"
        if value is None or math.isnan(value):
            return f"| {self.what} | {bound} | not measured | |"
        met = value <= self.wanted if self.at_most else value >= self.wanted
        digits = 0 if abs(value) >= 100 else 2
        verdict = "yes" if met else "**no**"
        return f"| {self.what} | {bound} | {value:,.{digits}f}{self.unit} | {verdict} |"


def _rate_over(other: str) -> Callable[[Results], Value]:
    return lambda job: report.ratio(job, "fastraw", other)


def _over_others(job: Results) -> Value:
    """Over the fastest of the others that were measured."""
    names = {name for each in job["rounds"] for name in each} - {"fastraw"}
    ratios = [report.ratio(job, "fastraw", name) for name in names]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _router(job: Results) -> Value:
    return report.ratio(job, "router", "fastraw")


def _p50_over(other: str) -> Callable[[Results], Value]:
    return lambda job: report.ratio(job, "fastraw", other, "p50_us")


def _median(key: str, server: str = "fastraw") -> Callable[[Results], Value]:
    return lambda job: report.median(job, server, key)


def _over_limit(key: str) -> Callable[[Results], Value]:
    return lambda job: report.ratio(job, "fastraw", report.limit(job), key)


def _two_over_one(unit: str) -> Callable[[Results], Value]:
    return lambda job: report.ratio(job, f"2 {unit}s", f"1 {unit}")


_HELLO = "hello, 64 connections: throughput, {} = 1"
_ONE = "hello, 1 connection: p50, {} = 1"
_WSGI = "hello, WSGI: throughput, {} = 1"
_MIXED = "5 % block, 32 workers: throughput, {} = 1"
_CROWD = "64 busy among 16,000 others: {}"
_DRIP = "1,000 clients, an octet a second each: {}"

GOALS = (
    Goal(_HELLO.format("bare loop"), "keep-64", 0.85, _over_limit("rate")),
    *(
        Goal(_HELLO.format(other), "keep-64", wanted, _rate_over(other))
        for other, wanted in (
            ("bjoern", 1.0),
            ("fastwsgi", 1.0),
            ("granian", 1.5),
            ("waitress", 10),
            ("cheroot", 10),
            ("gthread", 10),
        )
    ),
    *(
        Goal(_ONE.format(other), "keep-1", 0.5, _p50_over(other), at_most=True)
        for other in ("bjoern", "fastwsgi", "granian")
    ),
    Goal(
        "hello, 1 connection: CPU a request, bare loop = 1",
        "keep-1",
        1.2,
        _over_limit("cpu_us"),
        at_most=True,
    ),
    Goal(_MIXED.format("granian"), "mixed-32", 1.5, _rate_over("granian")),
    Goal(_MIXED.format("waitress"), "mixed-32", 10, _rate_over("waitress")),
    *(
        Goal(_WSGI.format(other), "wsgi", wanted, _rate_over(other))
        for other, wanted in (
            ("bjoern", 1.0),
            ("fastwsgi", 1.0),
            ("granian", 1.4),
            ("waitress", 8),
            ("cheroot", 8),
            ("gthread", 8),
        )
    ),
    Goal("Flask: throughput, the fastest other = 1", "wsgi-flask", 1.0, _over_others),
    Goal("WSGI, 5 % block: throughput, granian = 1", "wsgi-mixed", 1.5, _rate_over("granian")),
    Goal("files of 1 KiB: throughput, nginx = 1", "file-1k", 0.6, _rate_over("nginx")),
    Goal("a file of 1 GiB: throughput, nginx = 1", "file-1g", 0.9, _rate_over("nginx")),
    Goal("a file of 1 GiB: memory it takes", "file-1g", 1, _median("growth_mib"), True, " MiB"),
    Goal("10 MiB up, hashed: throughput, bare loop = 1", "upload-hash", 0.9, _over_limit("rate")),
    Goal("an event to 5,000 subscribers", "broadcast", 500, _median("reached_ms"), True, " ms"),
    Goal(
        "memory of a subscriber",
        "broadcast",
        16384,
        _median("subscriber_bytes"),
        at_most=True,
        unit=" octets",
    ),
    Goal("control lane, all workers blocked", "control", 10, _median("worst_ms"), True, " ms"),
    Goal("import fastraw: time, http.server = 1", "import", 1, _median("package_ratio"), True),
    Goal("hello, 500 routes: throughput, bare handler = 1", "routes", 0.92, _router),
    Goal("500 routes, a parameter: the same", "routes-parameter", 0.92, _router),
    Goal(
        "hello over TLS, 64 connections: throughput, bare loop = 1",
        "tls-keep-64",
        0.85,
        _over_limit("rate"),
    ),
    Goal("TLS handshakes: throughput, bare loop = 1", "tls-handshakes", 0.8, _over_limit("rate")),
    Goal("all block, 32 workers: 0.93 of 6,400/s", "blocking", 5952, _median("rate"), unit="/s"),
    Goal(_CROWD.format("throughput, alone = 1"), "crowd", 0.85, _median("rate_ratio")),
    Goal(_CROWD.format("p99, alone = 1"), "crowd", 1.15, _median("p99_ratio"), at_most=True),
    Goal(
        _CROWD.format("p99, beside another server's crowd = 1"),
        "crowd",
        1.15,
        _median("p99_beside_ratio"),
        at_most=True,
    ),
    Goal(
        _CROWD.format("memory of an idle one"),
        "crowd",
        2048,
        _median("idle_bytes"),
        at_most=True,
        unit=" octets",
    ),
    Goal(_DRIP.format("`GET /`, worst"), "drip", 10, _median("worst_ms"), True, " ms"),
    Goal(_DRIP.format("CPU"), "drip", 5, _median("cpu_percent"), True, " %"),
    Goal(
        "free-threaded, 1 ms of Python: two permits on two cores, one on one = 1",
        "free-threaded-cpu",
        1.8,
        _two_over_one("core"),
    ),
    Goal(
        "free-threaded, hello: two permits, one = 1",
        "free-threaded-hello",
        1.0,
        _two_over_one("permit"),
    ),
    Goal("idle: system calls a second, no connection", "idle", 0, _median("calls"), True),
    Goal("idle: wake-ups a second, silent ones", "idle", 1, _median("crowd_wake_ups"), True),
    Goal("`stop()`, idle", "lifecycle", 5, _median("stop_ms"), True, " ms"),
    Goal("`start()`", "lifecycle", 20, _median("start_ms"), True, " ms"),
)


def table(results: Results) -> str:
    """All goals as Markdown."""
    lines = ["| what | wanted | measured | reached |", "|---|---|---:|---|"]
    return "\n".join(lines + [goal.row(results) for goal in GOALS]) + "\n"
