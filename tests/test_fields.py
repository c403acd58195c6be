"""The grammars of field values: as RFC 9110 has them, and harmless for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastraw.fields import (
    UNNAMED_IDENTITY,
    combined,
    parse_accept,
    parse_entity_tags,
    parse_parameters,
    quality,
    split_list,
    strongly_equal,
    weakly_equal,
)
from fastraw.headers import Headers

LATIN_1 = st.text(st.characters(max_codepoint=255))
# What matters to the grammars comes up often.
TRICKY = st.text(st.sampled_from('",;= \t\\ab*/0.1W/q')) | LATIN_1


def test_combined() -> None:
    headers = Headers([("Vary", "a"), ("X", "b"), ("vary", "c")])
    assert combined(headers, "VARY") == "a, c"
    assert combined(headers, "Accept") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,,", []),
        ("a", ["a"]),
        ("a, b ,\tc", ["a", "b", "c"]),
        ('a="x,y", b', ['a="x,y"', "b"]),
        (r'a="x\",y", b', [r'a="x\",y"', "b"]),
        (r'a="x\\", b', [r'a="x\\"', "b"]),
        # An open quotation mark on the left leaves what is on the right as it is.
        ('a=", b="c,d"', ['a="', 'b="c,d"']),
        ('a="\\", b="c"', ['a="\\"', 'b="c"']),
    ],
)
def test_lists(value: str, expected: list[str]) -> None:
    assert split_list(value) == expected


@given(TRICKY, st.sampled_from(["b", 'for="[::1]:80"', r'x="a,\"b\\";y=z']))
def test_what_is_appended_is_found(left: str, right: str) -> None:
    assert split_list(f"{left}, {right}")[-1] == right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (";; ", []),
        ("a=b", [("a", "b")]),
        ('A=B; c="d;e"', [("a", "B"), ("c", "d;e")]),
        (r'a="b\"c\\"', [("a", 'b"c\\')]),
        ('a=""', [("a", "")]),
        ("a", None),
        ("a=", None),
        ("a =b", None),
        ("a=b c=d", None),
        ('a="b', None),
        ('a="b"c', None),
        ("a=[::1]", None),
    ],
)
def test_parameters(text: str, expected: list[tuple[str, str]] | None) -> None:
    assert parse_parameters(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("gzip", [("gzip", 1.0)]),
        ("GZIP;q=0.5, *;q=0", [("gzip", 0.5), ("*", 0.0)]),
        ("gzip ; q=0.25,br;q=1.000", [("gzip", 0.25), ("br", 1.0)]),
        ("text/html;level=1;q=0.3, */*", [("text/html", 0.3), ("*/*", 1.0)]),
        ("gzip;q=2", []),
        ("gzip;q=-1, br", [("br", 1.0)]),
        ("gzip;q=nan, br;q=1e3, a;q=0x1, b;q=\u00b2", []),
        ("gz ip", []),
    ],
)
def test_weights(value: str, expected: list[tuple[str, float]]) -> None:
    assert parse_accept(value) == expected


@pytest.mark.parametrize(
    ("value", "gzip", "identity"),
    [
        (None, 0.0, 1.0),
        ("", 0.0, UNNAMED_IDENTITY),
        ("gzip", 1.0, UNNAMED_IDENTITY),
        ("x-gzip", 1.0, UNNAMED_IDENTITY),
        ("gzip;q=0", 0.0, UNNAMED_IDENTITY),
        ("*", 1.0, 1.0),
        ("*;q=0", 0.0, 0.0),
        ("gzip, *;q=0", 1.0, 0.0),
        ("identity", 0.0, 1.0),
        ("identity;q=0.9, gzip;q=0.2", 0.2, 0.9),
        ("identity;q=0", 0.0, 0.0),
        ("br, deflate", 0.0, UNNAMED_IDENTITY),
        ("gzip, gzip;q=0", 1.0, UNNAMED_IDENTITY),
    ],
)
def test_quality(value: str | None, gzip: float, identity: float) -> None:
    assert (quality(value, "gzip"), quality(value, "identity")) == (gzip, identity)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*", ["*"]),
        ('"a"', ['"a"']),
        ('W/"a" ,, "b,c\\",""', ['W/"a"', '"b,c\\"', '""']),
        ("", None),
        (",", None),
        ("a", None),
        ('"a" "b"', None),
        ('w/"a"', None),
        ('"a", *', None),
        ('"a b"', None),
        ('"a', None),
    ],
)
def test_entity_tags(value: str, expected: list[str] | None) -> None:
    assert parse_entity_tags(value) == expected


def test_comparisons() -> None:
    assert weakly_equal('W/"a"', '"a"')
    assert not weakly_equal('"a"', '"b"')
    assert strongly_equal('"a"', '"a"')
    assert not strongly_equal('W/"a"', 'W/"a"')


@given(TRICKY)
def test_nothing_raises(value: str) -> None:
    assert all(element.strip(" \t") for element in split_list(value))
    assert all(0 <= weight <= 1 for _, weight in parse_accept(value))
    assert 0 <= quality(value, "gzip") <= 1
    parse_parameters(value)
    tags = parse_entity_tags(value)
    assert tags is None or all(tag in value for tag in tags)


@pytest.mark.parametrize("piece", [" ", '"', "\\", ",", ";", "a=b;", '"a",', '\\"', "\t;", "a"])
def test_work_is_linear(piece: str) -> None:
    """What is quadratic would not come to an end: this is more than a head holds."""
    value = piece * (1 << 16)
    for parse in (split_list, parse_accept, parse_parameters, parse_entity_tags):
        parse(value)
