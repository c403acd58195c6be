"""Names and values in order, repeated names kept: of a query, a form, and the files in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from .errors import HTTPError

# A client may send a thousand parameters, not a million (each costs far more than its octets).
MAX_PARAMETERS = 1000

V = TypeVar("V")


class Pairs(Mapping[str, V]):
    """Name-value pairs in the order sent. As a mapping it gives the first value of a name."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[str, V]]) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> V:
        for key, value in self._pairs:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def get_all(self, name: str) -> list[V]:
        """Every value of `name`, in order; an empty list when there is none."""
        return [value for key, value in self._pairs if key == name]

    def pairs(self) -> list[tuple[str, V]]:
        """Every (name, value) pair, in order."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


class Parameters(Pairs[str]):
    """Decoded parameters."""

    __slots__ = ()


def parse_query(text: str) -> Parameters:
    """The parameters of a query; octets that are not UTF-8 become U+FFFD.

    Raises HTTPError 400 when there are more than MAX_PARAMETERS.
    """
    try:
        return Parameters(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS))
    except ValueError:
        raise HTTPError(400, f"The query has more than {MAX_PARAMETERS} fields.") from None
