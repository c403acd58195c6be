"""The few figures that stand in the project's README: fastraw's throughput to that of others."""

from __future__ import annotations

import report
from report import Results

LOADS = {
    "keep-64": "hello",
    "mixed-32": "5 % block for 5 ms",
    "wsgi": "hello, WSGI",
    "wsgi-mixed": "WSGI, 5 % block",
    "wsgi-flask": "Flask",
}
"""Job -> heading."""
SERVERS = {
    "bjoern": "bjoern (C, one thread)",
    "fastwsgi": "fastwsgi (C, one thread)",
    "granian": "granian (Rust)",
    "uvicorn": "uvicorn (asyncio)",
    "waitress": "waitress",
    "cheroot": "cheroot",
    "gthread": "gunicorn, gthread",
    "http.server": "http.server",
}


def table(results: Results) -> str:
    """As Markdown: a row for each server, a column for each load; 2 means twice as many answers."""
    jobs = {name: results["jobs"][name] for name in LOADS if name in results["jobs"]}
    lines = ["| fastraw to | " + " | ".join(LOADS[name] for name in jobs) + " |"]
    lines += ["|---|" + "---:|" * len(jobs)]
    limits = [_cell(job, report.limit(job)) for job in jobs.values()]
    lines.append("| recv and send alone, one thread | " + " | ".join(limits) + " |")
    for server, title in SERVERS.items():
        cells = [_cell(job, server) for job in jobs.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    crowd, events = results["jobs"].get("crowd"), results["jobs"].get("broadcast")
    idle = report.median(crowd, "fastraw", "idle_bytes") if crowd else None
    subscriber = report.median(events, "fastraw", "subscriber_bytes") if events else None
    if idle is not None and subscriber is not None:
        memory = f"An idle connection takes {idle:,.0f} octets of memory,"
        lines += ["", f"{memory} a subscriber to events {subscriber:,.0f}."]
    return "\n".join(lines) + "\n"


def _cell(job: Results, server: str) -> str:
    """Empty where it did not take part."""
    ratio = report.ratio(job, "fastraw", server)
    return "" if ratio is None else f"{ratio:.{1 if ratio >= 9.995 else 2}f}"
