"""Decoders of content: by length, and chunked with both implementations of take_chunks; whole, cut
anywhere, octet by octet, and with octets behind."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from fastraw import Limits, ParseError, body, faults
from fastraw.body import EXTENSIONS_BYTES, SIZE_LINE_BYTES, ChunkedDecoder, LengthDecoder
from tests.fuzz.outcomes import Outcome, of_content
from tests.parsers import BEHIND, DEFAULT, each_parser, implementation

SMALL = Limits(head_bytes=30, field_lines=2)


@pytest.fixture(autouse=True)
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the decoder use the implementation that the test's argument `name` asks for."""
    if "name" in request.fixturenames:
        module = implementation(request.getfixturevalue("name"))
        monkeypatch.setattr(body, "take_chunks", module.take_chunks)


def every_way(octets: bytes, limits: Limits = DEFAULT, room: int | None = None) -> Outcome:
    """What comes of `octets`, which must not depend on how they are cut up or what follows."""
    outcome = of_content(octets, (), limits, room)
    assert of_content(octets, range(len(octets)), limits, room) == outcome
    cuts: Iterable[int] = range(len(octets)) if len(octets) < 300 else (1, len(octets) // 2)
    for cut in cuts:
        assert of_content(octets, (cut,), limits, room) == outcome
    assert outcome is not None
    if outcome[2] or outcome[4]:
        assert of_content(octets + BEHIND, (), limits, room) == outcome
    return outcome


def decoded(octets: bytes) -> tuple[bytes, object]:
    """Content and trailers of a message that is complete."""
    outcome = every_way(octets)
    assert outcome is not None
    content, taken, done, trailers, fault = outcome
    assert (taken, done, fault) == (len(octets), True, None)
    return content, trailers


def refused(
    octets: bytes, fault: faults.Fault, limits: Limits = DEFAULT, room: int | None = None
) -> bytes:
    """The content before the fault."""
    outcome = every_way(octets, limits, room)
    assert outcome is not None
    assert outcome[4] == fault
    assert outcome[2] is False
    content = outcome[0]
    assert isinstance(content, bytes)
    return content


# By length.


@pytest.mark.parametrize("cut", range(6))
def test_length(cut: int) -> None:
    decoder = LengthDecoder(5)
    content: list[bytes] = []
    octets = b"xhelloGET"
    assert not decoder.done
    assert decoder.feed(octets[: 1 + cut], 1, content.append) == 1 + cut
    assert decoder.feed(memoryview(octets), 1 + cut, content.append) == 6
    assert b"".join(content) == b"hello"
    assert all(content)
    assert decoder.done
    assert decoder.trailers is None


def test_length_of_nothing() -> None:
    decoder = LengthDecoder(0)
    assert decoder.done
    assert decoder.feed(b"abc", 0, pytest.fail) == 0


# Chunks.


@each_parser
@pytest.mark.parametrize(
    ("octets", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"00000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"0005\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0" * 40 + b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"1\r\na\r\n" * 300 + b"0\r\n\r\n", b"a" * 300),
        (b"5;a\r\nhello\r\n0;b=c\r\n\r\n", b"hello"),
        (b"5 ; a = b ;c\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b'5;a="b;\\"c\\\\ \xff\t";d\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b'5;a=""\r\nhello\r\n0\r\n\r\n', b"hello"),
    ],
)
def test_chunks(name: str, octets: bytes, content: bytes) -> None:
    assert decoded(octets) == (content, None)


@each_parser
@pytest.mark.parametrize(
    "line",
    [
        *(b"0x5", b"+5", b"-0", b"5_0", b" 5", b"\t5", b"", b"\x005", b"5g", b"5.", b"\xb2", b";a"),
        *(b"5\x00", b"5,a", b'"5"', b"5\x0b", b"5\xa0", b"5h;a"),
    ],
)
def test_bad_size(name: str, line: bytes) -> None:
    for first in (b"", b"2\r\nab\r\n"):
        octets = first + line + b"\r\nhello\r\n0\r\n\r\n"
        assert refused(octets, faults.CHUNK_SIZE) == (b"ab" if first else b"")


@each_parser
@pytest.mark.parametrize(
    "line",
    [
        *(b"5 ", b"5\t", b"5  ", b"5 a", b"5;", b"5; ", b"5;;a", b"5;a;", b"5;a=b c", b"5;a=\x00"),
        *(b'5;a="b', b'5;a="b"c', b"5;a\x01", b"5;a\rb", b"5;a=\x7f", b"5;(", b"5;=b", b"5\r\r"),
    ],
)
def test_bad_extension(name: str, line: bytes) -> None:
    fault = faults.CHUNK_EXTENSION
    assert refused(line + b"\r\nhello\r\n0\r\n\r\n", fault) == b""


@each_parser
@pytest.mark.parametrize("line", [b"5\n", b"5;a\n", b"5;a=b\n", b"0\n"])
def test_bare_lf(name: str, line: bytes) -> None:
    refused(line + b"hello\r\n0\r\n\r\n", faults.LINE_END)


@each_parser
@pytest.mark.parametrize("end", [b"\n", b"\r", b"", b"XX", b"\n\r", b"\r\r\n", b"\rX", b" \r\n"])
def test_bad_end_of_data(name: str, end: bytes) -> None:
    assert refused(b"5\r\nhello" + end + b"0\r\n\r\n", faults.CHUNK_END) == b"hello"


@each_parser
def test_stray_empty_line(name: str) -> None:
    refused(b"\r\n5\r\nhello\r\n0\r\n\r\n", faults.CHUNK_SIZE)
    assert refused(b"5\r\nhello\r\n\r\n0\r\n\r\n", faults.CHUNK_SIZE) == b"hello"


@each_parser
@pytest.mark.parametrize("size", [2**32 + 5, 2**63, 2**63 + 5, 2**64 + 5, 2**64, 16**400])
def test_overflow(name: str, size: int) -> None:
    refused(b"%x\r\nhello\r\n0\r\n\r\n" % size, faults.CONTENT_LARGE, room=2**32)
    if size >= 2**63:
        refused(b"%x\r\nhello\r\n0\r\n\r\n" % size, faults.CONTENT_LARGE)


@each_parser
def test_room(name: str) -> None:
    octets = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert every_way(octets, room=5) == (b"abcde", len(octets), True, None, None)
    # As soon as the size says so, before the data has come.
    assert refused(octets[:11], faults.CONTENT_LARGE, room=4) == b"abc"
    assert refused(b"1\r\n", faults.CONTENT_LARGE, room=0) == b""


@each_parser
def test_incomplete(name: str) -> None:
    octets = b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n"
    for end in range(len(octets)):
        outcome = of_content(octets[:end], (), DEFAULT, None)
        assert outcome is not None
        assert outcome[1:] == (end, False, None, None)


@each_parser
def test_length_of_size_lines(name: str) -> None:
    longest = b"1;" + b"a" * (SIZE_LINE_BYTES - 2)
    rest = b"\r\nx\r\n0\r\n\r\n"
    assert of_content(longest + rest, (), DEFAULT, None) == of_content(
        longest + rest, range(0, 9000, 7), DEFAULT, None
    )
    assert decoded(longest + rest)[0] == b"x"
    for line in (longest + b"aa", b"1" * 9000, b"0" * 9000):
        refused(line, faults.CHUNK_LINE_LONG)


@each_parser
def test_extensions_together(name: str) -> None:
    chunk = b"1;" + b"a" * 1023 + b"\r\nx\r\n"
    most = EXTENSIONS_BYTES // 1024
    assert decoded(chunk * most + b"0\r\n\r\n")[0] == b"x" * most
    assert refused(chunk * most + b"0;\r\n", faults.CHUNK_EXTENSION) == b"x" * most
    assert refused(chunk * most + b"0;a\r\n", faults.CHUNK_EXTENSIONS_LONG) == b"x" * most


# Trailers.


@each_parser
def test_trailers(name: str) -> None:
    octets = b"0\r\nX: \t1 \r\nx:\r\nY-\xe4".replace(b"Y-\xe4", b"Y: \xe4") + b"\r\n\r\n"
    assert decoded(octets) == (b"", [("X", "1"), ("x", ""), ("Y", "\xe4")])


@each_parser
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"X : 1\r\n", faults.FIELD_NAME),
        (b": 1\r\n", faults.FIELD_NAME),
        (b"X\r\n", faults.COLON),
        (b" X: 1\r\n", faults.FOLDED),
        (b"X: \x00\r\n", faults.FIELD_VALUE),
        (b"X: a\rb\r\n", faults.FIELD_VALUE),
        (b"X: 1\n", faults.LINE_END),
        (b"\n", faults.LINE_END),
        (b"\r\r\n", faults.COLON),
        (b"Content-Length: 5\r\n", faults.TRAILER_FIELD),
        (b"transfer-encoding: chunked\r\n", faults.TRAILER_FIELD),
        (b"HOST: a\r\n", faults.TRAILER_FIELD),
    ],
)
def test_bad_trailer(name: str, line: bytes, fault: faults.Fault) -> None:
    refused(b"0\r\n" + line + b"\r\n", fault)
    assert refused(b"1\r\na\r\n0\r\nA: 1\r\n" + line + b"\r\n", fault) == b"a"


@each_parser
def test_limits_of_trailers(name: str) -> None:
    fits = b"0\r\nX: " + b"a" * 25 + b"\r\n"
    assert every_way(fits + b"\r\n", SMALL) == (
        b"", len(fits) + 2, True, [("X", "a" * 25)], None,
    )  # fmt: skip
    refused(fits.replace(b"X", b"XX") + b"\r\n", faults.TRAILERS_LONG, SMALL)
    refused(b"0\r\n" + b"X" * 40, faults.TRAILERS_LONG, SMALL)
    refused(b"0\r\n" + b"X: 1\r\n" * 3, faults.TRAILERS_LINES, SMALL)
    none = Limits(head_bytes=None, field_lines=None)
    octets = b"0\r\n" + b"X: 1\r\n" * 3000 + b"\r\n"
    outcome = of_content(octets, (), none, None)
    assert outcome is not None
    assert outcome[3] == [("X", "1")] * 3000


def test_nothing_is_taken_once_done() -> None:
    decoder = ChunkedDecoder(DEFAULT, None)
    assert decoder.feed(memoryview(b"x0\r\n\r\nGET"), 1, pytest.fail) == 6
    assert decoder.done
    assert decoder.feed(b"5\r\nhello\r\n", 0, pytest.fail) == 0


# take_chunks alone.


@each_parser
def test_take_chunks(name: str) -> None:
    take_chunks = implementation(name).take_chunks
    octets = b"x3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    for data in (octets, bytearray(octets)):
        assert take_chunks(data, 1, 100) == (b"abcde", 16)
        assert take_chunks(data, 1, 4) == (b"abc", 9)
        assert take_chunks(data, 0, 100) == (b"", 0)
        assert take_chunks(data, 16, 100) == (b"", 16)
        assert take_chunks(data, len(data), 100) == (b"", len(data))
        assert take_chunks(data[:15], 1, 100) == (b"abc", 9)
        assert type(take_chunks(data, 1, 100)[0]) is bytes
    for wrong in ((-1, 5), (len(octets) + 1, 5), (0, -1)):
        with pytest.raises(ValueError, match="start must be an index into data, room not negative"):
            take_chunks(octets, *wrong)


@each_parser
def test_many_tiny_chunks_in_one_piece(name: str) -> None:
    pieces: list[bytes] = []
    ChunkedDecoder(DEFAULT, None).feed(b"1\r\na\r\n" * 10_000, 0, pieces.append)
    assert pieces == [b"a" * 10_000]


@each_parser
def test_a_fault_stands(name: str) -> None:
    decoder = ChunkedDecoder(DEFAULT, None)
    with pytest.raises(ParseError) as raised:
        decoder.feed(b"x\r\n", 0, pytest.fail)
    assert raised.value.status == 400
    assert not decoder.done
