"""The rules of RFC 9110 and RFC 9112 for one thing each: a line, a target, a host, a field's value.

What is taken apart here is rare or wrong; what nearly every request has, the parsers know by
themselves, in C and in Python.
"""

from __future__ import annotations

import re

from . import faults
from .errors import ParseError
from .faults import Fault

# Where a limit is off. Offsets of the extension have 32 bits.
UNLIMITED = 2**31 - 16

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 section 5.6.2
FIELD_VALUE = r"[\t\x20-\x7e\x80-\xff]*"  # RFC 9110 section 5.5
TARGET = r"[\x21\x22\x24-\x7e]"  # RFC 3986, and what clients send raw
_token = re.compile(TOKEN).fullmatch
_value = re.compile(FIELD_VALUE).fullmatch
_target = re.compile(rf"{TARGET}*").fullmatch
_version = re.compile(r"HTTP/[0-9]\.[0-9]").fullmatch  # RFC 9112 section 2.3
_absolute = re.compile(r"(?i:https?)://([^/?]+)").match  # RFC 9112 section 3.2.2
# RFC 9110 section 7.2: uri-host [":" port]. No comma, which would make of two hosts one.
_host = re.compile(
    r"(?:(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+|\[([0-9A-Fa-f:.]+)\])(?::[0-9]+)?"
).fullmatch
_ipv4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII).fullmatch


# Lines.


def request_line_fault(line: str) -> Fault | None:
    """RFC 9112 section 3: method SP request-target SP HTTP-version CRLF."""
    if line[-2:] != "\r\n":
        return faults.LINE_END
    parts = line[:-2].split(" ")
    if len(parts) != 3:
        return faults.SHAPE
    method, target, version = parts
    if not _token(method):
        return faults.METHOD
    if not _target(target):
        return faults.TARGET_OCTETS
    if not _version(version):
        return faults.VERSION
    if version[5] != "1":
        return faults.MAJOR_VERSION
    return faults.TARGET_FORM if authority_of(method, target) is None else None


def field_line_fault(line: str) -> Fault | None:
    """RFC 9112 section 5: field-name ":" OWS field-value OWS CRLF."""
    if line[-2:] != "\r\n":
        return faults.LINE_END
    if line[0] in " \t":
        return faults.FOLDED
    name, colon, value = line[:-2].partition(":")
    if not colon:
        return faults.COLON
    if not _token(name):
        return faults.FIELD_NAME
    return None if _value(value) else faults.FIELD_VALUE


# Targets and hosts.


def authority_of(method: str, target: str) -> str | None:
    """The authority of a target not in origin form, "" for `*`; None when the form is wrong."""
    if method == "CONNECT":  # RFC 9112 section 3.2.3: host and port, and nothing else
        return target if is_host(target) and target[-1] != "]" and ":" in target else None
    if target == "*":  # section 3.2.4
        return "" if method == "OPTIONS" else None
    if target[:1] == "/":
        return ""
    match = _absolute(target)
    return match[1] if match and is_host(match[1]) else None


def is_host(text: str) -> bool:
    """Whether `text` is a host with or without a port (RFC 9110 section 7.2), and not empty."""
    match = _host(text)
    return match is not None and (match[1] is None or is_ipv6(match[1]))


def is_ipv6(text: str) -> bool:
    """Whether `text`, of hexadecimal digits, colons and dots, is an IPv6address (RFC 3986
    section 3.2.2)."""
    left, gap, right = text.partition("::")
    groups = [group for side in (left, right) if side for group in side.split(":")]
    count = len(groups)
    if groups and _ipv4(groups[-1]) and (right or not gap):
        groups.pop()
        count += 1
    return (count < 8 if gap else count == 8) and all(
        0 < len(group) < 5 and "." not in group for group in groups
    )


# What fields say.


def connection_options(values: list[str]) -> list[str]:
    """RFC 9110 section 7.6.1: the list that all Connection fields make up, in lower case."""
    return [option.strip(" \t") for option in ",".join(values).lower().split(",")]


def check_coding(text: str) -> None:
    """RFC 9112 section 6.1; a coding never falls back to a length or to no content."""
    codings = [coding.strip(" \t").lower() for coding in text.split(",")]
    if codings == ["chunked"]:
        return
    chunked_last = codings[-1] == "chunked" and codings.count("chunked") == 1
    if chunked_last and all(_token(coding) for coding in codings):
        raise ParseError(*faults.CODING_UNKNOWN)
    raise ParseError(*faults.CODING_INVALID)


def length_of(values: list[str]) -> int:
    """RFC 9110 section 8.6, strictly: one field, digits only."""
    if len(values) > 1:
        raise ParseError(*faults.LENGTH_REPEATED)
    digits = values[0]
    if not (digits.isascii() and digits.isdigit()):
        raise ParseError(*faults.LENGTH_INVALID)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > 2**63 - 1:
        raise ParseError(*faults.CONTENT_LARGE)
    return int(digits)
