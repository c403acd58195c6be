"""Header fields as they are on the wire: in order, names in any case, repeated names kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

# RFC 9110 section 5.6.2: token.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
# RFC 9110 section 5.5: a value holds VCHAR, SP, HTAB and obs-text; here as latin-1 characters.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch


class Headers:
    """An ordered multimap of header fields (RFC 9110 section 5).

    Names compare without regard to case and keep the case they came in. Values are str in which
    each character stands for one octet (latin-1). What a handler sets is checked as it is set:
    a bad name or value raises ValueError, so no field can end a line early.

    Args:
        fields: a mapping, or (name, value) pairs; repeated names are kept.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(
        self, fields: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = ()
    ) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._index: dict[str, str] | None = None
        if isinstance(fields, Headers):
            self._pairs.extend(fields._pairs)
            return
        for name, value in fields.items() if isinstance(fields, Mapping) else fields:
            self.add(name, value)

    @classmethod
    def from_parsed(cls, pairs: list[tuple[str, str]]) -> Headers:
        """Wrap pairs that a parser has already checked; the list is kept, not copied."""
        self = cls.__new__(cls)
        self._pairs = pairs
        self._index = None
        return self

    def __getitem__(self, name: str) -> str:
        """The first value of `name`; KeyError when there is none."""
        return self._first()[name.lower()]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`, or `default`."""
        return self._first().get(name.lower(), default)

    def get_all(self, name: str) -> list[str]:
        """Every value of `name`, in order; an empty list when there is none."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key.lower() == wanted]

    def items(self) -> list[tuple[str, str]]:
        """Every (name, value) pair in the order received or added."""
        return list(self._pairs)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first()

    def __iter__(self) -> Iterator[str]:
        """The names in order, a repeated one as often as it occurs."""
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def __setitem__(self, name: str, value: str) -> None:
        """Replace every field `name` by one; ValueError for a bad name or value."""
        pair = _checked(name, value)
        if name in self:
            del self[name]
        self._pairs.append(pair)
        self._index = None

    def add(self, name: str, value: str) -> None:
        """Append a field beside those of the same name; ValueError for a bad name or value."""
        self._pairs.append(_checked(name, value))
        self._index = None

    def setdefault(self, name: str, value: str) -> str:
        """Set `name` unless it is there; its first value."""
        if name not in self:
            self.add(name, value)
        return self[name]

    def __delitem__(self, name: str) -> None:
        wanted = name.lower()
        kept = [pair for pair in self._pairs if pair[0].lower() != wanted]
        if len(kept) == len(self._pairs):
            raise KeyError(name)
        self._pairs = kept
        self._index = None

    def copy(self) -> Headers:
        """A copy that can be changed on its own."""
        return Headers(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return _folded(self._pairs) == _folded(other._pairs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"

    def _first(self) -> dict[str, str]:
        """First value by lower-case name, made when first asked for.

        Written last to first, so that the first field of a name is the one that stays.
        """
        index = self._index
        if index is None:
            index = self._index = {name.lower(): value for name, value in reversed(self._pairs)}
        return index


HeaderFields = Headers | Mapping[str, str] | Iterable[tuple[str, str]]


def is_token(text: str) -> bool:
    """Whether `text` is a token (RFC 9110 section 5.6.2), as names and methods are."""
    return _TOKEN(text) is not None


def _checked(name: str, value: str) -> tuple[str, str]:
    if not isinstance(name, str) or not _TOKEN(name):
        raise ValueError(f"header name must be a token (RFC 9110 section 5.6.2), not {name!r}")
    return name, field_value(name, value)


def field_value(name: str, value: str) -> str:
    """`value` without white space around it; ValueError unless field `name` can carry it."""
    if not isinstance(value, str) or not _VALUE(value):
        raise ValueError(
            f"value of header {name!r} must be latin-1 text without control characters, "
            f"not {value!r}"
        )
    return value.strip(" \t")


def _folded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in pairs]
