"""curl: one process, one connection, a request for each step."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients import STEPS, Step, run


def arguments(number: int, step: Step, url: str, directory: Path) -> list[str]:
    """One request: its content comes from a file, the answer's goes to another."""
    arguments = ["--silent", "--show-error", "--http1.1", "--max-time", "15"]
    arguments += ["--output", str(directory / f"{number}.out"), "--write-out", "%{http_code} "]
    arguments += ["--head"] if step.method == "HEAD" else ["--request", step.method]
    if step.content is not None:
        source = directory / f"{number}.in"
        source.write_bytes(step.content)
        arguments += ["--data-binary", f"@{source}"]
    if step.chunked:
        arguments += ["--header", "Transfer-Encoding: chunked"]
    return [*arguments, url + step.path]


def hold(url: str) -> Iterator[tuple[int, bytes]]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        command = ["curl"]
        for number, step in enumerate(STEPS):
            command += ["--next"] if number else []
            command += arguments(number, step, url, directory)
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for number, (status, step) in enumerate(zip(output.split(), STEPS, strict=True)):
            content = directory / f"{number}.out"
            # For HEAD, curl writes the header section where the content would go.
            empty = step.method == "HEAD" or not content.exists()
            yield int(status), b"" if empty else content.read_bytes()


if __name__ == "__main__":
    run(hold)
