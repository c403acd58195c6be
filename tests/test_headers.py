"""Headers: an ordered multimap whose names have no case."""

from __future__ import annotations

from typing import Any

import pytest

from fastraw import Headers

PAIRS = [("Accept", "a"), ("X-One", "1"), ("accept", "b"), ("ACCEPT", "c")]


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ((), []),
        ({"A": "1", "B": "2"}, [("A", "1"), ("B", "2")]),
        (PAIRS, PAIRS),
        (iter(PAIRS), PAIRS),
        (Headers(PAIRS), PAIRS),
    ],
    ids=["nothing", "mapping", "pairs", "iterator", "Headers"],
)
def test_made_from(fields: Any, items: list[tuple[str, str]]) -> None:
    assert Headers(fields).items() == items


def test_names_have_no_case_and_keep_theirs() -> None:
    headers = Headers(PAIRS)
    assert headers["aCCept"] == headers.get("ACCEPT") == "a"
    assert headers.get_all("Accept") == ["a", "b", "c"]
    assert "x-one" in headers
    assert "x-two" not in headers
    assert 5 not in headers
    assert list(headers) == ["Accept", "X-One", "accept", "ACCEPT"]
    assert len(headers) == 4


def test_what_is_not_there() -> None:
    headers = Headers(PAIRS)
    assert headers.get("nothing") is None
    assert headers.get("nothing", "else") == "else"
    assert headers.get_all("nothing") == []
    with pytest.raises(KeyError, match="nothing"):
        headers["nothing"]
    with pytest.raises(KeyError, match="nothing"):
        del headers["nothing"]
    assert not Headers()
    assert headers


def test_setting_replaces_all_of_a_name() -> None:
    headers = Headers(PAIRS)
    assert headers["accept"] == "a"
    headers["ACCept"] = "d"
    assert headers.items() == [("X-One", "1"), ("ACCept", "d")]
    assert headers["accept"] == "d"


def test_adding_keeps_what_is_there() -> None:
    headers = Headers()
    headers.add("Vary", "Accept")
    assert headers["vary"] == "Accept"
    headers.add("vary", "Origin")
    assert headers.get_all("Vary") == ["Accept", "Origin"]
    assert headers.setdefault("VARY", "*") == "Accept"
    assert headers.setdefault("Age", "5") == headers["age"] == "5"


def test_deleting_takes_all_of_a_name() -> None:
    headers = Headers(PAIRS)
    del headers["accepT"]
    assert headers.items() == [("X-One", "1")]
    assert "accept" not in headers


def test_a_copy_is_its_own() -> None:
    headers = Headers(PAIRS)
    copy = headers.copy()
    copy["X-One"] = "2"
    assert headers["X-One"] == "1"
    headers.items().clear()
    assert len(headers) == 4


def test_equality_is_of_fields_in_order() -> None:
    assert Headers({"A": "1"}) == Headers({"a": "1"})
    assert Headers({"A": "1"}) != Headers({"A": "2"})
    assert Headers([("A", "1"), ("B", "2")]) != Headers([("B", "2"), ("A", "1")])
    assert Headers() != []
    with pytest.raises(TypeError, match="unhashable"):
        hash(Headers())


def test_white_space_around_a_value_is_not_part_of_it() -> None:
    assert Headers({"A": " \t x y\t "})["a"] == "x y"


@pytest.mark.parametrize("name", ["", " ", "A ", "A:", "A\r\nB", "\xe4", "A\0", "(A)", 5, None])
def test_bad_name(name: Any) -> None:
    for change in (Headers().add, Headers().__setitem__, Headers().setdefault):
        with pytest.raises(ValueError, match="header name must be a token"):
            change(name, "x")


@pytest.mark.parametrize(
    "value", ["a\r\nB: c", "\n", "\r", "\0", "\x1f", "\x7f", "\u20ac", b"x", 5, None]
)
def test_bad_value(value: Any) -> None:
    for change in (Headers().add, Headers().__setitem__, Headers().setdefault):
        with pytest.raises(ValueError, match=r"value of header 'A' must be latin-1"):
            change("A", value)


def test_a_change_that_fails_changes_nothing() -> None:
    headers = Headers(PAIRS)
    with pytest.raises(ValueError, match="value of header"):
        headers["Accept"] = "\n"
    assert headers.items() == PAIRS


def test_parsed_pairs_are_taken_as_they_are() -> None:
    pairs = [("A", "1")]
    headers = Headers.from_parsed(pairs)
    assert headers["a"] == "1"
    assert repr(headers) == "Headers([('A', '1')])"
