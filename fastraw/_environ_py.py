"""A request's meta-variables in Python: the reference that `Head.environ` of `_parse` must agree
with.

1. A field `Name-Of-It` becomes HTTP_NAME_OF_IT; Content-Type and Content-Length lose the prefix.
2. A field with an underscore in its name is left out: `X_Auth` would pass for `X-Auth`.
3. Repeated fields are one value, joined by a comma; cookies by a semicolon, as RFC 6265 section
   5.4 has it.
4. All is str in which each character stands for one octet, as PEP 3333 asks for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def ordinary_environ(
    request: Any, origin: object, template: dict[str, Any]
) -> dict[str, Any] | None:
    """The environ of an ordinary request that has come to `origin`, and that no mount has led here;
    None for any other, and for one that asks about the server itself."""
    head, peer = request.head, request._peer
    if (
        not request.ordinary
        or peer.origin is not origin
        or request.mount_path
        or head.target == "*"
    ):
        return None
    environ: dict[str, Any] = head.environ(template, peer.client)
    return environ


def environ_of(
    head: Any, template: dict[str, Any], client: tuple[str, int] | str
) -> dict[str, Any]:
    """See `Head.environ`."""
    environ = template.copy()
    environ["REQUEST_METHOD"] = head.method
    environ["REQUEST_URI"] = head.target
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor_version else "HTTP/1.0"
    environ["PATH_INFO"], environ["QUERY_STRING"] = path_and_query(head.target)
    if isinstance(client, str):
        environ["REMOTE_ADDR"] = client
    else:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    put_fields(environ, head.headers.items())
    return environ


def put_fields(environ: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    """Rules 1 to 3."""
    seen = set()
    for name, value in fields:
        if "_" in name:
            continue
        key = _UNPREFIXED.get(name.lower()) or "HTTP_" + name.upper().replace("-", "_")
        if key in seen:
            joint = "; " if key == "HTTP_COOKIE" else ", "
            environ[key] += joint + value
        else:
            environ[key] = value
            seen.add(key)


def path_and_query(target: str) -> tuple[str, str]:
    """The path of a target, percent-decoded to octets, and its query as it is."""
    path, query = raw_path_and_query(target)
    return unquote(path, "latin-1") if "%" in path else path, query


def raw_path_and_query(target: str) -> tuple[str, str]:
    """Both as received."""
    path, _, query = target.partition("?")
    if path[:1] not in ("/", "*"):
        # Absolute form (RFC 9112 section 3.2.2): scheme "://" authority [path].
        _, slash, rest = path.partition("://")[2].partition("/")
        path = slash + rest or "/"
    return path, query
