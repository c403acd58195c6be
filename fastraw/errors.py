"""The exceptions fastraw raises. Every HTTP error carries the status it is answered with."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus


def reason_phrase(status: int) -> str:
    """The registered reason phrase of `status`, or an empty string (RFC 9110 section 15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class FastrawError(Exception):
    """Base of every exception that fastraw defines."""


class BindError(FastrawError, OSError):
    """The server could not listen; the message names the address, the reason and what helps."""


class HTTPError(FastrawError):
    """Raised by a handler (or by the parser) to answer with an error status.

    Args:
        status: the status code of the answer, 400 to 599.
        detail: one sentence for the client, sent as text/plain; the reason phrase when empty.
        headers: more header fields for the answer, as (name, value) pairs.
    """

    def __init__(
        self, status: int, detail: str = "", *, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"status must be an integer from 400 to 599, not {status!r}")
        self.status = int(status)
        self.detail = detail or reason_phrase(self.status) or "Error"
        self.headers = tuple(headers)
        super().__init__(self.status, self.detail)

    def __str__(self) -> str:
        return f"{self.status} {self.detail}"


class ParseError(HTTPError):
    """The bytes received are no HTTP/1.1 request that fastraw accepts.

    The connection is closed after the answer; nothing behind the fault is parsed.
    """


class ClientDisconnected(FastrawError, ConnectionError):
    """The client went away before its request body was complete."""
