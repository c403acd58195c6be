"""The documentation: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.ext.napoleon import Config, GoogleDocstring

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import fastraw  # noqa: E402 - from the checkout, wherever it is built

project = "fastraw"
author = "the fastraw authors"
copyright = "2026, the fastraw authors"  # noqa: A001 - Sphinx calls it so
version = release = fastraw.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["README.md"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "fastraw"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False

# What stands in single backticks in a docstring.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# Every other name that a signature mentions is on the page: those of the standard library, aliases
# of types, and what only the server makes, are not.
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|os|ssl|io|pathlib)\..+|datetime|SSLContext"),
    ("py:class", r"SameSite|Options|(fastraw\.apps\.router\.)?AnyHandler|Handler|fastraw\..*\.V"),
    ("py:class", r"fastraw\.(request\.Peer|spool\.Spool|testing\.Listening)"),
]


# Where the pages, and what they include, lead in the checkout, and where that is here. What is no
# page keeps its name.
PAGES = {"README.md": "index.md", "bench/README.md": "figures.md"}
_link = re.compile(r"\[([^\]]+)\]\((?!https?:|#)(?:\.\./|docs/)*([^)#]+)\)")


def lead_here(text: str) -> str:
    """Markdown whose links lead to pages of this documentation."""

    def link(match: re.Match[str]) -> str:
        target = PAGES.get(match[2], match[2])
        exists = (ROOT / "docs" / target).is_file()
        return f"[{match[1]}]({target})" if exists else f"`{match[1]}`"

    return _link.sub(link, text)


def setup(app: Any) -> None:
    """Called by Sphinx."""

    def docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        # What stands before a colon in the docstring of an attribute is no type.
        if what not in ("attribute", "data", "property"):
            google = GoogleDocstring(lines, sections, app, what, name, obj, options)
            lines[:] = google.lines()

    sections = Config(napoleon_google_docstring=True)
    app.connect("autodoc-process-docstring", docstring)

    def page(app: Any, name: str, source: list[str]) -> None:
        source[0] = lead_here(source[0])

    def part(app: Any, path: Path, parent: str, source: list[str]) -> None:
        source[0] = lead_here(source[0])

    app.connect("source-read", page)
    app.connect("include-read", part)
