"""Media types by the end of a name; the same on every system, whatever it has registered."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping

OCTETS = "application/octet-stream"

# What the standard library lacks, in some version or all, or calls by an older name.
_OURS = {
    ".avif": "image/avif",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/matroska",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".rst": "text/x-rst",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
# Compressed already: nobody keeps a smaller neighbour beside these.
_COMPRESSED = frozenset(
    (
        *("application/gzip", "application/pdf", "application/vnd.rar", "application/zip"),
        *("application/x-7z-compressed", "application/x-brotli", "application/x-bzip2"),
        *("application/x-xz", "application/zstd", "font/woff", "font/woff2"),
        *("image/avif", "image/gif", "image/heic", "image/jpeg", "image/png", "image/webp"),
    )
)


class MediaTypes:
    """Looks media types up.

    Args:
        more: types by the end of a name (".ext", in lower case), before those known here.
    """

    def __init__(self, more: Mapping[str, str] | None = None) -> None:
        known = mimetypes.MimeTypes().types_map[True]
        self._types = {end: _with_charset(kind) for end, kind in {**known, **_OURS}.items()}
        self._types.update(more or {})

    def of(self, name: str) -> str:
        """The Content-Type for a file of this name. Text is said to be UTF-8."""
        _, dot, end = name.rpartition(".")
        end = dot + end
        return self._types.get(end) or self._types.get(end.lower(), OCTETS)


def may_be_compressed(content_type: str) -> bool:
    """Whether a file of this type can be worth compressing."""
    kind = content_type.partition(";")[0]
    return not (kind in _COMPRESSED or kind.startswith(("audio/", "video/")))


def _with_charset(kind: str) -> str:
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
