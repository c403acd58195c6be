"""Field lines, and what they say of the message; every case on both parsers and in every way
octets can come."""

from __future__ import annotations

import pytest

from fastraw import faults
from tests.parsers import each_parser, every_way

LINE = b"POST / HTTP/1.1\r\nHost: a\r\n"


def refused(name: str, fields: str, fault: faults.Fault, line: bytes = LINE) -> None:
    octets = line + fields.encode("latin-1") + b"\r\n"
    assert every_way(name, octets) == ("fault", *fault)


def accepted(name: str, fields: str, line: bytes = LINE) -> dict[str, object]:
    """What was found of the fields, Host left out."""
    octets = line + fields.encode("latin-1") + b"\r\n"
    outcome = every_way(name, octets)
    assert outcome is not None
    assert outcome[0] != "fault", outcome
    found = dict(
        zip(
            ("fields", "length", "chunked", "keep_alive", "expects", "upgrade", "size", "ordinary"),
            outcome[3:],
            strict=True,
        )
    )
    assert found["size"] == len(octets)
    assert outcome[3][0] == ("Host", "a")
    return {**found, "fields": outcome[3][1:]}


@each_parser
@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        *((f"X{octet}: 1\r\n", faults.FIELD_NAME) for octet in " \t\x0b\x0c\x85\xa0\x00\x7f(@[{\""),
        *((f"X-Longer-Than-One-Block{octet}: 1\r\n", faults.FIELD_NAME) for octet in " \t\x85;"),
        *((f"Accept{octet}: 1\r\n", faults.FIELD_NAME) for octet in " \t\x00"),
        *((f"X: a{chr(octet)}b\r\n", faults.FIELD_VALUE) for octet in {*range(32)} - {9, 10}),
        *((f"X: {'a' * size}\x00{'b' * 20}\r\n", faults.FIELD_VALUE) for size in range(0, 140, 7)),
        ("X: \x7f\r\n", faults.FIELD_VALUE),
        (": 1\r\n", faults.FIELD_NAME),
        (": :\r\n", faults.FIELD_NAME),
        ("X\r\n", faults.COLON),
        ("X 1\r\n", faults.COLON),
        (" X: 1\r\n", faults.FOLDED),
        ("\tX: 1\r\n", faults.FOLDED),
        ("X: 1\r\n 2\r\n", faults.FOLDED),
        ("X: 1\r\n \r\n", faults.FOLDED),
        ("X: 1\r\n\t\r\n", faults.FOLDED),
        # The first fault counts.
        ("X\r\nY: \x00\r\n", faults.COLON),
        ("Y: \x00\r\nX\r\nContent-Length: x\r\n", faults.FIELD_VALUE),
        ("Content-Length: x\r\nX\r\n", faults.COLON),
    ],
)  # fmt: skip
def test_malformed_line(name: str, fields: str, fault: faults.Fault) -> None:
    refused(name, fields, fault)


@each_parser
def test_white_space_before_the_first_field(name: str) -> None:
    refused(name, " X: 1\r\n", faults.FOLDED, line=b"GET / HTTP/1.1\r\n")


@each_parser
@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("X:1", ("X", "1")),
        ("X:", ("X", "")),
        ("X: ", ("X", "")),
        ("X: \t \t", ("X", "")),
        ("X:\t 1 \t", ("X", "1")),
        ("X: a\t b", ("X", "a\t b")),
        ("X: a:b: c", ("X", "a:b: c")),
        ("X:\x85\xa0", ("X", "\x85\xa0")),
        ("X: \xff\x80 \xe4", ("X", "\xff\x80 \xe4")),
        ("X: " + "a" * 70 + "\xe4" + "b" * 70, ("X", "a" * 70 + "\xe4" + "b" * 70)),
        ("X: " + "a" * 70 + "\t" + "b" * 70 + "  ", ("X", "a" * 70 + "\t" + "b" * 70)),
        ("!#$%&'*+-.^_`|~: 1", ("!#$%&'*+-.^_`|~", "1")),
        ("X_Auth: 1", ("X_Auth", "1")),
        ("Content_Length: 5", ("Content_Length", "5")),
        ("Transfer_Encoding: chunked", ("Transfer_Encoding", "chunked")),
        # Known names in any case, and their neighbours.
        ("accept: 1", ("accept", "1")),
        ("ACCEPT: 1", ("ACCEPT", "1")),
        ("aCcept: 1", ("aCcept", "1")),
        ("Accepu: 1", ("Accepu", "1")),
        ("Axcept: 1", ("Axcept", "1")),
        ("Upgrade-Insecure-Requests: 1", ("Upgrade-Insecure-Requests", "1")),
        ("Upgrade-Insecure-Xequests: 1", ("Upgrade-Insecure-Xequests", "1")),
        ("N" * 15 + ": 1", ("N" * 15, "1")),
        ("N" * 16 + ": 1", ("N" * 16, "1")),
        ("N" * 31 + ": 1", ("N" * 31, "1")),
        ("N" * 32 + ": 1", ("N" * 32, "1")),
        ("N" * 33 + ": 1", ("N" * 33, "1")),
        ("N" * 200 + ": 1", ("N" * 200, "1")),
    ],
)  # fmt: skip
def test_line(name: str, line: str, pair: tuple[str, str]) -> None:
    # Last, and in front of others: how many octets follow decides how a line is looked at.
    for behind in ("", "Y: 2\r\n", "Y: 2\r\n" * 12):
        found = accepted(name, f"{line}\r\n{behind}")
        assert found["fields"] == [pair, *[("Y", "2")] * behind.count("Y")]
        assert found["length"] is None
        assert found["chunked"] is False


@each_parser
def test_repeated_fields_are_kept_in_order(name: str) -> None:
    pairs = [("X", "1"), ("x", ""), ("Y", "2"), ("X", "1")]
    found = accepted(name, "".join(f"{key}: {value}\r\n" for key, value in pairs))
    assert found["fields"] == pairs


@each_parser
@pytest.mark.parametrize("count", [1, 13, 14, 15, 127])
def test_number_of_fields(name: str, count: int) -> None:
    pairs = [(f"Name-{number}", str(number)) for number in range(count)]
    found = accepted(name, "".join(f"{key}: {value}\r\n" for key, value in pairs))
    assert found["fields"] == pairs


# Content-Length, RFC 9112 section 6.2.


@each_parser
@pytest.mark.parametrize(
    ("value", "length"),
    [
        *(("0", 0), ("5", 5), ("010", 10), ("\t7 ", 7), ("0" * 60 + "12", 12)),
        *(("9" * 18, 10**18 - 1), (str(2**63 - 1), 2**63 - 1)),
    ],
)
def test_content_length(name: str, value: str, length: int) -> None:
    for field in ("Content-Length", "content-length", "CONTENT-length"):
        assert accepted(name, f"{field}: {value}\r\n")["length"] == length


@each_parser
@pytest.mark.parametrize(
    "value",
    [
        *("", "+5", "-0", "-1", "0x5", "5_0", '"5"', "5,", "5;", "5.0", "5 0", "five"),
        *("\xb2", "5\xb2", "5, 5", "5,6", "5e1", "0" * 17 + "x", "1" * 18 + "a", "\xa05"),
        *("5\x85", "0\t0"),
    ],
)  # fmt: skip
def test_bad_content_length(name: str, value: str) -> None:
    refused(name, f"Content-Length: {value}\r\n", faults.LENGTH_INVALID)


@each_parser
@pytest.mark.parametrize(
    "value", [str(2**63), str(2**64 + 5), str(2**32 + 5) + "0" * 12, "9" * 5000]
)
def test_content_length_beyond_64_bits(name: str, value: str) -> None:
    refused(name, f"Content-Length: {value}\r\n", faults.CONTENT_LARGE)


@each_parser
@pytest.mark.parametrize("second", ["5", "6", "", "x"])
def test_repeated_content_length(name: str, second: str) -> None:
    fields = f"Content-Length: 5\r\nX: 1\r\ncontent-length: {second}\r\n"
    refused(name, fields, faults.LENGTH_REPEATED)


# Transfer-Encoding, RFC 9112 section 6.1.


@each_parser
@pytest.mark.parametrize("value", ["chunked", "Chunked", "CHUNKED", "\tchunked "])
def test_chunked(name: str, value: str) -> None:
    for field in ("Transfer-Encoding", "transfer-encoding", "TRANSFER-Encoding"):
        found = accepted(name, f"{field}: {value}\r\n")
        assert found["chunked"] is True
        assert found["length"] is None


@each_parser
@pytest.mark.parametrize(
    "values",
    [
        *(["chunked, gzip"], ["chunked", "gzip"], ["chunked, chunked"], ["chunked", "chunked"]),
        *(["identity"], ["gzip"], ["xchunked"], ['"chunked"'], [""], ["chun\xe2\x84\xaaed"]),
        *(["chunked\xa0"], ["\x85chunked"], ["chunked;q=1"], [",chunked"], ["chunked,"]),
        *(["", "chunked"], ["chunked", ""], ["gzip, chunked, chunked"], ["a b, chunked"]),
        *(["chunked, identity"], ["gzip;q=1, chunked"], ["chunKed,x"]),
    ],
)
def test_bad_coding(name: str, values: list[str]) -> None:
    fields = "".join(f"Transfer-Encoding: {value}\r\n" for value in values)
    refused(name, fields, faults.CODING_INVALID)


@each_parser
@pytest.mark.parametrize(
    "values",
    [["gzip, chunked"], ["gzip", "chunked"], ["br,gzip ,\tCHUNKED"], ["identity, chunked"]],
)
def test_unknown_coding(name: str, values: list[str]) -> None:
    fields = "".join(f"Transfer-Encoding: {value}\r\n" for value in values)
    refused(name, fields, faults.CODING_UNKNOWN)


@each_parser
@pytest.mark.parametrize("coding", ["chunked", "identity", "gzip, chunked", ""])
def test_coding_and_length(name: str, coding: str) -> None:
    both = [f"Transfer-Encoding: {coding}\r\n", "Content-Length: 5\r\n"]
    for fields in ("".join(both), "".join(reversed(both))):
        refused(name, fields, faults.CODING_AND_LENGTH)
        old = b"POST / HTTP/1.0\r\nHost: a\r\n"
        refused(name, fields, faults.CODING_VERSION, line=old)


@each_parser
@pytest.mark.parametrize("more", ["", "Connection: keep-alive\r\n"])
def test_coding_on_http_1_0(name: str, more: str) -> None:
    line = b"POST / HTTP/1.0\r\nHost: a\r\n"
    refused(name, f"{more}Transfer-Encoding: chunked\r\n", faults.CODING_VERSION, line=line)


# Connection, Upgrade and Expect.


@each_parser
@pytest.mark.parametrize(
    ("values", "kept", "kept_by_1_0"),
    [
        ([], True, False),
        (["keep-alive"], True, True),
        (["Keep-Alive"], True, True),
        (["KEEP-ALIVE "], True, True),
        (["keepMalive"], True, False),
        (["close"], False, False),
        (["Close"], False, False),
        (["x, CLOSE\t,y"], False, False),
        (["x", "close"], False, False),
        (["close", "keep-alive"], False, False),
        (["keep-alive, close"], False, False),
        (["x", "Keep-Alive"], True, True),
        (["closed"], True, False),
        (["xclose", "close x"], True, False),
        ([""], True, False),
        ([",,"], True, False),
    ],
)
def test_connection(name: str, values: list[str], kept: bool, kept_by_1_0: bool) -> None:
    fields = "".join(f"Connection: {value}\r\n" for value in values)
    assert accepted(name, fields)["keep_alive"] is kept
    old = b"POST / HTTP/1.0\r\nHost: a\r\n"
    assert accepted(name, fields, line=old)["keep_alive"] is kept_by_1_0
    proxy = fields.replace("Connection", "Proxy-Connection")
    assert accepted(name, proxy)["keep_alive"] is True


@each_parser
@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        ("Connection: upgrade\r\nUpgrade: websocket\r\n", "websocket"),
        ("Connection: keep-alive, Upgrade\r\nUPGRADE: h2c\r\nupgrade: X/1\r\n", "h2c, X/1"),
        ("Upgrade: websocket\r\n", None),
        ("Connection: upgrade\r\n", None),
        ("Connection: keep-alive\r\nUpgrade: websocket\r\n", None),
        ("Connection: upgrade\r\nUpgrade:\r\n", None),
    ],
)
def test_upgrade(name: str, fields: str, upgrade: str | None) -> None:
    assert accepted(name, fields)["upgrade"] == upgrade
    old = b"POST / HTTP/1.0\r\nHost: a\r\n"
    assert accepted(name, fields, line=old)["upgrade"] is None


@each_parser
@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE\t"])
def test_expect(name: str, value: str) -> None:
    for field in ("Expect", "expect", "eXPECT"):
        assert accepted(name, f"{field}: {value}\r\n")["expects"] is True
        old = b"POST / HTTP/1.0\r\nHost: a\r\n"
        assert accepted(name, f"{field}: {value}\r\n", line=old)["expects"] is False


@each_parser
@pytest.mark.parametrize(
    "values", [["x"], [""], ["100-continue, x"], ["100-continue", "x"], ["100\xadcontinue"]]
)
def test_unknown_expectation(name: str, values: list[str]) -> None:
    fields = "".join(f"Expect: {value}\r\n" for value in values)
    refused(name, fields, faults.EXPECTATION)
    old = b"POST / HTTP/1.0\r\nHost: a\r\n"
    assert accepted(name, fields, line=old)["expects"] is False
