"""Names below a root, and the one way to open them.

    raw path -> Tree.names -> Tree.walk -> Folder.open, Folder.entries

1. A path is cut at its slashes first and decoded after: no encoded octet makes a new segment.
2. A name is one that a directory can hold. Dot segments, empty ones, slashes, backslashes and NUL
   are refused, never resolved; so are dot files, unless they are wanted.
3. Each name is opened relative to the directory before it, without following a symbolic link:
   whatever is renamed or replaced meanwhile, there is no step that leads out of the root.
4. Opening never waits: a FIFO or a device is opened without blocking, and what is opened is
   looked at by its descriptor.

What is above the root, the root itself among it, is the program's own choice: links there are
followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote_to_bytes

from ...errors import HTTPError

# Most paths: no escapes, nothing that begins with a dot, nothing that needs a second look.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_!$&'()+,;=@~-][A-Za-z0-9._!$&'()+,;=@~-]*)+/?").fullmatch
_ESCAPES = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*").fullmatch
_UNSAFE = re.compile(r"[/\\\0]").search
# On Windows these name a drive, a stream, a device, another file, or a file by its short name.
_UNSAFE_ON_WINDOWS = re.compile(
    r"[\x01-\x1f<>:\"|?*]|[. ]$|~[0-9]"
    r"|^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\s*\.|\s*$)",
    re.IGNORECASE,
).search
_WINDOWS = os.name == "nt"
_NAME_SURROGATE = 0x20000000

# Windows knows none of the last four, and would change line ends without the first.
_READ = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)

BY_DESCRIPTOR = bool(
    _NO_FOLLOW and _DIRECTORY and os.open in os.supports_dir_fd and os.scandir in os.supports_fd
)
"""Whether this system opens names relative to a directory's descriptor."""


class Folder(Protocol):
    """A directory of the tree. Each method raises OSError."""

    def open(self, name: str) -> int:
        """A descriptor to read what `name` is, of whatever kind."""

    def enter(self, name: str) -> Folder:
        """The directory `name`."""

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Name and status of what is in it, in no order; what vanishes meanwhile is left out."""

    def close(self) -> None: ...


class Tree:
    """What may be opened below a root.

    Args:
        root: a directory; OSError (FileNotFoundError, NotADirectoryError) when it is none,
            ValueError when it is empty, which would be the working directory.
        follow_links: follow symbolic links below the root, wherever they lead.
        dot_files: take names that begin with a dot.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, follow_links: bool = False, dot_files: bool = False
    ) -> None:
        if not root:
            raise ValueError(f"root must be a directory, not {root!r}")
        # Absolute: the program may change its directory later.
        self.root = os.path.abspath(os.fsdecode(root))
        self.dot_files = dot_files
        with os.scandir(self.root):
            pass
        kind = _DescriptorFolder if BY_DESCRIPTOR else _PathFolder
        self.top: Folder = kind(self.root, follow_links)

    def names(self, raw_path: str) -> list[str]:
        """The names in a path as received; the last is empty when it ends with a slash.

        Raises HTTPError: 400 for percent-encoding that is none or not of UTF-8, 404 for a name
        that nothing here can have.
        """
        if _PLAIN(raw_path) and not _WINDOWS:
            return raw_path[1:].split("/")
        slash, _, rest = raw_path.partition("/")
        if slash or not raw_path:
            raise HTTPError(404)
        segments = rest.split("/")
        names = [_decoded(segment) for segment in segments]
        for name in names[:-1]:
            self._check(name)
        if names[-1]:
            self._check(names[-1])
        return names

    def takes(self, name: str) -> bool:
        """Whether a path can hold this name of a file."""
        if not name or name in (".", "..") or _UNSAFE(name):
            return False
        if name[0] == "." and not self.dot_files:
            return False
        return not (_WINDOWS and _UNSAFE_ON_WINDOWS(name))

    def _check(self, name: str) -> None:
        if not self.takes(name):
            raise HTTPError(404)

    def walk(self, names: list[str]) -> Folder:
        """The directory that the names lead to; the caller closes it. Raises OSError."""
        folder = self.top
        for name in names:
            try:
                inner = folder.enter(name)
            finally:
                folder.close()
            folder = inner
        return folder


def _decoded(segment: str) -> str:
    if "%" not in segment:
        return segment
    if not _ESCAPES(segment):
        raise HTTPError(400, "The path has a % that is not followed by two hexadecimal digits.")
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise HTTPError(400, "The path is not valid UTF-8.") from error


class _DescriptorFolder:
    """A directory that is held by its descriptor: it stays the same, wherever it is moved to.

    The root has none. It is found by its path each time, so that it can be replaced as a whole.
    """

    __slots__ = ("_descriptor", "_flags", "_prefix")

    def __init__(self, root: str, follow_links: bool) -> None:
        self._flags = _READ if follow_links else _READ | _NO_FOLLOW
        self._descriptor: int | None = None
        self._prefix = os.path.join(root, "")

    def open(self, name: str) -> int:
        if self._descriptor is None:
            return os.open(self._prefix + name, self._flags)
        return os.open(name, self._flags, dir_fd=self._descriptor)

    def enter(self, name: str) -> _DescriptorFolder:
        inner = _DescriptorFolder.__new__(_DescriptorFolder)
        inner._flags, inner._prefix = self._flags, ""
        inner._descriptor = os.open(
            self._prefix + name, self._flags | _DIRECTORY, dir_fd=self._descriptor
        )
        return inner

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        follow = not self._flags & _NO_FOLLOW
        with os.scandir(self._prefix if self._descriptor is None else self._descriptor) as found:
            yield from _stated(found, follow)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _PathFolder:
    """A directory by its path, for systems that open nothing relative to a descriptor.

    What a path names may change between looking and opening. So what was opened is compared with
    what was looked at; a directory above it that is replaced by a link in just that moment is
    not noticed.
    """

    __slots__ = ("_look", "_path")

    def __init__(self, path: str, follow_links: bool) -> None:
        self._path = path
        self._look = os.stat if follow_links else _stat_no_link

    def open(self, name: str) -> int:
        path = os.path.join(self._path, name)
        seen = self._look(path)
        if stat.S_ISDIR(seen.st_mode):
            raise IsADirectoryError(path)  # Windows cannot open one
        descriptor = os.open(path, _READ)
        if not os.path.samestat(seen, os.fstat(descriptor)):
            os.close(descriptor)
            raise FileNotFoundError(path)
        return descriptor

    def enter(self, name: str) -> _PathFolder:
        path = os.path.join(self._path, name)
        if not stat.S_ISDIR(self._look(path).st_mode):
            raise NotADirectoryError(path)
        return _PathFolder(path, self._look is os.stat)

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(self._path) as found:
            yield from _stated(found, self._look is os.stat)

    def close(self) -> None:
        pass


def _stat_no_link(path: str) -> os.stat_result:
    """The status of what is no link; FileNotFoundError for a link."""
    seen = os.lstat(path)
    # A junction on Windows is no link to S_ISLNK, but a reparse point that stands for a name.
    if stat.S_ISLNK(seen.st_mode) or getattr(seen, "st_reparse_tag", 0) & _NAME_SURROGATE:
        raise FileNotFoundError(path)
    return seen


def _stated(
    found: Iterator[os.DirEntry[str]], follow: bool
) -> Iterator[tuple[str, os.stat_result]]:
    for entry in found:
        try:
            yield entry.name, entry.stat(follow_symlinks=follow)
        except OSError:
            continue
