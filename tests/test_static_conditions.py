"""Conditional requests and ranges: RFC 9110 sections 13 and 14, by functions and over the wire."""

from __future__ import annotations

import email
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastraw import FastServer, Headers, StaticFiles
from fastraw.apps.files.conditional import failed_condition, wanted_ranges
from fastraw.apps.files.httpdate import parse_date
from fastraw.apps.files.ranges import MAX_RANGES, content_range, parse_ranges
from fastraw.dates import format_date
from tests.test_static import ask

TAG = '"tag"'
THEN = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"

CONTENT = b"0123456789" * 10
LARGE = os.urandom(100_000)


# ---- dates ----


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (DATE, THEN),
        ("Sunday, 06-Nov-94 08:49:37 GMT", THEN),
        ("Sun Nov  6 08:49:37 1994", THEN),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228799),  # a leap second
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT; length=10", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT\n", None),
        ("Sun, \u0660\u0666 Nov 1994 08:49:37 GMT", None),
        ("784111777", None),
        ("", None),
    ],
)
def test_date(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds


def test_two_digits_of_a_year_are_of_this_century_or_the_last() -> None:
    """RFC 9110 section 5.6.7: more than 50 years ahead means the past."""
    year = int(format_date(2**31).split()[3])
    assert year == 2038
    for digits in range(100):
        seconds = parse_date(f"Monday, 01-Jan-{digits:02} 00:00:00 GMT")
        assert seconds is not None
        assert int(format_date(max(seconds, 0)).split()[3]) % 100 in (digits, 70)


@given(st.integers(0, 253402300799))
def test_date_there_and_back(seconds: int) -> None:
    assert parse_date(format_date(seconds)) == seconds


def test_dates_that_cannot_be_written() -> None:
    assert format_date(-1) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert format_date(10**15) == "Fri, 31 Dec 9999 23:59:59 GMT"


# ---- conditions, in the order of RFC 9110 section 13.2.2 ----

CONDITIONS = [
    # If-Match: the strong comparison.
    ({"If-Match": TAG}, None, None),
    ({"If-Match": '"other", "tag"'}, None, None),
    ({"If-Match": "*"}, None, None),
    ({"If-Match": '"other"'}, 412, 412),
    ({"If-Match": 'W/"tag"'}, 412, 412),
    ({"If-Match": "tag"}, 412, 412),
    # If-Unmodified-Since, only without If-Match.
    ({"If-Unmodified-Since": DATE}, None, None),
    ({"If-Unmodified-Since": AFTER}, None, None),
    ({"If-Unmodified-Since": BEFORE}, 412, 412),
    ({"If-Unmodified-Since": "yesterday"}, None, None),
    ({"If-Match": TAG, "If-Unmodified-Since": BEFORE}, None, None),
    ({"If-Match": '"other"', "If-Unmodified-Since": AFTER}, 412, 412),
    # If-None-Match: the weak comparison.
    ({"If-None-Match": TAG}, 304, 412),
    ({"If-None-Match": 'W/"tag"'}, 304, 412),
    ({"If-None-Match": '"a", W/"tag"'}, 304, 412),
    ({"If-None-Match": "*"}, 304, 412),
    ({"If-None-Match": '"other"'}, None, None),
    ({"If-None-Match": "tag"}, None, None),
    # If-Modified-Since, only without If-None-Match, only for GET and HEAD.
    ({"If-Modified-Since": DATE}, 304, None),
    ({"If-Modified-Since": AFTER}, 304, None),
    ({"If-Modified-Since": BEFORE}, None, None),
    ({"If-Modified-Since": "now"}, None, None),
    ({"If-None-Match": '"other"', "If-Modified-Since": AFTER}, None, None),
    ({"If-None-Match": TAG, "If-Modified-Since": BEFORE}, 304, 412),
    # The first pair before the second.
    ({"If-Match": '"other"', "If-None-Match": TAG}, 412, 412),
    ({"If-Match": TAG, "If-None-Match": TAG}, 304, 412),
    ({"If-Unmodified-Since": BEFORE, "If-Modified-Since": AFTER}, 412, 412),
    ({"If-Unmodified-Since": AFTER, "If-None-Match": TAG}, 304, 412),
    ({}, None, None),
]


@pytest.mark.parametrize(("fields", "reading", "changing"), CONDITIONS)
def test_condition(fields: dict[str, str], reading: int | None, changing: int | None) -> None:
    headers = Headers(fields)
    assert failed_condition(headers, "GET", TAG, THEN) == reading
    assert failed_condition(headers, "HEAD", TAG, THEN) == reading
    assert failed_condition(headers, "PUT", TAG, THEN) == changing


def test_condition_in_several_field_lines() -> None:
    tags = Headers([("If-None-Match", '"a"'), ("If-None-Match", TAG)])
    assert failed_condition(tags, "GET", TAG, THEN) == 304
    dates = Headers([("If-Modified-Since", AFTER), ("If-Modified-Since", AFTER)])
    assert failed_condition(dates, "GET", TAG, THEN) is None


def test_dates_say_nothing_of_what_has_none() -> None:
    headers = Headers({"If-Modified-Since": AFTER, "If-Unmodified-Since": BEFORE})
    assert failed_condition(headers, "GET", TAG, None) is None


@pytest.mark.parametrize(
    ("if_range", "honoured"),
    [
        (TAG, True),
        ('W/"tag"', False),
        ('"other"', False),
        ("tag", False),
        (f'{TAG}, "other"', False),
        (DATE, True),
        ("Sun Nov  6 08:49:37 1994", True),
        (BEFORE, False),
        (AFTER, False),
        ("", False),
    ],
)
def test_if_range(if_range: str, honoured: bool) -> None:
    headers = Headers({"Range": "bytes=0-0", "If-Range": if_range})
    assert wanted_ranges(headers, "GET", TAG, THEN) == ("bytes=0-0" if honoured else None)
    assert wanted_ranges(headers, "HEAD", TAG, THEN) is None


def test_if_range_twice_and_alone() -> None:
    both = Headers([("Range", "bytes=0-0"), ("If-Range", TAG), ("If-Range", TAG)])
    assert wanted_ranges(both, "GET", TAG, THEN) is None
    assert wanted_ranges(Headers({"If-Range": TAG}), "GET", TAG, THEN) is None


# ---- ranges ----


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=0-", [(0, 100)]),
        ("bytes=90-", [(90, 10)]),
        ("bytes=90-1000", [(90, 10)]),
        ("bytes=-1", [(99, 1)]),
        ("bytes=-100", [(0, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("BYTES=5-6", [(5, 2)]),
        ("bytes=0-0,2-2, \t 4-4", [(0, 1), (2, 1), (4, 1)]),
        ("bytes= 0-0 , , -1,", [(0, 1), (99, 1)]),
        ("bytes=5-6,0-1", [(5, 2), (0, 2)]),  # in the order asked for
        ("bytes=0-0,100-", [(0, 1)]),
        ("bytes=00-001", [(0, 2)]),
        ("bytes=0-" + "9" * 5000, [(0, 100)]),
        ("bytes=-" + "9" * 5000, [(0, 100)]),
        # None of it is there.
        ("bytes=100-", []),
        ("bytes=100-200,300-", []),
        ("bytes=-0", []),
        ("bytes=" + "9" * 5000 + "-", []),
        # No range set: ignored.
        ("bytes=1-0", None),
        ("bytes=0-0,1-0", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=,", None),
        ("bytes=a-b", None),
        ("bytes=0-1-2", None),
        ("bytes=0 - 1", None),
        ("bytes=+0-1", None),
        ("bytes=0x0-1", None),
        ("bytes=\u0660-\u0661", None),
        ("bytes 0-1", None),
        ("bytes = 0-1", None),
        ("items=0-1", None),
        ("0-1", None),
        ("", None),
        # More than the whole.
        ("bytes=0-,0-", None),
        ("bytes=0-60,50-99", None),
        ("bytes=" + ",".join(f"{at}-{at}" for at in range(MAX_RANGES + 1)), None),
    ],
)
def test_ranges(value: str, ranges: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(value, 100) == ranges


def test_ranges_of_nothing() -> None:
    assert parse_ranges("bytes=0-", 0) == []
    assert parse_ranges("bytes=-0", 0) == []
    assert parse_ranges("bytes=-5", 0) is None  # all of it, and no Content-Range can say so


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 60), st.none() | st.integers(0, 60)), min_size=1, max_size=5),
)
def test_ranges_lie_inside(size: int, specs: list[tuple[int, int | None]]) -> None:
    text = ",".join(f"{first}-{'' if last is None else last}" for first, last in specs)
    whole = range(size)
    for start, count in parse_ranges(f"bytes={text}", size) or ():
        assert count > 0
        assert start in whole
        assert start + count - 1 in whole
        assert content_range((start, count), size) == f"bytes {start}-{start + count - 1}/{size}"


@given(st.text("bytes=0123456789-, \u0660", max_size=20), st.integers(0, 10**9))
def test_any_text_is_a_range_field_or_not(text: str, size: int) -> None:
    parse_ranges(text, size)
    parse_ranges(f"bytes={text}", size)


# ---- over the wire ----


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastServer]:
    root = tmp_path_factory.mktemp("site")
    for name, content in (("a.txt", CONTENT), ("large.bin", LARGE), ("empty.txt", b"")):
        (root / name).write_bytes(content)
        os.utime(root / name, (THEN, THEN))
    (root / "a.txt.gz").write_bytes(b"compressed")
    with FastServer(StaticFiles(root, cache_control="no-cache", listing=True), port=0) as server:
        yield server


def parts(content_type: str | None, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Content-Range, Content-Type and octets of each part, by the standard library's parser."""
    message = email.message_from_bytes(
        b"Content-Type: " + (content_type or "").encode() + b"\r\n\r\n" + body
    )
    assert message.get_content_type() == "multipart/byteranges"
    assert not message.defects
    return [
        (part["Content-Range"], part["Content-Type"], part.get_payload(decode=True))
        for part in message.get_payload()
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_not_modified(server: FastServer, method: str) -> None:
    whole = ask(server, "/a.txt")
    for field in (f"If-None-Match: {whole.get('etag')}", f"If-Modified-Since: {DATE}"):
        response = ask(server, "/a.txt", field, method=method)
        assert (response.status, response.body) == (304, b"")
        names = {name.lower() for name, _ in response.fields}
        # RFC 9110 section 15.4.5: these and no description of content that is not sent.
        assert names == {"date", "etag", "vary", "cache-control", "connection"}
        assert response.get("etag") == whole.get("etag")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_precondition_failed(server: FastServer, method: str) -> None:
    for field in ('If-Match: "other"', f"If-Unmodified-Since: {BEFORE}"):
        response = ask(server, "/a.txt", field, method=method)
        assert response.status == 412
        assert response.get("etag") is None


def test_conditions_of_what_is_not_there(server: FastServer) -> None:
    """RFC 9110 section 13.2.1: without a condition it would be an error or a redirect anyway."""
    for field in ("If-Match: *", "If-None-Match: *", "Range: bytes=0-0"):
        assert ask(server, "/nothing", field).status == 404


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", CONTENT), ("large.bin", LARGE)], ids=["small", "large"]
)
def test_one_range(server: FastServer, name: str, content: bytes) -> None:
    size = len(content)
    whole = ask(server, f"/{name}")
    for field, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1-", 1, size),
        ("bytes=-3", size - 3, size),
        (f"bytes=0-0,{size}-", 0, 1),
    ):
        response = ask(server, f"/{name}", f"Range: {field}")
        assert response.status == 206
        assert response.body == content[start:end]
        assert response.get("content-range") == f"bytes {start}-{end - 1}/{size}"
        for same in ("etag", "last-modified", "content-type", "cache-control", "vary"):
            assert response.get(same) == whole.get(same)


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", CONTENT), ("large.bin", LARGE)], ids=["small", "large"]
)
def test_several_ranges(server: FastServer, name: str, content: bytes) -> None:
    size = len(content)
    middle = size // 3
    response = ask(server, f"/{name}", f"Range: bytes=-5,0-0, {middle}-{size - 10},{size}-")
    assert response.status == 206
    assert response.get("content-range") is None
    kind = ask(server, f"/{name}").get("content-type")
    assert parts(response.get("content-type"), response.body) == [
        (f"bytes {size - 5}-{size - 1}/{size}", kind, content[-5:]),
        (f"bytes 0-0/{size}", kind, content[:1]),
        (f"bytes {middle}-{size - 10}/{size}", kind, content[middle : size - 9]),
    ]


def test_boundary_is_another_each_time(server: FastServer) -> None:
    types = {ask(server, "/a.txt", "Range: bytes=0-0,2-2").get("content-type") for _ in range(2)}
    assert len(types) == 2


def test_range_that_is_not_there(server: FastServer) -> None:
    response = ask(server, "/a.txt", "Range: bytes=100-")
    assert (response.status, response.get("content-range")) == (416, "bytes */100")
    response = ask(server, "/empty.txt", "Range: bytes=0-")
    assert (response.status, response.get("content-range")) == (416, "bytes */0")
    assert ask(server, "/empty.txt", "Range: bytes=-1").status == 200


def test_range_of_head_is_ignored(server: FastServer) -> None:
    response = ask(server, "/a.txt", "Range: bytes=0-0", method="HEAD")
    assert (response.status, response.get("content-length")) == (200, "100")


def test_range_by_if_range(server: FastServer) -> None:
    etag = ask(server, "/a.txt").get("etag")
    for validator, status in ((etag, 206), (DATE, 206), ('"old"', 200), (AFTER, 200)):
        response = ask(server, "/a.txt", "Range: bytes=1-2", f"If-Range: {validator}")
        assert response.status == status
        assert response.body == (CONTENT if status == 200 else b"12")


def test_conditions_before_ranges(server: FastServer) -> None:
    etag = ask(server, "/a.txt").get("etag")
    assert ask(server, "/a.txt", "Range: bytes=0-0", f"If-None-Match: {etag}").status == 304
    assert ask(server, "/a.txt", "Range: bytes=500-", 'If-Match: "other"').status == 412
    assert ask(server, "/a.txt", "Range: bytes=0-0", f"If-Match: {etag}").status == 206


def test_range_of_the_compressed_neighbour(server: FastServer) -> None:
    """Ranges, tags and lengths are those of what is sent, its coding included."""
    gzip = "Accept-Encoding: gzip"
    response = ask(server, "/a.txt", gzip, "Range: bytes=0-3")
    assert (response.status, response.body) == (206, b"comp")
    assert response.get("content-range") == "bytes 0-3/10"
    assert response.get("content-encoding") == "gzip"
    # The tag of one representation is no tag of another.
    plain = ask(server, "/a.txt").get("etag")
    assert ask(server, "/a.txt", gzip, f"If-None-Match: {plain}").status == 200
    response = ask(server, "/a.txt", gzip, "Range: bytes=0-3", f"If-Range: {plain}")
    assert (response.status, response.body) == (200, b"compressed")


def test_listing_has_conditions_too(server: FastServer) -> None:
    etag = ask(server, "/").get("etag")
    assert ask(server, "/", f"If-None-Match: {etag}").status == 304
    assert ask(server, "/?sort=size", f"If-None-Match: {etag}").status == 200
