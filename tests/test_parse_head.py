"""Request lines, targets and hosts; every case on both parsers and in every way octets can come."""

from __future__ import annotations

import pytest

from fastraw import faults
from tests.parsers import each_parser, every_way

HOST = "Host: a\r\n"


def request(line: str, fields: str = HOST) -> bytes:
    return f"{line}\r\n{fields}\r\n".encode("latin-1")


@each_parser
@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        # Line ends.
        (b"GET / HTTP/1.1\nHost: a\n\n", faults.LINE_END),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", faults.LINE_END),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", faults.LINE_END),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", faults.SHAPE),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", faults.FIELD_VALUE),
        (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", faults.FIELD_VALUE),
        (b"GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", faults.FIELD_NAME),
        (b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", faults.TARGET_OCTETS),
        (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", faults.VERSION),
        # What a request begins with.
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", faults.BEGINNING),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", faults.BEGINNING),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", faults.BEGINNING),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", faults.BEGINNING),
        (b"\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n", faults.BEGINNING),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", faults.BEGINNING),
        (b"\x00", faults.BEGINNING),
        (b"\x80", faults.BEGINNING),
        (b"SSH-2.0-OpenSSH_9.2\r\n", faults.SHAPE),
        # Shape.
        (request("GET /"), faults.SHAPE),
        (request("GET"), faults.SHAPE),
        (request("GET  / HTTP/1.1"), faults.SHAPE),
        (request("GET /  HTTP/1.1"), faults.SHAPE),
        (request("GET / HTTP/1.1 "), faults.SHAPE),
        (request("GET / HTTP/1.1 x"), faults.SHAPE),
        (request("GET /a b HTTP/1.1"), faults.SHAPE),
        (request("GET\t/\tHTTP/1.1"), faults.SHAPE),
        (request("GET\x0b/ HTTP/1.1"), faults.SHAPE),
        (request("GET /\tHTTP/1.1"), faults.SHAPE),
        # Methods.
        (request("G(T / HTTP/1.1"), faults.METHOD),
        (request("GET: / HTTP/1.1"), faults.METHOD),
        (request("GE\x00T / HTTP/1.1"), faults.METHOD),
        (request("G\xc9T / HTTP/1.1"), faults.METHOD),
        (request("G@T / HTTP/1.1"), faults.METHOD),
        # Targets.
        (request("GET /#a HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /\x00 HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /\x7f HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /\x80 HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /\xff HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /a\tb HTTP/1.1"), faults.TARGET_OCTETS),
        (request("GET /" + "a" * 40 + "\x1f HTTP/1.1"), faults.TARGET_OCTETS),
        # Versions.
        (request("GET / HTTP/1"), faults.VERSION),
        (request("GET / HTTP/1.10"), faults.VERSION),
        (request("GET / HTTP/11.1"), faults.VERSION),
        (request("GET / http/1.1"), faults.VERSION),
        (request("GET / HTTP/1,1"), faults.VERSION),
        (request("GET / HTTP/a.1"), faults.VERSION),
        (request("GET / HTTP/1.a"), faults.VERSION),
        (request("GET / HTTP/\xb9.1"), faults.VERSION),
        (request("GET / HTTP1.1"), faults.VERSION),
        (request("GET / x"), faults.VERSION),
        (request("GET / HTTP/0.9"), faults.MAJOR_VERSION),
        (request("GET / HTTP/2.0"), faults.MAJOR_VERSION),
        (request("GET / HTTP/9.9"), faults.MAJOR_VERSION),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", faults.MAJOR_VERSION),
        # Forms of the target.
        (request("GET * HTTP/1.1"), faults.TARGET_FORM),
        (request("OPTIONS ** HTTP/1.1"), faults.TARGET_FORM),
        (request("GET a HTTP/1.1"), faults.TARGET_FORM),
        (request("GET a:80 HTTP/1.1"), faults.TARGET_FORM),
        (request("GET  HTTP/1.1"), faults.TARGET_FORM),
        (request("GET ?a HTTP/1.1"), faults.TARGET_FORM),
        (request("GET ftp://a/ HTTP/1.1"), faults.TARGET_FORM),
        (request("GET http:/a/ HTTP/1.1"), faults.TARGET_FORM),
        (request("GET http:///a HTTP/1.1"), faults.TARGET_FORM),
        (request("GET http://a@b/ HTTP/1.1"), faults.TARGET_FORM),
        (request("GET http://a:b/ HTTP/1.1"), faults.TARGET_FORM),
        (request("GET http://[::1/ HTTP/1.1"), faults.TARGET_FORM),
        (request("CONNECT / HTTP/1.1"), faults.TARGET_FORM),
        (request("CONNECT a HTTP/1.1"), faults.TARGET_FORM),
        (request("CONNECT http://a/ HTTP/1.1"), faults.TARGET_FORM),
        (request("CONNECT [::1] HTTP/1.1"), faults.TARGET_FORM),
        (request("CONNECT a:1/ HTTP/1.1"), faults.TARGET_FORM),
        # Host.
        (request("GET / HTTP/1.1", ""), faults.HOST_MISSING),
        (request("GET / HTTP/1.9", ""), faults.HOST_MISSING),
        (request("GET http://a/ HTTP/1.1", ""), faults.HOST_MISSING),
        (request("GET / HTTP/1.1", "Hos: a\r\nHostt: b\r\n"), faults.HOST_MISSING),
        (request("GET / HTTP/1.1", HOST + HOST), faults.HOST_REPEATED),
        (request("GET / HTTP/1.1", "Host: a\r\nhOST: b\r\n"), faults.HOST_REPEATED),
        (request("GET / HTTP/1.0", HOST + HOST), faults.HOST_REPEATED),
    ],
)  # fmt: skip
def test_fault(name: str, octets: bytes, fault: faults.Fault) -> None:
    assert every_way(name, octets) == ("fault", *fault)


@each_parser
@pytest.mark.parametrize(
    "host",
    [
        *("a b", "a,b", "a/", "a?", "a#", "u@a", "a\\b", 'a"', "<a>", "a:1:2", ":80", "a:", "a:b"),
        *("[::1", "::1", "[::1]a", "[::1]:", "[]", "[:]", "[:::]", "[1:2]", "[::12345]", "[::g]"),
        *("[1:2:3:4:5:6:7:8:9]", "[1::2:3:4:5:6:7:8]", "[::1.2.3]", "[::1.2.3.256]", "[1.2.3.4]"),
        *("[::1.2.3.4:1]", "[v1.a]", "\xe4.de", "a%", "a%2", "a%zz", "a\tb", "a:8\xb2"),
    ],
)  # fmt: skip
def test_host_refused(name: str, host: str) -> None:
    octets = request("GET / HTTP/1.1", f"Host: {host}\r\n")
    assert every_way(name, octets) == ("fault", *faults.HOST_INVALID)


@each_parser
@pytest.mark.parametrize(
    "host",
    [
        *("", "a", "127.0.0.1:8", "[::1]:8", "[::]", "a_b.", "a%20b", "A.com:080", "!$&'()*+;=~"),
        *("[1:2:3:4:5:6:7:8]", "[1::8]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "a" * 300),
    ],
)  # fmt: skip
def test_host_accepted(name: str, host: str) -> None:
    octets = request("GET / HTTP/1.1", f"Host: \t{host} \r\n")
    outcome = every_way(name, octets)
    assert outcome is not None
    assert outcome[3] == [("Host", host)]


@each_parser
@pytest.mark.parametrize(
    ("line", "method", "target", "minor_version", "host"),
    [
        ("GET / HTTP/1.1", "GET", "/", 1, "a"),
        ("GET / HTTP/1.0", "GET", "/", 0, "a"),
        ("GET / HTTP/1.2", "GET", "/", 1, "a"),
        ("GET / HTTP/1.9", "GET", "/", 1, "a"),
        ("get / HTTP/1.1", "get", "/", 1, "a"),
        ("BREW /pot HTTP/1.1", "BREW", "/pot", 1, "a"),
        ("!#$%&'*+-.^_`|~09 / HTTP/1.1", "!#$%&'*+-.^_`|~09", "/", 1, "a"),
        ("GET //x HTTP/1.1", "GET", "//x", 1, "a"),
        ("GET /?a=b%00\"<>\\^`{|}~ HTTP/1.1", "GET", "/?a=b%00\"<>\\^`{|}~", 1, "a"),
        ("GET /" + "a" * 200 + " HTTP/1.1", "GET", "/" + "a" * 200, 1, "a"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*", 1, "a"),
        ("CONNECT b:443 HTTP/1.1", "CONNECT", "b:443", 1, "a"),
        ("CONNECT [::1]:443 HTTP/1.1", "CONNECT", "[::1]:443", 1, "a"),
        ("GET http://b HTTP/1.1", "GET", "http://b", 1, "b"),
        ("GET HTTP://b:8/ HTTP/1.1", "GET", "HTTP://b:8/", 1, "b:8"),
        ("GET https://[::1]:8?q HTTP/1.1", "GET", "https://[::1]:8?q", 1, "[::1]:8"),
        *[(f"{method} / HTTP/1.1", method, "/", 1, "a") for method in (
            "PUT", "POST", "HEAD", "PATCH", "TRACE", "DELETE", "OPTIONS", "PROPFIND",
        )],
    ],
)  # fmt: skip
def test_request_line(
    name: str, line: str, method: str, target: str, minor_version: int, host: str
) -> None:
    octets = request(line, "X: 1\r\nhost: a\r\n")
    for head in (octets, b"\r\n" + octets):
        keep_alive = minor_version == 1
        assert every_way(name, head) == (
            *(method, target, minor_version, [("X", "1"), ("host", host)]),
            *(None, False, keep_alive, False, None, len(head)),
            keep_alive and method not in ("HEAD", "CONNECT"),
        )


@each_parser
def test_authority_without_a_host_field(name: str) -> None:
    outcome = every_way(name, request("GET http://b/ HTTP/1.0", "X: 1\r\n"))
    assert outcome is not None
    assert outcome[3] == [("X", "1"), ("Host", "b")]


@each_parser
@pytest.mark.parametrize("octets", [b"", b"\r", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n\r"])
def test_incomplete(name: str, octets: bytes) -> None:
    assert every_way(name, octets) is None
