"""The page that shows what is in a directory.

    folder -> entries -> sorted by the query -> rows -> page, with a policy that lets nothing run

1. Names are anybody's text: escaped in HTML, percent-encoded in links, set apart from the text
   around them, and without characters that turn it round or control it.
2. The page needs no script. Its style is allowed by its hash, everything else is forbidden.
3. What could not be asked for is not shown: links that are not followed, dot files, what is
   neither file nor directory, names that are not UTF-8.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import blake2b, sha256
from html import escape
from stat import S_ISDIR, S_ISREG
from time import gmtime, strftime
from urllib.parse import quote, unquote

from ...request import Request
from ...response import HTML, Response
from ..look import LISTING_STYLE, page
from .representation import Representation
from .tree import Folder, Tree

# More than anyone reads; sorting and writing them takes about a tenth of a second.
MAX_ENTRIES = 10_000

_SORTS = ("name", "size", "date")
_LABELS = {"name": "Name", "size": "Size", "date": "Modified"}
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
# Controls, and what overrides the direction of text (UAX 9): they would change what is around
# them, or pretend that a name ends in something else.
_TRICKS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")

_STYLE_HASH = b64encode(sha256(LISTING_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_FIELDS = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    # Links lead into other people's files; where one came from is not theirs to know.
    ("Referrer-Policy", "no-referrer"),
    # Anything can change in a directory at any time; the entity tag spares sending it again.
    ("Cache-Control", "no-cache"),
]

_CONTENT = """\
<h1>{crumbs}</h1>
{table}
<p><small>{summary}</small></p>"""


@dataclass(frozen=True)
class Entry:
    """A file or a directory; the size is that of a file."""

    name: str
    is_folder: bool
    size: int
    modified_seconds: int


@dataclass(frozen=True)
class Order:
    """How the entries are sorted: by one of `name`, `size`, `date`."""

    by: str = "name"
    descending: bool = False

    @property
    def query(self) -> str:
        """What asks for it, with its question mark; nothing for the order without being asked."""
        if self == Order():
            return ""
        return f"?sort={self.by}" + ("&order=desc" if self.descending else "")

    def sort(self, entries: list[Entry]) -> list[Entry]:
        """Sorted; directories first, and by name what is otherwise alike."""
        ordered = sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))
        if self.by == "size":
            ordered.sort(key=lambda entry: entry.size, reverse=self.descending)
        elif self.by == "date":
            ordered.sort(key=lambda entry: entry.modified_seconds, reverse=self.descending)
        elif self.descending:
            ordered.reverse()
        return sorted(ordered, key=lambda entry: not entry.is_folder)


class PageContent:
    """A page, as the content of a representation."""

    def __init__(self, page: bytes) -> None:
        self._page = page
        self.size = len(page)

    def read(self, start: int, count: int) -> bytes:
        return self._page[start : start + count]

    def slice(self, start: int, count: int) -> bytes:
        return self.read(start, count)

    def close(self) -> None:
        pass


def listing_page(request: Request, tree: Tree, folder: Folder, names: list[str]) -> Response:
    """The page for a directory of the tree, to which `names` lead. Raises OSError, HTTPError."""
    entries, complete = _entries(tree, folder)
    page = render(entries, complete, names, _order(request), unquote(request.mount_path)).encode()
    etag = f'"{blake2b(page, digest_size=16).hexdigest()}"'
    return Representation(HTML, etag, None, _FIELDS).answer(request, PageContent(page))


def _order(request: Request) -> Order:
    """What the query asks for; the order without being asked, for anything else."""
    by = request.query.get("sort", "name")
    return Order(by if by in _SORTS else "name", request.query.get("order") == "desc")


def _entries(tree: Tree, folder: Folder) -> tuple[list[Entry], bool]:
    """What is in a directory and can be asked for, and whether that is all."""
    entries: list[Entry] = []
    for name, status in folder.entries():
        is_folder = S_ISDIR(status.st_mode)
        if not (is_folder or S_ISREG(status.st_mode)) or not tree.takes(name):
            continue
        if any("\ud800" <= character <= "\udfff" for character in name):
            continue  # octets that are not UTF-8, in the way Python keeps them
        if len(entries) == MAX_ENTRIES:
            return entries, False
        size = 0 if is_folder else status.st_size
        entries.append(Entry(name, is_folder, size, int(status.st_mtime)))
    return entries, True


def render(entries: list[Entry], complete: bool, names: list[str], order: Order, mount: str) -> str:
    """The page.

    Args:
        entries: what it shows.
        complete: whether there is no more.
        names: of the directories from the root to this one.
        order: of the entries.
        mount: the path of the root, without its last slash.
    """
    rows = [_row(entry, order) for entry in order.sort(entries)]
    if names:
        rows.insert(0, _cells("../" + order.query, "<span>Up</span>", "up"))
    content = _CONTENT.format(
        crumbs=_crumbs(names, order, mount),
        table=_table(rows, order),
        summary=escape(_summary(entries, complete)),
    )
    title = escape(_shown(f"Index of {'/'.join([mount, *names])}/"))
    return page(title, LISTING_STYLE, content)


def _crumbs(names: list[str], order: Order, mount: str) -> str:
    """The way from the root to here, each step but the last a link."""
    labels = [f"{mount}/", *(f"{name}/" for name in names)]
    steps = []
    for up, label in enumerate(reversed(labels)):
        text = f"<bdi>{escape(_shown(label))}</bdi>"
        steps.append(f'<a href="{"../" * up}{escape(order.query)}">{text}</a>' if up else text)
    return "<wbr>".join(reversed(steps))


def _table(rows: list[str], order: Order) -> str:
    heads = []
    for by in _SORTS:
        here = order.by == by
        # A second click turns the order round.
        link = Order(by, here and not order.descending)
        state = f' aria-sort="{"descending" if order.descending else "ascending"}"' if here else ""
        heads.append(
            f'<th class="{by}" scope="col"{state}>'
            f'<a href="{escape(link.query or "?sort=name")}">{_LABELS[by]}</a></th>'
        )
    return (
        f"<table>\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n"
        + "".join(rows)
        + "</tbody>\n</table>"
    )


def _row(entry: Entry, order: Order) -> str:
    link, shown = quote(entry.name, safe=""), f"<bdi>{escape(_shown(entry.name))}</bdi>"
    time = gmtime(entry.modified_seconds)
    date = (
        f'<time datetime="{strftime("%Y-%m-%dT%H:%M:%SZ", time)}">{strftime("%Y-%m-%d", time)}'
        f'<span class="hour"> {strftime("%H:%M", time)}</span></time>'
    )
    if entry.is_folder:
        return _cells(f"{link}/{order.query}", f"<span>{shown}/</span>", "folder", date=date)
    size = f'<span title="{entry.size:,} bytes">{file_size(entry.size)}</span>'
    return _cells(link, f"<span>{shown}</span>", "file", size, date)


def _cells(link: str, shown: str, kind: str, size: str = "", date: str = "") -> str:
    return (
        f'<tr><td class="name"><a class="{kind}" href="{escape(link)}">{shown}</a></td>'
        f'<td class="size">{size}</td><td class="date">{date}</td></tr>\n'
    )


def _summary(entries: list[Entry], complete: bool) -> str:
    if not entries:
        return "This directory is empty."
    if not complete:
        return f"Only {MAX_ENTRIES:,} entries are shown; there are more."
    folders = sum(entry.is_folder for entry in entries)
    files = len(entries) - folders
    parts = []
    if folders:
        parts.append("1 directory" if folders == 1 else f"{folders:,} directories")
    if files:
        size = file_size(sum(entry.size for entry in entries))
        parts.append(f"{'1 file' if files == 1 else f'{files:,} files'}, {size}")
    return ", ".join(parts) + ". Times are in UTC."


def file_size(size: int) -> str:
    """In the largest unit that leaves at least 1, with a decimal below 10."""
    if size < 1024:
        return f"{size} B"
    value, power = size / 1024, 0
    while value >= 1023.5 and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.{int(value < 9.95)}f} {_UNITS[power]}"


def _shown(text: str) -> str:
    """Without characters that play tricks on the reader."""
    return _TRICKS.sub("\ufffd", text)
