"""The client that a trusted proxy speaks for: Forwarded (RFC 7239) or X-Forwarded-*.

Each proxy appends whom it was asked by. So the list is read from the right:

    address of the connection   trusted?  -> it has written the last element
    the last element's address  trusted?  -> it has written the one before, and so on
    the first that is not trusted is the client; what stands further left it could have made up

An element that is malformed ends the walk and counts for nothing. One whose address is hidden
(`unknown`, `_name`) ends it too, and the client stays the proxy that hides it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal, NamedTuple

from ...fields import combined, parse_parameters, split_list
from ...grammar import is_host
from ...request import Peer, Request
from ...route import Answer, Handler, Middleware, wrap

Address = tuple[str, int] | str

# Proxies are few; looking one up costs as much as the rest of what is done here.
REMEMBERED_ADDRESSES = 1024

# A node: an address with or without a port. Brackets are needed where a port follows IPv6.
_PORT = r"[0-9]{1,5}|_[0-9A-Za-z._\-]+"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
_BRACKETED = re.compile(rf"\[({_IPV6})\](?::({_PORT}))?").fullmatch
_PLAIN = re.compile(rf"([0-9.]+)(?::({_PORT}))?").fullmatch
_BARE = re.compile(rf"({_IPV6})()").fullmatch
_HIDDEN = re.compile(rf"(?:unknown|_[0-9A-Za-z._\-]+)(?::(?:{_PORT}))?").fullmatch


class Hop(NamedTuple):
    """What one proxy says of whom it was asked by; None for what it does not say."""

    client: tuple[str, int] | None
    scheme: str | None = None
    host: str | None = None


class _Behind:
    """The peer of a request that came by way of proxies."""

    origin = None
    """Not what the address of our end tells."""

    def __init__(self, peer: Peer, client: Address, scheme: str) -> None:
        self._peer = peer
        self.client = client
        self.scheme = scheme

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


def proxy_headers(
    trusted: Iterable[str], *, field: Literal["X-Forwarded", "Forwarded"] = "X-Forwarded"
) -> Middleware:
    """Have `request.client`, `scheme` and the Host field say what trusted proxies say of them.

    Args:
        trusted: the proxies' addresses and networks, as `"10.0.0.0/8"` or `"::1"`; `"unix"` for
            whoever connects by a Unix socket. Nobody else is believed.
        field: what they send: X-Forwarded-For, -Proto and -Host, or Forwarded. The other is never
            looked at, since a proxy hands on what a client has put there. Let the proxy set all
            three of the first kind, for the same reason.

    The client's port is 0 where it is not told. Raises ValueError for an entry of `trusted` that
    is no network, or another `field`.
    """
    if isinstance(trusted, str):
        raise ValueError(f"trusted must be a list of networks, not {trusted!r}")
    is_trusted = _trust([*trusted])
    if field not in ("X-Forwarded", "Forwarded"):
        raise ValueError(f"field must be X-Forwarded or Forwarded, not {field!r}")
    tell = _tell_forwarded if field == "Forwarded" else _tell_x_forwarded

    def middleware(handler: Handler) -> Handler:
        def call(request: Request) -> Answer:
            if is_trusted(request.client):
                _believe(request, tell(request, is_trusted))
            return handler(request)

        return wrap(handler, call)

    return middleware


def _believe(request: Request, told: Hop) -> None:
    if told.client is not None or told.scheme is not None:
        client, scheme = told.client or request.client, told.scheme or request.scheme
        request._peer = _Behind(request._peer, client, scheme)
    if told.host is not None:
        request.headers["Host"] = told.host


def _trust(entries: list[str]) -> Callable[[Address], bool]:
    """A function that says whether an address is one of `entries`."""
    networks: list[IPv4Network | IPv6Network] = []
    for entry in entries:
        if entry != "unix":
            try:
                networks.append(ip_network(entry))
            except ValueError as error:
                raise ValueError(f"trusted must name networks: {error}") from None
    unix = "unix" in entries

    @lru_cache(REMEMBERED_ADDRESSES)
    def is_in_network(host: str) -> bool:
        address = _address(host)
        return any(address in network for network in networks)

    def is_trusted(client: Address) -> bool:
        return unix if isinstance(client, str) else is_in_network(client[0])

    return is_trusted


def _address(text: str) -> IPv4Address | IPv6Address:
    """An IP address, as IPv4 where IPv6 only wraps it: so a socket for both sees IPv4 clients."""
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _walk(hops: Iterable[Hop | None], is_trusted: Callable[[Address], bool]) -> tuple[Hop, int]:
    """What the outermost trusted proxy says, and how many elements were believed.

    `hops` come from the right; None is one that is malformed. What a proxy leaves out, the one
    behind it may have said.
    """
    told, count = Hop(None), 0
    for hop in hops:
        if hop is None:
            break
        count += 1
        told = Hop(hop.client or told.client, hop.scheme or told.scheme, hop.host or told.host)
        if hop.client is None or not is_trusted(hop.client):
            break
    return told, count


def _tell_forwarded(request: Request, is_trusted: Callable[[Address], bool]) -> Hop:
    elements = split_list(combined(request.headers, "Forwarded") or "")
    return _walk(map(parse_forwarded, reversed(elements)), is_trusted)[0]


def _tell_x_forwarded(request: Request, is_trusted: Callable[[Address], bool]) -> Hop:
    headers = request.headers
    nodes = split_list(combined(headers, "X-Forwarded-For") or "")
    told, count = _walk(map(parse_node, reversed(nodes)), is_trusted)
    scheme = _nth(split_list(combined(headers, "X-Forwarded-Proto") or ""), count)
    host = _nth(split_list(combined(headers, "X-Forwarded-Host") or ""), count)
    return Hop(told.client, _scheme(scheme), host if host and is_host(host) else None)


def _nth(values: list[str], count: int) -> str:
    """What the outermost trusted proxy has put, if each has put one; the leftmost otherwise."""
    return values[-min(max(count, 1), len(values))] if values else ""


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in ("http", "https") else None


def parse_forwarded(element: str) -> Hop | None:
    """One element of Forwarded (RFC 7239 section 4); None when it is malformed."""
    pairs = parse_parameters(element)
    if not pairs or len(dict(pairs)) != len(pairs):
        return None
    values = dict(pairs)
    node = parse_node(values.get("for", "unknown"), bare=False)
    scheme, host = values.get("proto", ""), values.get("host", "")
    if node is None or (host and not is_host(host)):
        return None
    return Hop(node.client, _scheme(scheme), host or None)


def parse_node(text: str, bare: bool = True) -> Hop | None:
    """A node (RFC 7239 section 6); None when it is malformed, no client when it is hidden.

    `bare` allows IPv6 without brackets, and quotation marks, as X-Forwarded-For has them.
    """
    if bare:
        text = text.strip('"')
    if _HIDDEN(text.lower()):
        return Hop(None)
    match = _BRACKETED(text) or _PLAIN(text) or (bare and _BARE(text))
    if not match:
        return None
    host, port = match.groups()
    number = int(port) if port and port.isdigit() else 0
    try:
        return Hop((str(_address(host)), number)) if number < 65536 else None
    except ValueError:
        return None
