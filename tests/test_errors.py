"""The exceptions: what they are, and what they carry."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from fastraw import BindError, ClientDisconnected, FastrawError, HTTPError, ParseError
from fastraw.errors import reason_phrase


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (BindError, OSError),
        (ClientDisconnected, ConnectionError),
        (HTTPError, FastrawError),
        (ParseError, HTTPError),
    ],
)
def test_what_catches_it(error: type[Exception], base: type[Exception]) -> None:
    assert issubclass(error, base)
    assert issubclass(error, FastrawError)


def test_http_error() -> None:
    error = HTTPError(409, "There is one already.", headers=iter([("Retry-After", "5")]))
    assert (error.status, error.detail) == (409, "There is one already.")
    assert error.headers == (("Retry-After", "5"),)
    assert str(error) == "409 There is one already."


@pytest.mark.parametrize(("status", "detail"), [(404, "Not Found"), (599, "Error")])
def test_detail_of_an_http_error_without_one(status: int, detail: str) -> None:
    assert HTTPError(status).detail == detail


@pytest.mark.parametrize("status", [200, 302, 399, 600, -1, "404", 404.0, None])
def test_status_that_is_no_error(status: Any) -> None:
    with pytest.raises(ValueError, match="status must be an integer from 400 to 599, not"):
        HTTPError(status)


def test_an_http_error_goes_between_processes() -> None:
    error = pickle.loads(pickle.dumps(HTTPError(418, "short and stout")))
    assert (error.status, error.detail) == (418, "short and stout")


@pytest.mark.parametrize(("status", "phrase"), [(200, "OK"), (413, None), (299, ""), (599, "")])
def test_reason_phrase(status: int, phrase: str | None) -> None:
    found = reason_phrase(status)
    assert found == phrase if phrase is not None else found
