"""What the iterable of a WSGI application yields, on its way to the client."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

from ...engine.stream import close_iterable
from ...file import FileSlice

_error = logging.getLogger("fastraw.error")


class Pieces:
    """An iterable, which is checked, begun before the response is, and closed once.

    There is none to begin with: what `write` sends comes before it.

    Attributes:
        left: octets of the declared length that have not been taken; -1 when there is none.
    """

    __slots__ = ("_first", "_iterable", "_iterator", "left")

    def __init__(self) -> None:
        self._iterable: Iterable[bytes] | None = None
        self._iterator: Iterator[bytes] = iter(())
        self._first = b""
        self.left = -1

    def own(self, iterable: Iterable[bytes]) -> None:
        """Have an iterable to close, whatever happens."""
        self._iterable = iterable

    def begin(self) -> bytes:
        """The first piece that is not empty, which is kept; empty when there is none."""
        assert self._iterable is not None
        self._iterator = iterator = iter(self._iterable)
        for piece in iterator:
            if type(piece) is not bytes:
                raise TypeError(f"a WSGI application yields bytes, not {type(piece).__name__}")
            if piece:
                self._first = piece
                break
        return self._first

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._first or next(self._iterator)
        self._first = b""
        if self.left > 0:
            self.left = max(0, self.left - len(piece))
        return piece

    def finish(self) -> None:
        """All that was declared has been sent: let what is behind the last `yield` run, close."""
        self.left = 0
        self.close()

    def close(self) -> None:
        """Close the iterable, the first time this is called; what that raises is logged."""
        iterable, self._iterable = self._iterable, None
        if iterable is None:
            return
        if self.left == 0:
            finish(iterable, self._iterator)
        else:
            close_iterable(iterable)


def finish(iterable: Iterable[bytes], iterator: Iterator[bytes]) -> None:
    """Let what is behind the last piece run, and close the iterable; what they raise is logged."""
    try:
        next(iterator, None)
    except BaseException:
        _error.exception("Exception behind the last piece of a response")
    close_iterable(iterable)


class Begun:
    """An iterable of which a piece, or none, has been taken."""

    def __init__(
        self, iterable: Iterable[bytes], taken: tuple[bytes, ...], iterator: Iterator[bytes]
    ) -> None:
        self._iterable = iterable
        self._pieces = chain(taken, iterator)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Close the iterable."""
        close_iterable(self._iterable)


class FileRest:
    """What is left of a file, as an iterable in place of the application's."""

    def __init__(self, rest: FileSlice, pieces: Pieces) -> None:
        self._rest = rest
        self.close = pieces.close

    def __iter__(self) -> Iterator[FileSlice]:
        return iter((self._rest,))
