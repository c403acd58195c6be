"""Which other sites' scripts may read the answers (the CORS protocol of the Fetch standard).

OPTIONS with Origin and Access-Control-Request-Method   a preflight: answered here, with 204
any other request                                       the handler's answer, with the permission

A refusal is an answer without the permission: the browser keeps it from the script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...fields import add_to_list, combined, split_list
from ...headers import Headers, is_token
from ...request import Request
from ...response import Response
from ...route import Handler, Middleware, wrap
from .chain import answer

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Browsers ask again after five seconds when nothing is said; two hours is Chromium's most.
MAX_AGE_SECONDS = 600

_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://[^/\s,?#@]+").fullmatch

Origins = Iterable[str] | Callable[[str], bool]


def cors(
    origins: Origins,
    *,
    methods: Iterable[str] = METHODS,
    headers: Iterable[str] = (),
    expose_headers: Iterable[str] = (),
    credentials: bool = False,
    max_age_seconds: int = MAX_AGE_SECONDS,
) -> Middleware:
    """Allow scripts of other origins to read the answers.

    Args:
        origins: as browsers write them, `"https://example.org"` or `"http://localhost:8000"`; or
            a function that says whether an origin may; or `"*"` for all.
        methods: what a preflight allows, beside GET, HEAD and POST that need none.
        headers: request fields that it allows, beside those that need none; `"*"` for all.
        expose_headers: answer fields that scripts may read.
        credentials: let requests carry cookies. Not with `origins="*"`: every site could then act
            in the name of whoever visits it.
        max_age_seconds: how long a browser remembers a preflight.

    Raises ValueError, naming the argument.
    """
    allowed = _allowed(origins)
    if allowed is None and credentials:
        raise ValueError("credentials cannot be allowed to all origins: list them")
    if type(max_age_seconds) is not int or max_age_seconds < 0:
        raise ValueError(f"max_age_seconds must be an integer from 0 on, not {max_age_seconds!r}")
    terms = _Terms(
        allowed,
        _names("methods", methods),
        None if headers == "*" else _names("headers", headers),
        _names("expose_headers", expose_headers),
        credentials,
        max_age_seconds,
    )

    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Response:
            asked = request.headers
            if (
                request.method == "OPTIONS"
                and "origin" in asked
                and "access-control-request-method" in asked
            ):
                return terms.preflight(asked)
            response = answer(handler, request).copy()
            terms.permit(asked, response.headers)
            return response

        return wrap(handler, call)

    return middleware


@dataclass(frozen=True)
class _Terms:
    """See cors; `origins` and `headers` are None for all."""

    origins: Callable[[str], bool] | None
    methods: str
    headers: str | None
    expose_headers: str
    credentials: bool
    max_age_seconds: int

    def _grant(self, asked: Headers, given: Headers) -> bool:
        """Name the origin, if it may; what depends on it says so."""
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            if name in given:
                del given[name]
        if self.origins is None:
            given["Access-Control-Allow-Origin"] = "*"
            return True
        add_to_list(given, "Vary", "Origin")
        origin = asked.get_all("origin")
        if len(origin) != 1 or not self.origins(origin[0]):
            return False
        given["Access-Control-Allow-Origin"] = origin[0]
        if self.credentials:
            given["Access-Control-Allow-Credentials"] = "true"
        return True

    def permit(self, asked: Headers, given: Headers) -> None:
        if self._grant(asked, given) and self.expose_headers:
            given["Access-Control-Expose-Headers"] = self.expose_headers

    def preflight(self, asked: Headers) -> Response:
        response = Response(status=204)
        given = response.headers
        granted = self._grant(asked, given)
        headers = self.headers
        if headers is None:
            # Named one by one: with credentials a `*` would be a field of that name.
            wanted = split_list(combined(asked, "access-control-request-headers") or "")
            headers = ", ".join(name for name in wanted if is_token(name))
            add_to_list(given, "Vary", "Access-Control-Request-Headers")
        if granted:
            given["Access-Control-Allow-Methods"] = self.methods
            given["Access-Control-Max-Age"] = str(self.max_age_seconds)
            if headers:
                given["Access-Control-Allow-Headers"] = headers
        return response


def _allowed(origins: Origins) -> Callable[[str], bool] | None:
    if origins == "*":
        return None
    if callable(origins):
        return origins
    if isinstance(origins, str):
        raise ValueError(f"origins must be a list, a function or '*', not {origins!r}")
    listed = frozenset(origin.lower() for origin in origins)
    for origin in listed:
        if origin != "null" and not _ORIGIN(origin):
            raise ValueError(f"origins must be like https://example.org, not {origin!r}")
    return listed.__contains__


def _names(argument: str, names: Iterable[str]) -> str:
    listed = [*names]
    for name in listed:
        if isinstance(names, str) or not is_token(name):
            raise ValueError(f"{argument} must be a list of tokens, not {names!r}")
    return ", ".join(listed)
