"""Cookies (RFC 6265): lenient with what comes, strict with what is sent.

Cookie field   -> parse_cookies  -> name: value
set_cookie(..) -> format_cookie  -> Set-Cookie field
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from .dates import FIRST, LAST, format_date
from .headers import is_token

if TYPE_CHECKING:
    from datetime import datetime

SameSite = Literal["Strict", "Lax", "None"]

# What browsers take; they drop a longer cookie without a word (RFC 6265bis section 5.7).
MAX_COOKIE_BYTES: Final = 4096
MAX_ATTRIBUTE_BYTES: Final = 1024

# Sets and not patterns: compiling those would be a good part of the time that fastraw takes to
# import. RFC 6265 section 4.1.1: cookie-octet, any-CHAR except CTL and semicolon; and host names.
_OCTETS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",;\\')
_PATH_CHARACTERS = frozenset(map(chr, range(0x20, 0x7F))) - frozenset(";")
_DOMAIN_CHARACTERS = frozenset(filter(str.isalnum, _OCTETS)) | frozenset("-.")


def parse_cookies(fields: Iterable[str]) -> dict[str, str]:
    """The cookies of all Cookie fields; see Request.cookies."""
    cookies: dict[str, str] = {}
    for field in fields:
        for pair in field.split(";"):
            name, equals, value = pair.partition("=")
            name, value = name.strip(" \t"), value.strip(" \t")
            if not equals or not name:
                continue
            cookies.setdefault(_decoded(name), _decoded(_unquoted(value)))
    return cookies


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def _decoded(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


class CookieScope(NamedTuple):
    """Where and how a browser keeps a cookie: the attributes that are not about its time."""

    path: str | None
    domain: str | None
    secure: bool
    http_only: bool
    same_site: SameSite | None
    partitioned: bool

    def check(self, name: str) -> None:
        """ValueError, naming the argument, for what no browser would take of cookie `name`."""
        path, domain = self.path, self.domain
        if path is not None and not (path[:1] == "/" and _PATH_CHARACTERS.issuperset(path)):
            raise ValueError(f"path must be ASCII, begin with / and have no ;, not {path!r}")
        if domain is not None and not (
            _DOMAIN_CHARACTERS.issuperset(domain)
            and domain[-1:].isalnum()
            and domain.removeprefix(".")[0].isalnum()
        ):
            raise ValueError(f"domain must be a host name in ASCII, not {domain!r}")
        for argument, value in (("path", path), ("domain", domain)):
            if value is not None and len(value) > MAX_ATTRIBUTE_BYTES:
                raise ValueError(f"{argument} must not be longer than {MAX_ATTRIBUTE_BYTES} octets")
        if self.same_site not in ("Strict", "Lax", "None", None):
            raise ValueError(f"same_site must be Strict, Lax or None, not {self.same_site!r}")
        if self.same_site == "None" and not self.secure:
            raise ValueError("same_site 'None' needs secure=True")
        if self.partitioned and not self.secure:
            raise ValueError("partitioned needs secure=True")
        # RFC 6265bis section 4.1.3: prefixes that promise something, in any case.
        key = name.lower()
        if key.startswith(("__secure-", "__host-")) and not self.secure:
            raise ValueError(f"name {name!r} needs secure=True")
        if key.startswith("__host-") and (path != "/" or domain is not None):
            raise ValueError(f"name {name!r} needs path='/' and no domain")

    def attributes(self) -> list[str]:
        found = []
        if self.path is not None:
            found.append(f"Path={self.path}")
        if self.domain is not None:
            found.append(f"Domain={self.domain}")
        if self.secure:
            found.append("Secure")
        if self.http_only:
            found.append("HttpOnly")
        if self.same_site is not None:
            found.append(f"SameSite={self.same_site}")
        if self.partitioned:
            found.append("Partitioned")
        return found


def format_cookie(
    name: str,
    value: str,
    scope: CookieScope,
    max_age_seconds: int | None = None,
    expires: datetime | float | None = None,
) -> str:
    """The value of a Set-Cookie field; ValueError, naming the argument, for what is not allowed."""
    if not isinstance(name, str) or not is_token(name):
        raise ValueError(f"name must be a token (RFC 6265 section 4.1.1), not {name!r}")
    if not isinstance(value, str) or not _OCTETS.issuperset(_unquoted(value)):
        raise ValueError(
            "value must be printable ASCII without space, quote, comma, semicolon or backslash "
            f"(RFC 6265 section 4.1.1; urllib.parse.quote gives such text), not {value!r}"
        )
    if len(name) + len(value) > MAX_COOKIE_BYTES:
        raise ValueError(f"value and name must not have more than {MAX_COOKIE_BYTES} octets")
    scope.check(name)
    parts = [f"{name}={value}"]
    if expires is not None:
        parts.append(f"Expires={_fixdate(expires)}")
    if max_age_seconds is not None:
        if type(max_age_seconds) is not int:
            raise ValueError(f"max_age_seconds must be an integer, not {max_age_seconds!r}")
        parts.append(f"Max-Age={max_age_seconds}")
    return "; ".join(parts + scope.attributes())


def _fixdate(moment: datetime | float) -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7)."""
    if not isinstance(moment, (int, float)) and hasattr(moment, "timestamp"):
        if moment.tzinfo is None:
            raise ValueError(f"expires must have a time zone, not {moment!r}")
        seconds = moment.timestamp()
    elif isinstance(moment, (int, float)) and not isinstance(moment, bool):
        seconds = moment
    else:
        raise ValueError(f"expires must be a datetime or seconds since 1970, not {moment!r}")
    if not FIRST <= seconds <= LAST:
        raise ValueError(f"expires must be a moment in the years 1970 to 9999, not {moment!r}")
    return format_date(seconds)
