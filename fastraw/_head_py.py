"""What parse_head gives, in Python."""

from __future__ import annotations

from typing import Any, final

from ._environ_py import environ_of
from .headers import Headers

_from_parsed = Headers.from_parsed


@final
class Head:
    """A request's head: request line and header section (RFC 9112 section 2.1). Read only.

    `method`, `target` and the field names are as received. `minor_version` is 0 or 1; a higher
    one counts as 1 (RFC 9110 section 2.5). `ordinary` says that it is a request by HTTP/1.1 without
    content, neither HEAD nor CONNECT, after which the connection is kept.
    """

    __slots__ = (
        "_headers",
        "_pairs",
        "chunked",
        "content_length",
        "expect_continue",
        "keep_alive",
        "method",
        "minor_version",
        "size",
        "target",
        "upgrade",
    )

    method: str
    target: str
    minor_version: int
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    upgrade: str | None
    size: int
    _pairs: list[tuple[str, str]]
    _headers: Headers | None

    def __init__(self) -> None:
        raise TypeError("a Head is made by parse_head")

    @property
    def headers(self) -> Headers:
        """The header fields; Host is the authority of an absolute-form target."""
        headers = self._headers
        if headers is None:
            headers = self._headers = _from_parsed(self._pairs)
        return headers

    @property
    def ordinary(self) -> bool:
        return (
            self.keep_alive
            and self.minor_version == 1
            and not self.content_length
            and not self.chunked
            and self.method not in ("HEAD", "CONNECT")
        )

    def environ(self, template: dict[str, Any], client: tuple[str, int] | str) -> dict[str, Any]:
        """The environ of a WSGI request: the template, with this request's meta-variables (RFC
        3875 section 4.1, PEP 3333). `client` is its address: (host, port), or a path. The template
        holds what most requests have: GET, an empty query, HTTP/1.1."""
        return environ_of(self, template, client)

    def __repr__(self) -> str:
        return f"<Head {self.method} {self.target} HTTP/1.{self.minor_version}>"
