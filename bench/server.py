"""Compares HTTP servers: `python bench/server.py`; bench/README.md says how it measures.

for each job:                    a load, or one of the special measurements
  for each round:
    for each server:             started afresh on one core, the load on another
      ask, compare the answer, warm up, measure
  save                           so that a long run can be cut short
print tables and goals, draw the chart
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import chart
import embed
import goals
import jobs
import loads
import report
import special
import summary
import wrk
from jobs import Job, Sample
from loads import Place
from peers import BENCH, PEERS, Peer
from process import Server, ServerFailed
from report import Results

ROOT = BENCH.parent
RESULTS = ROOT / "build" / "bench" / "server.json"
CHART = "benchmark.svg"
SMOKE_SERVERS = ("bare", "fastraw", "waitress", "uvicorn")
MARKS = ("<!-- measured -->\n", "<!-- end -->\n")


def arguments(names: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare HTTP servers with wrk.")
    known = [peer.name for peer in PEERS]
    parser.add_argument("--servers", nargs="+", default=known, choices=known, metavar="NAME")
    parser.add_argument("--loads", nargs="+", default=list(names), choices=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="for everything: fewer rounds, where they would take longer; never less than one",
    )
    parser.add_argument(
        "--free-threaded", metavar="PYTHON", help="a free-threaded Python with fastraw installed"
    )
    parser.add_argument("--smoke", action="store_true", help="everything once, in a minute")
    parser.add_argument("--results", type=Path, default=RESULTS, help="kept and added to")
    parser.add_argument("--report", action="store_true", help="measure nothing, print the results")
    parser.add_argument("--save", action="store_true", help="put them into docs/ and the READMEs")
    parser.add_argument("--list", action="store_true", help="list servers and loads")
    return parser.parse_args()


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": f"{names[0] if names else platform.machine()}, {os.cpu_count()} CPUs",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def place(python: str, server_cpus: Sequence[int], load_cpus: Sequence[int]) -> Place:
    """Where to run, with the work of a millisecond measured on that interpreter."""
    run = subprocess.run(
        [python, "-m", "servers.app"],
        cwd=BENCH,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, server_cpus),
    )
    return Place(tuple(server_cpus), tuple(load_cpus), int(run.stdout))


def parser() -> str:
    """Which of fastraw's parsers is measured: a missing extension must not go unseen."""
    code = "import fastraw; print(fastraw.IMPLEMENTATION)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def measure(job: Job, peer: Peer, where: Place, seconds: float, python: str) -> Sample | Results:
    """One sample, or why there is none."""
    if job.name in peer.unfit:
        return {"failed": peer.unfit[job.name]}
    try:
        with Server(peer, where.server_cpus, job.arguments, python) as server:
            return job.measure(server, where, seconds)
    except (ServerFailed, wrk.LoadFailed) as error:
        return {"failed": str(error)}


def run(
    job: Job,
    peers: Iterable[Peer],
    where: Place,
    given: argparse.Namespace,
    python: str,
    until: float,
) -> Results:
    """All rounds of a job, or those that are likely to end by then (time.monotonic())."""
    longest_seconds = 0.0
    peers = job.peers or [peer for peer in peers if peer.name in job.servers]
    found: Results = {"title": job.title, "kind": job.kind, "rounds": []}
    for number in range(min(given.rounds, job.rounds or given.rounds)):
        begin = time.monotonic()
        if number and begin + longest_seconds > until:
            break
        samples = {}
        # Every other round runs backwards: what drifts with time hits both ends alike.
        for peer in peers if number % 2 == 0 else reversed(peers):
            samples[peer.name] = measure(job, peer, where, given.seconds, python)
            progress(job.name, number, peer.name, samples[peer.name])
        found["rounds"].append(samples)
        longest_seconds = max(longest_seconds, time.monotonic() - begin)
    return found


def progress(job: str, number: int, server: str, sample: Sample | Results) -> None:
    """One line on standard error for each sample."""
    values = " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in sample.items()
    )
    print(f"{job:13} {number + 1}  {server:12} {values}", file=sys.stderr, flush=True)


def by_itself(name: str, measure: Callable[[], dict[str, float]]) -> Results:
    """What needs no running server, in the shape of a job."""
    try:
        sample: Results = dict(measure())
    except ServerFailed as error:
        sample = {"failed": str(error)}
    progress(name, 0, "fastraw", sample)
    return {"title": jobs.OTHER[name], "kind": name, "rounds": [{"fastraw": sample}]}


def free_threaded(
    name: str, given: argparse.Namespace, cpus: Sequence[int], until: float
) -> Results:
    """One permit against two, server and load on the same cores."""
    load_name, rows = jobs.FREE_THREADED_LOADS[name.rpartition("-")[2]]
    load = next(load for load in loads.LOADS if load.name == load_name)
    job = Job(
        name,
        jobs.OTHER[name],
        "wrk",
        partial(loads.measure, load),
        servers=tuple(peer.name for peer in rows),
    )
    where = place(given.free_threaded, cpus, cpus)
    return run(job, rows, where, given, given.free_threaded, until)


def measure_all(given: argparse.Namespace, every: dict[str, Job], results: Results) -> None:
    """All that was asked for, saved after each job."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("this needs two CPUs: one for the server, one for the load")
    chosen = [peer for peer in PEERS if peer.name in given.servers]
    asked = [every[name] for name in given.loads if name in every]
    others = {peer.name: peer for job in asked for peer in job.peers} | {
        peer.name: peer for peer in chosen
    }
    missing = {peer.name: why for peer in others.values() if (why := peer.missing())}
    for name, reason in missing.items():
        print(f"missing: {name}: {reason}", file=sys.stderr)
    peers = [peer for peer in chosen if peer.name not in missing]
    results["machine"] = machine()
    results["missing"] = {**results["missing"], **missing}
    for peer in peers:
        about = peer.about + (f"; parser: {parser()}" if peer.name == "fastraw" else "")
        results["peers"][peer.name] = {"version": peer.version(), "about": about}
        results["missing"].pop(peer.name, None)
    where = place(sys.executable, cpus[:1], cpus[1:2])
    os.sched_setaffinity(0, where.load_cpus)
    end = time.monotonic() + given.minutes * 60
    for number, name in enumerate(given.loads):
        # An equal share of what is left of the time.
        now = time.monotonic()
        until = now + (end - now) / (len(given.loads) - number)
        if name in every:
            there = tuple(peer for peer in every[name].peers if peer.name not in missing)
            found = run(
                replace(every[name], peers=there), peers, where, given, sys.executable, until
            )
        elif name in (jobs.LIFECYCLE, jobs.IMPORT):
            if "fastraw" not in (peer.name for peer in peers):
                continue
            if name == jobs.LIFECYCLE:
                times = 5 if given.smoke else 50
                measure = partial(special.measure_lifecycle, where, times)
            else:
                measure = partial(embed.measure_import, 2 if given.smoke else 20)
            found = by_itself(name, measure)
        elif given.free_threaded:
            found = free_threaded(name, given, cpus[:2], until)
        else:
            continue
        results["jobs"][name] = found
        given.results.parent.mkdir(parents=True, exist_ok=True)
        given.results.write_text(json.dumps(results, indent=1))


def save(results: Results, text: str) -> None:
    """Write the chart for the docs, and the tables between the marks in both READMEs."""
    (ROOT / "docs" / CHART).write_text(chart.draw(results))
    for readme, tables in (
        (BENCH / "README.md", text),
        (ROOT / "README.md", summary.table(results)),
    ):
        before, _, rest = readme.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        readme.write_text(before + MARKS[0] + "\n" + tables + "\n" + MARKS[1] + after)


def failures(results: Results, names: Iterable[str]) -> list[str]:
    """Every failed sample of those jobs, one line each."""
    return [
        f"{name}: {server}: {sample['failed']}"
        for name in names
        for each in results["jobs"].get(name, {"rounds": []})["rounds"]
        for server, sample in each.items()
        if "failed" in sample
    ]


def main() -> None:
    smoke = "--smoke" in sys.argv
    every = {job.name: job for job in jobs.jobs(smoke)}
    given = arguments([*every, *jobs.OTHER])
    if given.list:
        print("servers:", *(peer.name for peer in PEERS))
        print("loads:", *every, *jobs.OTHER)
        return
    if smoke:
        given.rounds, given.seconds = 1, 0.2
        given.servers = [name for name in given.servers if name in SMOKE_SERVERS]
        given.results = RESULTS.with_name("smoke.json")
        given.results.unlink(missing_ok=True)
    results: Results = {"machine": machine(), "peers": {}, "missing": {}, "jobs": {}}
    if given.results.exists():
        results = json.loads(given.results.read_text())
    if not given.report:
        if not wrk.available():
            sys.exit(wrk.INSTALL)
        measure_all(given, every, results)
    order = [name for name in [*every, *jobs.OTHER] if name in results["jobs"]]
    results["jobs"] = {name: results["jobs"][name] for name in order}
    text = report.tables(results, order if given.report else given.loads)
    text = goals.table(results) + "\n" + text
    print(text)
    given.results.with_name(CHART).write_text(chart.draw(results))
    if given.save:
        save(results, text)
    failed = failures(results, given.loads)
    if smoke and (failed or "fastraw" in results["missing"]):
        missing = [f"missing: {name}: {why}" for name, why in results["missing"].items()]
        sys.exit("\n".join(["the smoke run failed:", *failed, *missing]))


if __name__ == "__main__":
    main()
