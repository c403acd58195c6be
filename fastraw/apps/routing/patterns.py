"""Patterns of paths: what they match, how two of them relate, and the way back to a path.

1. `/users/{id}` matches segment by segment. A literal is written as in a URL: `%2F` is a slash
   inside of a segment, `%7B` a brace.
2. `{name}` takes one segment that is not empty; `{name:int}` and `{name:uuid}` only some.
3. `{name:path}` stands last and takes the rest: any number of segments behind the slash, also
   none. A mount takes two patterns: its own path, and every path below it.
4. A path is split at its slashes before it is decoded, so an encoded slash never makes a segment.
   What cannot be decoded, and a dot segment in any spelling, is refused (400).
5. Slashes at the end count: `/a` and `/a/` are two paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from ...errors import HTTPError

# RFC 3986 section 3.3: what may stand in a segment as it is, beside letters, digits and "-._~".
SEGMENT_SAFE = "!$&'()*+,;=:@"
# An int beyond that fits no database column.
MAX_INT = 2**63 - 1

_stray_percent = re.compile("%(?![0-9A-Fa-f]{2})").search
_parameter = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}").fullmatch
_uuid = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def decode(raw: str) -> str:
    """A segment percent-decoded; ValueError, a sentence, when it is to be refused."""
    text = raw
    if "%" in raw:
        if _stray_percent(raw):
            raise ValueError("The path has a % without two hexadecimal digits behind it.")
        try:
            text = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError("The path is not valid UTF-8.") from error
    if text in (".", ".."):
        raise ValueError("The path has a dot segment.")
    return text


def segments_of(raw_path: str) -> list[str]:
    """The decoded segments of a path that is empty or begins with a slash, the nothing before
    that slash as the first.

    Raises HTTPError 400 when one is to be refused.
    """
    raw = raw_path.split("/")
    if "%" not in raw_path and "/." not in raw_path:
        return raw
    try:
        return [decode(segment) for segment in raw]
    except ValueError as error:
        raise HTTPError(400, str(error)) from error


# Converters: from a decoded segment, not empty, to a value; None when it does not match.


def _to_int(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    value = int(text)
    return value if value <= MAX_INT else None


def _to_uuid(text: str) -> UUID | None:
    return UUID(text) if _uuid(text) else None


CONVERTERS: Mapping[str, Callable[[str], Any]] = {"int": _to_int, "uuid": _to_uuid, "str": str}
"""The most specific first; int and uuid have nothing in common."""
PATH = "path"
_EXAMPLES = {"int": "1", "uuid": "00000000-0000-0000-0000-000000000000", "str": "x"}


class Segment(NamedTuple):
    """One segment: the name of its converter and of its parameter, or "" and a literal."""

    converter: str
    text: str


@dataclass(frozen=True)
class Pattern:
    """A pattern, taken apart."""

    text: str
    segments: tuple[Segment, ...]
    names: tuple[str, ...]
    """Parameters in order; that of the rest, if there is one, is the last."""
    takes_rest: bool = False
    """Behind the segments comes a slash, and anything."""

    def build(self, values: Mapping[str, Any]) -> str:
        """The path, percent-encoded. ValueError for a value that this pattern does not match."""
        parts = [
            quote(_text_for(segment, values) if segment.converter else segment.text, SEGMENT_SAFE)
            for segment in self.segments
        ]
        if self.takes_rest:
            name = self.names[-1]
            rest = values[name]
            if not isinstance(rest, str) or {".", ".."} & set(rest.split("/")):
                raise ValueError(f"{name} must be a path without dot segments, not {rest!r}")
            parts.append(quote(rest, SEGMENT_SAFE + "/"))
        return "".join(f"/{part}" for part in parts)

    @property
    def fixed_path(self) -> str | None:
        """The one path that it matches, as nearly every client writes it; None if there are
        others."""
        return None if self.names else self.build({})

    def below(self) -> Pattern:
        """The pattern of every path below this one."""
        return replace(self, takes_rest=True)


def _text_for(segment: Segment, values: Mapping[str, Any]) -> str:
    value = values[segment.text]
    text = str(value) if isinstance(value, (str, int, UUID)) else ""
    if text in ("", ".", "..") or CONVERTERS[segment.converter](text) is None:
        raise ValueError(f"{segment.text} must be a segment for {segment.converter}, not {value!r}")
    return text


def parse_pattern(text: str, mount: bool = False) -> Pattern:
    """Take a pattern apart. Raises TypeError, ValueError: it is none; the message says why."""
    if not isinstance(text, str):
        raise TypeError(f"a pattern must be a str, not {text!r}")
    if text[:1] not in ("/", ""):
        raise ValueError(f"pattern {text!r} must begin with a slash")
    parts = text.split("/")[1:]
    if mount and parts == [""]:
        parts = []
    segments: list[Segment] = []
    takes_rest = False
    names: list[str] = []
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        try:
            segment = _parse_segment(part)
            if not (part or (last and not mount)):
                raise ValueError(
                    "a mount must not end with a slash" if last else "a segment is empty"
                )
            if segment.converter:
                if segment.text in names:
                    raise ValueError(f"the name {segment.text} is there twice")
                names.append(segment.text)
        except ValueError as error:
            raise ValueError(f"pattern {text!r}: {error}") from None
        if segment.converter == PATH:
            if mount or not last:
                raise ValueError(f"pattern {text!r}: {part} takes all the rest, so it must be last")
            takes_rest = True
        else:
            segments.append(segment)
    return Pattern(text, tuple(segments), tuple(names), takes_rest)


def _parse_segment(part: str) -> Segment:
    if "{" not in part and "}" not in part:
        for octet in "?#":
            if octet in part:
                raise ValueError(f"{octet} must be written %{ord(octet):X}")
        return Segment("", decode(part))
    match = _parameter(part)
    if match is None:
        raise ValueError(f"{part} must be one {{name}} or {{name:converter}}, or have no braces")
    name, converter = match[1], "str" if match[2] is None else match[2]
    if not name.isidentifier():
        raise ValueError(f"{name!r} must be an identifier")
    if converter != PATH and converter not in CONVERTERS:
        known = ", ".join((*CONVERTERS, PATH))
        raise ValueError(f"the converter {converter!r} must be one of {known}")
    return Segment(converter, name)


# How patterns relate. A pattern stands for the set of paths that it matches.

Relation = tuple[bool, bool] | None
"""Of a pair of sets: whether the first lies within the second, and the second within the first;
None when they have nothing in common."""
EQUAL = (True, True)


def both(first: Relation, second: Relation) -> Relation:
    """The relation of two pairs, each of which has to hold: of products of sets."""
    if first is None or second is None:
        return None
    return first[0] and second[0], first[1] and second[1]


def relate(first: Pattern, second: Pattern) -> Relation:
    """How the paths of two patterns relate."""
    found = _relate_tails(first, second)
    for ours, theirs in zip(first.segments, second.segments, strict=False):
        found = both(found, _relate_segments(ours, theirs))
    return found


def _relate_tails(first: Pattern, second: Pattern) -> Relation:
    """What is behind the segments that both have."""
    excess = len(first.segments) - len(second.segments)
    if excess > 0:
        return (True, False) if second.takes_rest else None
    if excess < 0:
        return (False, True) if first.takes_rest else None
    return EQUAL if first.takes_rest == second.takes_rest else None


def _relate_segments(first: Segment, second: Segment) -> Relation:
    if first.converter == second.converter:
        return EQUAL if first.converter or first.text == second.text else None
    within, covers = _includes(second, first), _includes(first, second)
    return (within, covers) if within or covers else None


def _includes(wide: Segment, narrow: Segment) -> bool:
    """Whether a segment of another converter, or a literal, lies within `wide`."""
    if not wide.converter:
        return False
    if narrow.converter:
        return wide.converter == "str"
    return narrow.text != "" and CONVERTERS[wide.converter](narrow.text) is not None


def common_path(first: Pattern, second: Pattern) -> str:
    """A path that both match, if there is one: an example for people."""
    longer, shorter = sorted((first, second), key=lambda each: len(each.segments), reverse=True)
    parts = []
    for segment, other in zip_longest(longer.segments, shorter.segments):
        narrow = other if other is not None and _includes(segment, other) else segment
        parts.append(_EXAMPLES[narrow.converter] if narrow.converter else narrow.text)
    if longer.takes_rest:
        parts.append(_EXAMPLES["str"])
    return "/" + "/".join(quote(part, SEGMENT_SAFE) for part in parts)
