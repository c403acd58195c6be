"""Limits and Timeouts: frozen, and checked when they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from fastraw import Limits, Timeouts


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True, float("inf")])
def test_no_limit(name: str, value: Any) -> None:
    message = rf"^Limits\.{name} must be a positive integer or None, not {value!r}$"
    with pytest.raises(ValueError, match=message):
        Limits(**{name: value})


@pytest.mark.parametrize("name", [field.name for field in fields(Timeouts)])
@pytest.mark.parametrize(
    "value", [0, -0.5, "8", True, float("nan"), pytest.param(10**400, id="huge")]
)
def test_no_timeout(name: str, value: Any) -> None:
    message = rf"^Timeouts\.{name} must be a positive number or None, not {value!r}$"
    with pytest.raises(ValueError, match=message):
        Timeouts(**{name: value})


@pytest.mark.parametrize("settings", [Limits, Timeouts])
def test_each_can_be_switched_off(settings: type[Limits | Timeouts]) -> None:
    names = [field.name for field in fields(settings)]
    off = settings(**dict.fromkeys(names))
    assert all(getattr(off, name) is None for name in names)


def test_timeouts_may_be_of_either_kind_of_number() -> None:
    assert Timeouts(head_seconds=1, body_seconds=0.25).body_seconds == 0.25


def test_they_do_not_change() -> None:
    limits: Any = Limits()
    with pytest.raises(FrozenInstanceError):
        limits.head_bytes = 1
    assert Limits() == Limits()
    assert hash(Limits()) == hash(Limits())
