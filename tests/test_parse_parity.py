"""Both parsers, and both ways to take chunks, come to the same on any octets, cut up anyhow.

With FASTRAW_PURE there is one of them, and it is held to itself in pieces.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastraw import Limits, body
from tests.fuzz.outcomes import of_content, of_head, of_head_in_pieces
from tests.parsers import NAMES, implementation

SMALL = Limits(request_line_bytes=40, head_bytes=120, field_lines=4)
ALL_LIMITS = st.sampled_from(
    (Limits(), SMALL, Limits(request_line_bytes=None, head_bytes=None, field_lines=None))
)

# Heads that are right but for a part or two.
ANY = st.binary(max_size=20)
CRLF = st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r", b"\r\r\n", b"", b"\r\n ", b"\r\n\r\n"])
TOKENS = st.from_regex(rb"\A[!-'*+\-.0-9A-Z^_`a-z|~]{1,40}\Z")
METHODS = st.sampled_from([b"GET", b"POST", b"OPTIONS", b"CONNECT", b"get", b"HEAD"]) | TOKENS | ANY
HOSTS = st.sampled_from(
    [b"a", b"a:80", b"", b"[::1]", b"[::1]:8", b"[1:2:3:4:5:6:1.2.3.4]", b"a,b", b"[", b"a%20"]
)  # fmt: skip
TARGETS = st.one_of(
    st.sampled_from([b"/", b"*", b"//x", b"/?a=b", b"a:80", b"/#", b"http://", b""]),
    HOSTS.map(lambda host: b"http://" + host + b"/x"),
    st.from_regex(rb"\A/[!-~]{0,90}\Z"),
    ANY,
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 9 + [b"HTTP/1.0", b"HTTP/1.7", b"HTTP/2.0", b"HTTP/1"])
LENGTHS = st.sampled_from(
    [b"5", b"0", b"010", b"9" * 18, b"9223372036854775808", b"+5", b"5, 5", b""]
)
CODINGS = st.sampled_from([b"chunked", b"CHUNKED ", b"gzip", b"gzip, chunked", b"chunked,", b""])
OPTIONS = st.sampled_from([b"close", b"keep-alive", b"Upgrade", b"x, Close", b"xclose", b""])
FIELDS = st.one_of(
    st.tuples(st.sampled_from([b"Host", b"host"]), HOSTS),
    st.tuples(st.sampled_from([b"Content-Length", b"CONTENT-LENGTH"]), LENGTHS),
    st.tuples(st.sampled_from([b"Transfer-Encoding", b"transfer-encoding"]), CODINGS),
    st.tuples(st.sampled_from([b"Connection", b"connectioN"]), OPTIONS),
    st.tuples(st.sampled_from([b"Expect", b"Upgrade"]), st.sampled_from([b"100-continue", b"h2c"])),
    st.tuples(st.sampled_from([b"Accept", b"accept-encoding", b"X-Forwarded-For"]), ANY),
    st.tuples(TOKENS, st.binary(max_size=100)),
    st.tuples(ANY, ANY),
)
LINES = st.tuples(FIELDS, st.sampled_from([b": "] * 8 + [b":", b":\t ", b" : ", b" "]), CRLF).map(
    lambda line: line[0][0] + line[1] + line[0][1] + line[2]
)
HEADS = st.builds(
    lambda front, method, target, version, end, host, lines, last: (
        front + method + b" " + target + b" " + version + end + host + b"".join(lines) + last
    ),
    st.sampled_from([b""] * 9 + [b"\r\n", b"\r", b"\n"]),
    METHODS, TARGETS, VERSIONS, CRLF,
    st.sampled_from([b"Host: a\r\n"] * 5 + [b""]),
    st.lists(LINES, max_size=7), CRLF,
)  # fmt: skip
INPUTS = HEADS | st.binary(max_size=300)
CUTS = st.lists(st.integers(0, 400), max_size=8).map(sorted)

CHUNKS = st.one_of(
    st.binary(min_size=1, max_size=30).map(lambda data: b"%x\r\n%s\r\n" % (len(data), data)),
    st.sampled_from(
        [
            *(b"0\r\n", b"\r\n", b"0\r\n\r\n", b"3;a=b\r\nabc\r\n", b"5\r\nabcde\rX", b"f" * 16),
            *(b"0003\r\nabc\r\n", b"2\nab\r\n", b"2 \r\nab\r\n", b"X: 1\r\n", b"Host: a\r\n"),
        ]
    ),
    ANY,
)  # fmt: skip
CONTENTS = st.lists(CHUNKS, max_size=8).map(b"".join)


@settings(max_examples=700, deadline=None)
@given(INPUTS, st.integers(0, 40), CUTS, ALL_LIMITS)
def test_heads(octets: bytes, start: int, cuts: list[int], limits: Limits) -> None:
    start = min(start, len(octets)) if start > 30 else 0
    cuts = [cut for cut in cuts if start < cut < len(octets)]
    parsers = [implementation(name).parse_head for name in NAMES]
    expected = of_head(parsers[-1], octets, start, 0, limits)
    for parse_head in parsers:
        assert of_head(parse_head, octets, start, 0, limits) == expected
        assert of_head_in_pieces(parse_head, octets, start, cuts, limits) == expected


@settings(max_examples=300, deadline=None)
@given(CONTENTS, CUTS, ALL_LIMITS, st.sampled_from([None, 3, 40, 2**40]))
def test_content(octets: bytes, cuts: list[int], limits: Limits, room: int | None) -> None:
    ways = ([], [cut for cut in cuts if cut < len(octets)], range(len(octets)))
    outcomes: list[object] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in NAMES:
            monkeypatch.setattr(body, "take_chunks", implementation(name).take_chunks)
            outcomes += [of_content(octets, some, limits, room) for some in ways]
    assert outcomes == outcomes[:1] * len(outcomes)


@settings(max_examples=150, deadline=None)
@given(CONTENTS, st.integers(0, 20), st.integers(0, 100))
def test_take_chunks(octets: bytes, start: int, room: int) -> None:
    start = min(start, len(octets))
    taken = [
        implementation(name).take_chunks(data, start, room)
        for name in NAMES
        for data in (octets, bytearray(octets))
    ]
    assert taken == taken[:1] * len(taken)
