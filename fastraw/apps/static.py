"""StaticFiles: the files below a directory, as a handler.

    request -> names (tree.py) -> folder -> file -> neighbour by Accept-Encoding (codings.py)
                                         -> directory -> index, or a listing (listing.py)
            -> Representation -> answer by conditions and ranges (representation.py)

The files named here are in files/. Between two requests nothing is remembered of a file: it is
opened and looked at each time. Kept is only how the metadata of such a file is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from ..errors import HTTPError
from ..fields import combined
from ..headers import field_value
from ..request import Request
from ..response import Response
from .files.codings import accepted
from .files.descriptions import Descriptions
from .files.listing import listing_page
from .files.media import MediaTypes, may_be_compressed
from .files.openfile import OpenFile
from .files.representation import CONDITIONAL, SMALL_BYTES, Fields
from .files.tree import Folder, Tree

_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_READING = frozenset(("GET", "HEAD"))
# Paths that are kept with what they mean: about 1 KiB each.
_PLACES_LIMIT = 1024
_USUAL_CHARACTERS = 256

# What opening says of a name that is not there, or that is none of a file.
_MISSING = frozenset(
    getattr(errno, name, errno.ENOENT)
    for name in (
        *("ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "EINVAL"),
        # A link where none is followed, on Linux and on BSD; a socket; a device without a driver.
        *("ELOOP", "EMLINK", "EFTYPE", "ENXIO", "ENODEV", "EOPNOTSUPP"),
    )
)
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE))


class _Place(NamedTuple):
    """What a path means."""

    folders: list[str]
    """The names of the directories on the way."""
    name: str
    """Of the file; empty for a directory."""
    content_type: str
    varies: bool
    """Whether a compressed neighbour may take its place."""


class StaticFiles:
    """A handler that serves the files below a directory.

    Args:
        root: the directory.
        index: the name of the file that stands for a directory; None for none.
        listing: show what is in a directory that has no such file, instead of 404.
        cache_control: Cache-Control of files; without it none is sent.
        precompressed: send `name.br`, `name.zst` or `name.gz` in place of `name` to clients that
            accept the coding.
        media_types: Content-Type by the end of a name (`".ext"`), before those that are known.
        follow_links: follow symbolic links below the root, wherever they lead.
        dot_files: serve what has a name that begins with a dot.

    Conditions and ranges are answered by RFC 9110 sections 13 and 14. What is not there, is
    neither file nor directory, or would lead out of the root gets 404; what the process may not
    read, 403.

    Raises:
        OSError: the root is no directory that can be read.
        ValueError: index is no name, or cache_control no value of a header field.
    """

    stream_body = True
    """Whatever a client sends here, nobody waits for it."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        listing: bool = False,
        cache_control: str | None = None,
        precompressed: bool = True,
        media_types: Mapping[str, str] | None = None,
        follow_links: bool = False,
        dot_files: bool = False,
    ) -> None:
        self._tree = Tree(root, follow_links=follow_links, dot_files=dot_files)
        if index is not None and not self._tree.takes(index):
            raise ValueError(f"index must be the name of a file, not {index!r}")
        self._places: dict[str, _Place] = {}
        self._listing = listing
        self._precompressed = precompressed
        self._types = MediaTypes(media_types)
        self._index = None if index is None else self._place([], index)
        fields: Fields = []
        if cache_control is not None:
            fields.append(("Cache-Control", field_value("Cache-Control", cache_control)))
        self._descriptions = Descriptions(fields)

    def __call__(self, request: Request) -> Response:
        head, mount = request.head, request.mount_path
        if head.method not in _READING:
            if head.method == "OPTIONS":
                return Response(b"", 204, [_ALLOW])
            raise HTTPError(405, headers=[_ALLOW])
        target = head.target
        # Nearly always it is known what the target means; not in absolute form, or with a query.
        path = target[len(mount) :] if target[0] == "/" else ""
        place = self._places.get(path) or self._find(request.subpath)
        if place is None:
            return _to_directory(request)  # the mount itself, without its slash
        try:
            folder = self._tree.walk(place.folders) if place.folders else self._tree.top
            try:
                if place.name:
                    return self._file(request, folder, place)
                return self._directory(request, folder, place.folders)
            finally:
                folder.close()
        except IsADirectoryError:
            return _to_directory(request)
        except OSError as error:
            raise _refusal(error) from error
        except UnicodeEncodeError as error:
            raise HTTPError(404) from error  # no such name in the file system's encoding

    def route_key(self, request: Request) -> Hashable:
        """By what slowness is learned: making a listing can take long, a file seldom does."""
        return id(self), request.raw_path[-1:] == "/"

    def _find(self, path: str) -> _Place | None:
        """What a path means, which never changes: kept, as long as it is a usual one."""
        if not path or path in self._places:
            return self._places.get(path)
        folders = self._tree.names(path)
        place = self._place(folders, folders.pop())
        if len(path) <= _USUAL_CHARACTERS:
            if len(self._places) >= _PLACES_LIMIT:
                self._places.clear()
            self._places[path] = place
        return place

    def _place(self, folders: list[str], name: str) -> _Place:
        content_type = self._types.of(name)
        varies = self._precompressed and may_be_compressed(content_type)
        return _Place(folders, name, content_type, varies)

    def _directory(self, request: Request, folder: Folder, names: list[str]) -> Response:
        if self._index is not None:
            try:
                return self._file(request, folder, self._index)
            except OSError as error:
                if error.errno is not None and error.errno not in _MISSING:
                    raise
        if not self._listing:
            raise HTTPError(404)
        return listing_page(request, self._tree, folder, names)

    def _file(self, request: Request, folder: Folder, place: _Place) -> Response:
        """Raises OSError; IsADirectoryError for a directory."""
        names = {name.lower() for name, _ in request.headers.items()}
        content, coding = OpenFile(folder, place.name), ""
        try:
            if place.varies and "accept-encoding" in names:
                content, coding = _neighbour(request, folder, place.name, content)
            found = self._descriptions.of(content.status, place.content_type, coding, place.varies)
            if (
                content.size <= SMALL_BYTES
                and request.head.method == "GET"
                and CONDITIONAL.isdisjoint(names)
            ):
                # Nearly all requests, and just what found.answer() would come to.
                response = Response.prepared(found.start, 200, content.read_all())
                content.close()
                return response
        except BaseException:
            content.close()
            raise
        return found.answer(request, content)


def _neighbour(
    request: Request, folder: Folder, name: str, content: OpenFile
) -> tuple[OpenFile, str]:
    """The file's compressed neighbour that the client likes best, and its coding; the file
    itself without one."""
    for coding, end in accepted(combined(request.headers, "accept-encoding")):
        try:
            better = OpenFile(folder, name + end)
        except OSError:
            continue
        content.close()
        return better, coding
    return content, ""


def _to_directory(request: Request) -> Response:
    """A directory's path ends with a slash, or its relative links lead elsewhere."""
    # Never two slashes at the start: that would be another host (RFC 3986 section 4.2).
    location = "/" + request.raw_path.strip("/") + "/"
    if request.query_string:
        location += "?" + request.query_string
    return Response.redirect(location, 301)


def _refusal(error: OSError) -> HTTPError:
    """What the client is told of a file that cannot be opened. Raises what is our own trouble."""
    number = error.errno
    if number is None or number in _MISSING:
        return HTTPError(404)
    if number in (errno.EACCES, errno.EPERM):
        return HTTPError(403)
    if number in _EXHAUSTED:
        return HTTPError(503, "Too many files are open.", headers=[("Retry-After", "1")])
    raise error
