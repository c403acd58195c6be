"""What `start_response` is given -> octets, in Python: the reference that `_start` must agree with.

PEP 3333: what is wrong with it is an error when `start_response` is called, before anything has
been sent, so that nothing is forged and the application finds its own line in the traceback.
"""

from __future__ import annotations

import re

# RFC 9112 section 4: three digits, a space, and a reason phrase that may be empty.
_STATUS = re.compile(r"[2-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*").fullmatch
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch  # RFC 9110 section 5.5
_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch

# RFC 9110 section 7.6.1: between server and client only; an application must not set them.
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade"),
    )
)

Start = tuple[int, bytes, int, bool]


def encode_start(status: str, headers: list[tuple[str, str]]) -> Start:
    """Check and encode what an application starts its response with.

    Returns the status code; the status line and the fields as octets, Content-Length left out;
    the length that it declared, or -1; whether there is a Date among the fields.

    Raises TypeError for anything but a str and a list of pairs of str, ValueError for a status
    or a field that must not be sent.
    """
    if type(status) is not str:
        raise TypeError(f"the status must be a str, not {type(status).__name__}")
    if not _STATUS(status):
        raise ValueError(f"the status must be like '200 OK', from 200 to 599, not {status!r}")
    if not isinstance(headers, list):
        raise TypeError(f"the headers must be a list, not {type(headers).__name__}")
    lines = [f"HTTP/1.1 {status}\r\n"]
    length, dated = -1, False
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            raise TypeError(f"a header must be a pair of name and value, not {pair!r}")
        name, value = pair
        if type(name) is not str or type(value) is not str:
            raise TypeError(f"name and value of a header must be str, not {pair!r}")
        if not _TOKEN(name) or not _VALUE(value):
            raise ValueError(
                f"a header must have a token for a name, and no control characters, not {pair!r}"
            )
        key = name.lower()
        if key in HOP_BY_HOP:
            raise ValueError(f"the server sets {name}, not an application")
        if key == "content-length":
            length = _length(value, length)
            continue
        dated = dated or key == "date"
        value = value.strip(" \t")
        lines.append(f"{name}: {value}\r\n")
    return int(status[:3]), "".join(lines).encode("latin-1"), length, dated


def _length(value: str, before: int) -> int:
    value = value.strip(" \t")
    if not _LENGTH(value) or before not in (-1, int(value)):
        raise ValueError("Content-Length must be one decimal number")
    return int(value)
