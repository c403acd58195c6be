"""The limits of a head, to the octet, and what an earlier call has seen; on both parsers."""

from __future__ import annotations

import pytest

from fastraw import Limits, faults
from tests.fuzz.outcomes import of_head
from tests.parsers import each_parser, every_way, implementation

SMALL = Limits(request_line_bytes=20, head_bytes=40, field_lines=3)
NONE = Limits(request_line_bytes=None, head_bytes=None, field_lines=None)
LINE = b"GET / HTTP/1.1\r\n"


def fault_from(name: str, octets: bytes, limits: Limits) -> int:
    """With which octet the fault is certain; octets come one at a time."""
    parse_head = implementation(name).parse_head
    for end in range(len(octets) + 1):
        if of_head(parse_head, bytearray(octets[:end]), 0, max(end - 1, 0), limits) is not None:
            return end
    raise AssertionError("no fault")


@each_parser
def test_request_line(name: str) -> None:
    fits = b"GET /" + b"a" * 6 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    assert fits.index(b"\r\n") == SMALL.request_line_bytes
    outcome = every_way(name, fits, SMALL)
    assert outcome is not None
    assert outcome[0] == "GET"
    long = fits.replace(b"/", b"/b", 1)
    for octets in (long, b"G" * 30, b"GET /" + b"a" * 30):
        assert every_way(name, octets, SMALL) == ("fault", *faults.REQUEST_LINE_LONG)
        # Before its end has arrived: with the octet after which it can only be too long.
        assert fault_from(name, octets, SMALL) == 22
    assert fault_from(name, b"\r\n" + long, SMALL) == 24


@each_parser
def test_header_section(name: str) -> None:
    fits = LINE + b"Host: a\r\nX: " + b"b" * 26 + b"\r\n\r\n"
    assert len(fits) - len(LINE) - 2 == SMALL.head_bytes
    outcome = every_way(name, fits, SMALL)
    assert outcome is not None
    assert outcome[0] == "GET"
    long = fits.replace(b"b", b"bb", 1)
    for octets in (long, long[:-4] + b"b" * 30, LINE + b"Host: a\r\n" + b"X" * 60):
        assert every_way(name, octets, SMALL) == ("fault", *faults.HEAD_LONG)
        assert fault_from(name, octets, SMALL) == len(LINE) + 42


@each_parser
@pytest.mark.parametrize("lines", [1, 3, 100, 128, 129, 1024, 1025])
def test_field_lines(name: str, lines: int) -> None:
    limits = Limits(field_lines=lines)
    fits = LINE + b"Host: a\r\n" + b"X: 1\r\n" * (lines - 1)
    more = fits + b"Y: 2\r\n"
    parse_head = implementation(name).parse_head
    outcome = of_head(parse_head, fits + b"\r\n", 0, 0, limits)
    assert outcome is not None
    assert len(outcome[3]) == lines
    assert of_head(parse_head, more, 0, 0, limits) == ("fault", *faults.HEAD_LINES)
    # Before the section has ended; and a line that has not ended may still be the empty one.
    assert of_head(parse_head, more[:-1], 0, 0, limits) is None
    if lines <= 3:
        assert every_way(name, fits + b"\r\n", limits) == outcome
        assert every_way(name, more, limits) == ("fault", *faults.HEAD_LINES)
    # When the section is over at the latest, however it came.
    for step in (1, 500):
        buffer = bytearray()
        found = None
        for end in range(0, len(more) + step, step):
            seen = len(buffer)
            buffer += (more + b"\r\n")[seen:end]
            found = found or of_head(parse_head, buffer, 0, seen, limits)
        found = found or of_head(parse_head, more + b"\r\n", 0, len(buffer), limits)
        assert found == ("fault", *faults.HEAD_LINES)


@each_parser
def test_the_first_fault_counts_for_limits_too(name: str) -> None:
    for octets, fault in (
        (LINE + b"X\r\n" + b"Y: 1\r\n" * 9, faults.COLON),
        (LINE + b"Y: 1\r\n" * 3 + b"X\r\n", faults.HEAD_LINES),
        (b"GET / HTTP/2.0\r\n" + b"X" * 50, faults.MAJOR_VERSION),
        (b"GET x HTTP/1.1\r\n" + b"X" * 50, faults.TARGET_FORM),
        (LINE + b"X: " + b"a" * 50 + b"\x00\r\n", faults.HEAD_LONG),
        (b"\x00" + b"a" * 50, faults.BEGINNING),
    ):
        assert every_way(name, octets, SMALL) == ("fault", *fault)


@each_parser
def test_no_limits(name: str) -> None:
    target = b"/" + b"a" * 100_000
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"b" * 100) for number in range(3000))
    octets = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    parse_head = implementation(name).parse_head
    for limits, fault in ((NONE, None), (Limits(), faults.REQUEST_LINE_LONG)):
        outcome = of_head(parse_head, octets, 0, 0, limits)
        if fault is not None:
            assert outcome == ("fault", *fault)
        else:
            assert outcome is not None
            assert (outcome[1], len(outcome[3])) == (target.decode(), 3001)


@each_parser
def test_default_limits(name: str) -> None:
    parse_head = implementation(name).parse_head
    served = b"GET /" + b"a" * 7986 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    assert served.index(b"\r\n") == 8000
    assert parse_head(served) is not None
    fields = b"X: " + b"a" * (64 * 1024 - 5 - 9) + b"\r\n"
    assert parse_head(LINE + b"Host: a\r\n" + fields + b"\r\n") is not None
    long = LINE + b"Host: a\r\n" + fields.replace(b"X", b"XX") + b"\r\n"
    assert of_head(parse_head, long) == ("fault", *faults.HEAD_LONG)


# Arguments.


@each_parser
def test_seen_is_only_a_help(name: str) -> None:
    """Whatever `seen` an honest caller gives, and for a fault no octet had shown before."""
    octets = b"\r\n" + LINE + b"Host: a\r\nX: \x00\r\n\r\n"
    parse_head = implementation(name).parse_head
    certain = octets.index(b"\x00\r\n") + 3
    for seen in range(certain):
        for end in range(certain, len(octets) + 1):
            outcome = of_head(parse_head, octets[:end], 0, seen)
            assert outcome == ("fault", *faults.FIELD_VALUE)


@each_parser
@pytest.mark.parametrize("seen", [-1, 0, 5, 1000, 2**40])
def test_a_wrong_seen_does_no_harm(name: str, seen: int) -> None:
    parse_head = implementation(name).parse_head
    octets = LINE + b"Host: a\r\n\r\n"
    for start in (0, 3, len(octets)):
        assert of_head(parse_head, octets, start, seen) in (
            None, of_head(parse_head, octets, start),
        )  # fmt: skip


@each_parser
def test_wrong_arguments(name: str) -> None:
    parse_head = implementation(name).parse_head
    for start in (-1, 3, 100):
        for data in (b"ab", bytearray(b"ab")):
            with pytest.raises(ValueError, match="start must be an index into data"):
                parse_head(data, start)
    for data in ("GET / HTTP/1.1\r\n\r\n", None, memoryview(b"GET")):
        with pytest.raises(TypeError, match="data must be bytes or a bytearray"):
            parse_head(data)


@each_parser
def test_keywords_and_subclasses(name: str) -> None:
    class Octets(bytes):
        """What somebody may have made of bytes."""

    class Buffer(bytearray):
        """And of a bytearray."""

    parse_head = implementation(name).parse_head
    octets = b"x" + LINE + b"Host: a\r\n\r\n"
    plain = of_head(parse_head, octets, 1)
    for data in (Octets(octets), Buffer(octets)):
        head = parse_head(data=data, start=1, seen=0, limits=Limits())
        assert head.size == len(octets) - 1
        assert of_head(parse_head, data, 1) == plain
