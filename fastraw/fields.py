"""The grammars that field values share: lists, parameters, weights, entity tags (RFC 9110).

field lines -> combined -> split_list -> parse_parameters
                                      -> parse_accept -> quality
            -> combined -> parse_entity_tags -> weakly_equal, strongly_equal

Values come from clients: any text may be passed, nothing here raises, and the work is linear in
its length. What breaks a grammar is left out or is None, as each function says.
"""

from __future__ import annotations

import re

from .headers import Headers

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_OWS = re.compile(r"[ \t]*").match
_DELIMITER = re.compile(r'[",]')
# RFC 9110 section 5.6.6: name "=" ( token / quoted-string ).
_PARAMETER = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")').match
_QUOTED_PAIR = re.compile(r"\\(.)")
# A coding, a language range, a media range: anything that a weight can follow.
_RANGE = re.compile(rf"{_TOKEN}(?:/{_TOKEN})?").fullmatch
# RFC 9110 section 12.4.2; more than three decimals do no harm.
_WEIGHT = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?").fullmatch
# RFC 9110 section 8.8.3: a backslash is an ordinary octet here, and a comma too.
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"').match

# The weight of `identity` when nothing is said of it: acceptable, and all that is named is better.
UNNAMED_IDENTITY = 0.001


def combined(headers: Headers, name: str) -> str | None:
    """The values of all field lines `name` as one list (RFC 9110 section 5.3); None without."""
    return ", ".join(headers.get_all(name)) if name in headers else None


def add_to_list(headers: Headers, name: str, member: str) -> None:
    """Have the list field `name` name `member`, once, on one line; for Vary and its like, whose
    members compare without regard to case and where `*` stands for all."""
    members = split_list(combined(headers, name) or "")
    if not {"*", member.lower()} & {present.lower() for present in members}:
        headers[name] = ", ".join((*members, member))


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated list, without white space around them and without empty
    ones (RFC 9110 section 5.6.1). A comma in a quoted string separates nothing.

    It is read from the right. What a proxy has appended is found whole, whatever the client sent
    before it: an open quotation mark there cannot swallow it.
    """
    if '"' not in value:
        elements = value.split(",")
    else:
        elements, end, quoted = [], len(value), False
        for mark in reversed(list(_DELIMITER.finditer(value))):
            at = mark.start()
            if mark[0] == '"':
                quoted = not quoted or _escaped(value, at)
            elif not quoted:
                elements.append(value[at + 1 : end])
                end = at
        elements.append(value[:end])
        elements.reverse()
    return [text for element in elements if (text := element.strip(" \t"))]


def _escaped(value: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before `at`."""
    before = at
    while before and value[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 1


def parse_parameters(text: str) -> list[tuple[str, str]] | None:
    """`name=value` pairs with semicolons between them, quoted values unquoted, names in lower
    case (RFC 9110 section 5.6.6); None when it is anything else."""
    pairs: list[tuple[str, str]] = []
    at, end = 0, len(text)
    while at < end:
        at = _end(_OWS(text, at))
        if at < end and text[at] != ";":
            match = _PARAMETER(text, at)
            if match is None:
                return None
            name, token, quoted = match.groups()
            value = token if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
            pairs.append((name.lower(), value))
            at = _end(_OWS(text, match.end()))
            if at < end and text[at] != ";":
                return None
        at += 1
    return pairs


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # of a pattern that matches nothing at all, too
    return match.end()


def parse_accept(value: str) -> list[tuple[str, float]]:
    """(name in lower case, weight) of each element, in order: Accept-Encoding and its like
    (RFC 9110 section 12.4.2).

    An element that breaks the grammar is left out; parameters other than `q` are passed over.
    """
    found = []
    for element in split_list(value):
        name, _, rest = element.partition(";")
        name = name.rstrip(" \t").lower()
        parameters = parse_parameters(rest)
        if parameters is None or _RANGE(name) is None:
            continue
        weight = dict(parameters).get("q", "1")
        if _WEIGHT(weight):
            found.append((name, float(weight)))
    return found


def quality(value: str | None, coding: str) -> float:
    """How much a client wants a content coding, from 0 (not at all) to 1 (RFC 9110 12.5.3).

    Args:
        value: the combined Accept-Encoding. None, when the client sent none, allows any coding;
            but who does not ask gets `identity`.
        coding: in lower case; `gzip` stands for `x-gzip` too (section 8.4.1.3).
    """
    if value is None:
        return float(coding == "identity")
    weights: dict[str, float] = {}
    for name, weight in parse_accept(value):
        weights.setdefault(name.removeprefix("x-"), weight)
    default = UNNAMED_IDENTITY if coding == "identity" else 0.0
    return weights.get(coding, weights.get("*", default))


def parse_entity_tags(value: str) -> list[str] | None:
    """The entity tags of If-Match or If-None-Match as they are written, in order; `["*"]` for
    `*`; None when it is no such list (RFC 9110 sections 13.1.1 and 13.1.2)."""
    if value.strip(" \t") == "*":
        return ["*"]
    tags: list[str] = []
    at, end, separated = 0, len(value), True
    while (at := _end(_OWS(value, at))) < end:
        if value[at] == ",":
            at, separated = at + 1, True
            continue
        match = _ENTITY_TAG(value, at)
        if match is None or not separated:
            return None
        tags.append(match[0])
        at, separated = match.end(), False
    return tags or None


def weakly_equal(one: str, other: str) -> bool:
    """The weak comparison of two entity tags, for If-None-Match (RFC 9110 section 8.8.3.2)."""
    return one.removeprefix("W/") == other.removeprefix("W/")


def strongly_equal(one: str, other: str) -> bool:
    """The strong comparison, for If-Match and If-Range: a weak tag equals nothing."""
    return one == other and not one.startswith("W/")
