"""The throughputs as an SVG: a panel for each load, a bar for each server.

Colours follow the reader's scheme, light or dark; so does the ground, since a page may have one of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import report
from peers import BARE
from report import Results

COLUMNS = 2
PANEL_WIDTH = 400
GAP = 30
MARGIN = 16
TITLE_HEIGHT = 30
ROW_HEIGHT = 18
BAR_HEIGHT = 12
NAME_WIDTH = 84
VALUE_WIDTH = 78

STYLE = """
.page { fill: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.value { font-variant-numeric: tabular-nums; }
.peer { fill: #7c93ab; }
.bare { fill: #b8bfc6; }
.fastraw { fill: #c2410c; }
.fastraw-name { font-weight: 700; }
@media (prefers-color-scheme: dark) {
  .page { fill: #131416; }
  text { fill: #e6edf3; }
  .peer { fill: #6f8aa6; }
  .bare { fill: #545d68; }
  .fastraw { fill: #fb923c; }
}
"""


def draw(results: Results) -> str:
    """All jobs that have a throughput, as one SVG document."""
    jobs = [job for job in results["jobs"].values() if job["kind"] == "wrk"]
    rows = [jobs[index : index + COLUMNS] for index in range(0, len(jobs), COLUMNS)]
    parts: list[str] = []
    y = MARGIN
    for row in rows:
        for column, job in enumerate(row):
            parts += _panel(job, MARGIN + column * (PANEL_WIDTH + GAP), y)
        y += max(_height(job) for job in row) + GAP
    width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" role="img">',
            "<title>Requests a second, by load and server</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{y}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _bars(job: Results) -> list[tuple[str, float]]:
    found = ((server, report.median(job, server, "rate")) for server in report.servers(job))
    return [(server, rate) for server, rate in found if rate is not None]


def _height(job: Results) -> int:
    return TITLE_HEIGHT + ROW_HEIGHT * len(_bars(job))


def _panel(job: Results, x: int, y: int) -> Iterable[str]:
    bars = _bars(job)
    most = max((rate for _, rate in bars), default=1.0)
    yield f'<text class="title" x="{x}" y="{y + 12}">{escape(job["title"])}</text>'
    for index, (server, rate) in enumerate(bars):
        top = y + TITLE_HEIGHT + index * ROW_HEIGHT
        middle = top + BAR_HEIGHT - 2
        length = max(1.0, rate / most * (PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH))
        kind = "bare" if server in BARE else "fastraw" if server == "fastraw" else "peer"
        yield f'<text class="{kind}-name" x="{x}" y="{middle}">{escape(server)}</text>'
        yield (
            f'<rect class="{kind}" x="{x + NAME_WIDTH}" y="{top}" '
            f'width="{length:.1f}" height="{BAR_HEIGHT}" rx="2"/>'
        )
        value_x = x + NAME_WIDTH + length + 6
        yield f'<text class="value" x="{value_x:.1f}" y="{middle}">{rate:,.0f}/s</text>'
