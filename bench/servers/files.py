"""The files that file servers serve: 1 KiB, and 1 GiB of zeros that take no space."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "build" / "bench" / "files"
SMALL = bytes(range(256)) * 4
LARGE_BYTES = 1024**3
CONTENT_TYPE = "application/octet-stream"


def folder() -> Path:
    """The folder, with all files in it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in (("index.html", b"<p>Hello"), ("1k.bin", SMALL)):
        path = FOLDER / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    large = FOLDER / "1g.bin"
    if not large.exists() or large.stat().st_size != LARGE_BYTES:
        with large.open("wb") as file:
            file.truncate(LARGE_BYTES)
    return FOLDER
