"""Response -> octets, without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from fastraw import HTTPError, Response
from fastraw._message_py import JOINED_BYTES
from fastraw.encode import (
    EncodeError,
    Framing,
    closes,
    date_field,
    encode,
    encode_error,
    encode_ordinary,
    encode_parts,
    encode_stream_head,
    prepared_start,
)
from fastraw.response import HeaderFields

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


def sent(response: Response, method: str = "GET", minor: int = 1, keep: bool = True) -> bytes:
    return encode(response, method, minor, keep, DATE)


def head_of(message: bytes) -> list[bytes]:
    return message.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_date() -> None:
    assert date_field(784111777.9) == DATE


def test_a_whole_message() -> None:
    response = Response("hi", 201, {"X-A": "1"})
    assert sent(response) == (
        b"HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 2\r\n" + DATE + b"X-A: 1\r\n\r\nhi"
    )


@pytest.mark.parametrize(
    "response", [Response("hi"), Response(b"", 404), Response(b"x", content_type="a/b")]
)
def test_the_short_way_gives_the_same(response: Response) -> None:
    assert response.ordinary
    whole = sent(response)
    assert encode_ordinary(response, DATE + b"\r\n") == whole
    assert encode_ordinary(response, DATE + b"\r\n") == whole


def test_no_short_way_for_what_is_large() -> None:
    response = Response(bytes(JOINED_BYTES + 1))
    assert encode_ordinary(response, DATE + b"\r\n") is None
    head, content = encode_parts(response, "GET", 1, True, DATE)
    assert (head + content, content is response.body) == (sent(response), True)


@pytest.mark.parametrize(
    ("minor", "keep", "field"),
    [
        (1, True, None),
        (1, False, b"Connection: close"),
        (0, True, b"Connection: keep-alive"),
        (0, False, b"Connection: close"),
    ],
)
def test_connection(minor: int, keep: bool, field: bytes | None) -> None:
    lines = [line for line in head_of(sent(Response("x"), "GET", minor, keep)) if b"Conn" in line]
    assert lines == ([] if field is None else [field])


@pytest.mark.parametrize(
    ("status", "headers", "length"),
    [
        (204, None, None),
        (304, None, None),
        (304, {"Content-Length": "7"}, b"7"),
        (205, None, b"0"),
        (205, {"Content-Length": "7"}, b"0"),
    ],
)
def test_statuses_without_content(
    status: int, headers: HeaderFields | None, length: bytes | None
) -> None:
    message = sent(Response(b"content", status, headers))
    assert message.endswith(b"\r\n\r\n")
    found = [line[16:] for line in head_of(message) if line.startswith(b"Content-Length: ")]
    assert found == ([] if length is None else [length])


@pytest.mark.parametrize(
    ("response", "length"),
    [
        (Response(b"four"), b"4"),
        (Response(b"", headers={"Content-Length": "9"}), b"9"),
        (Response(b"four", headers={"Content-Length": "9"}), b"4"),
    ],
)
def test_head(response: Response, length: bytes) -> None:
    message = sent(response, "HEAD")
    assert b"Content-Length: " + length in head_of(message)
    assert message.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "fields",
    [
        [("Content-Length", "5")],
        [("Content-Length", "4"), ("content-length", "5")],
        [("Content-Length", "+4")],
        [("Content-Length", "\xb2")],
        [("Content-Length", "")],
        [("Transfer-Encoding", "chunked")],
    ],
)
def test_a_response_that_contradicts_itself(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(EncodeError):
        sent(Response(b"four", headers=fields))
    if len(fields) == 2 or not fields[0][1].isascii() or not fields[0][1].isdigit():
        with pytest.raises(EncodeError):
            encode_stream_head(Response.stream([], headers=fields), "GET", 1, True, DATE)


def test_fields_that_are_the_servers() -> None:
    fields = [("Connection", "close, x"), ("Keep-Alive", "5"), ("Content-Length", "1")]
    lines = head_of(sent(Response(b"x", headers=fields)))
    assert b"Content-Length: 1" in lines
    assert not any(line.startswith((b"Connection", b"Keep-Alive")) for line in lines)


def test_a_date_of_the_handler_replaces_ours() -> None:
    lines = head_of(sent(Response(b"x", headers=[("date", "now"), ("Date", "then")])))
    assert [line for line in lines if line.lower().startswith(b"date")] == [b"date: now"]


def test_a_content_type_among_the_fields_replaces_the_other() -> None:
    lines = head_of(sent(Response("x", headers={"content-type": "a/b"})))
    assert [line for line in lines if b"/" in line][1:] == [b"content-type: a/b"]


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (None, False),
        ({"X": "close"}, False),
        ({"Connection": "closed"}, False),
        ({"Connection": "CLOSE"}, True),
        ([("Connection", "x"), ("connection", "y ,\tclose")], True),
    ],
)
def test_closes(headers: HeaderFields | None, wanted: bool) -> None:
    assert closes(Response(headers=headers)) is wanted


@pytest.mark.parametrize("content_type", ["a/b\r\nX: y", "a/b\0", "\u20ac"])
def test_a_media_type_that_is_none(content_type: str) -> None:
    with pytest.raises(ValueError, match="Content-Type"):
        sent(Response(b"x", content_type=content_type))


@pytest.mark.parametrize(
    ("method", "minor", "headers", "status", "framing", "kept"),
    [
        ("GET", 1, None, 200, (None, True), True),
        ("GET", 0, None, 200, (None, False), False),
        ("GET", 0, {"Content-Length": "3"}, 200, (3, False), True),
        ("GET", 1, {"Content-Length": "3"}, 200, (3, False), True),
        ("HEAD", 1, None, 200, (0, False), True),
        ("HEAD", 0, None, 200, (0, False), False),
        ("GET", 1, None, 204, (0, False), True),
        ("GET", 1, None, 304, (0, False), True),
    ],
)
def test_head_of_a_stream(
    method: str, minor: int, headers: Any, status: int, framing: tuple[Any, bool], kept: bool
) -> None:
    response = Response.stream([], status, headers)
    head, found, keep = encode_stream_head(response, method, minor, True, DATE)
    assert (found.remaining, found.chunked) == framing
    assert keep is kept
    assert (b"Connection: close" in head_of(head)) is not kept
    coded = b"Transfer-Encoding: chunked" in head_of(head)
    assert coded == (minor == 1 and headers is None and status == 200)


def test_framing() -> None:
    chunked = Framing(None, True)
    assert chunked.frame(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert chunked.frame(b"") == b""  # an empty chunk would be the last
    counted = Framing(5, False)
    assert [counted.frame(b"abc"), counted.frame(b"def"), counted.frame(b"g")] == [
        b"abc", b"de", b"",
    ]  # fmt: skip
    assert counted.remaining == 0
    assert Framing(None, False).frame(b"abc") == b"abc"


def test_error() -> None:
    message = encode_error(HTTPError(503, headers=[("Retry-After", "5")]), "GET", 1, False, DATE)
    head, _, content = message.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5\r\n" in head
    assert content == b"503 Service Unavailable\n"
    assert not encode_error(HTTPError(404), "HEAD", 1, True, DATE).partition(b"\r\n\r\n")[2]


# ---- heads made before ----


def prepared(body: bytes = b"hi") -> Response:
    start = prepared_start(Response(b"", 200, {"ETag": '"a"'}, "text/x"))
    return Response.prepared(start, 200, body)


def test_prepared_start_gives_what_the_response_would() -> None:
    plain = sent(Response(b"hi", 200, {"ETag": '"a"'}, "text/x"))
    assert sorted(head_of(encode_ordinary(prepared(), DATE + b"\r\n"))) == sorted(head_of(plain))
    assert sorted(head_of(sent(prepared()))) == sorted(head_of(plain))


def test_prepared_start_gives_way_to_what_is_set_after() -> None:
    for change, line in (
        ({"status": 404}, b"HTTP/1.1 404 Not Found"),
        ({"content_type": "text/y"}, b"Content-Type: text/y"),
    ):
        for encoded in (lambda each: encode_ordinary(each, DATE + b"\r\n") or sent(each), sent):
            response = prepared()
            for name, value in change.items():
                setattr(response, name, value)
            lines = head_of(encoded(response))
            assert line in lines
            assert b'ETag: "a"' in lines
            assert sum(each.startswith(b"Content-Type") for each in lines) == 1
