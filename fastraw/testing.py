r"""For tests: a client that sends just the octets it is given and forgives nothing in the answer.

    response = request(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert response.status == 200

    with RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 200
        client.finish()
        client.expect_end()

BadResponse says which rule of RFC 9110 or RFC 9112 an answer breaks.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import unquote, urlsplit

# Long enough for a busy machine: a test that waits this long has failed.
PATIENCE_SECONDS = 15.0

Address = tuple[str, int] | str

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)").fullmatch
_FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*"
    rb"[\x21-\x7e\x80-\xff])?)?)[ \t]*"
).fullmatch
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}").fullmatch
_DIGITS = re.compile(r"[0-9]+").fullmatch
_FIXDATE = "%a, %d %b %Y %H:%M:%S GMT"
_SINGLETONS = ("content-length", "transfer-encoding", "date", "connection", "content-type")


class BadResponse(AssertionError):
    """The server sent something that is no HTTP/1.1 response."""


@dataclass(frozen=True)
class RawResponse:
    """One response as received.

    Attributes:
        status: the status code.
        fields: (name, value) pairs in order, as latin-1 text.
        body: the content, decoded if it was chunked.
        framing: `none`, `length`, `chunked` or `close`.
    """

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    framing: str = "none"

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a field that must not be there twice; None when it is missing."""
        values = self.get_all(name)
        _require(len(values) < 2, f"{name} is there {len(values)} times")
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        """Whether it says that the connection ends with it."""
        options = (self.get("connection") or "").lower().split(",")
        return "close" in (option.strip() for option in options)


class Listening(Protocol):
    """What has an address to connect to, such as a FastServer that runs."""

    @property
    def address(self) -> Address: ...


def request(
    server: Listening | Address, octets: bytes, *, timeout_seconds: float = PATIENCE_SECONDS
) -> RawResponse:
    """One exchange on a connection of its own.

    Args:
        server: a FastServer that runs, its `url`, (host, port), or the path of a Unix socket.
        octets: what is sent, as it is: a whole request, half of one, or none.
        timeout_seconds: what each step may take.

    Returns the final response, strictly parsed; interim ones (1xx) are passed over. Raises
    BadResponse when the answer is none, TimeoutError when none comes, OSError when nobody listens.
    """
    with RawClient(_address_of(server), timeout_seconds) as client:
        client.send(octets)
        while True:
            response = client.response(octets.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1"))
            if response.status >= 200:
                return response


def _address_of(server: Listening | Address) -> Address:
    if not isinstance(server, (str, tuple)):
        return server.address
    if isinstance(server, str) and "://" in server:
        parts = urlsplit(server)
        if parts.scheme == "http+unix":
            return unquote(parts.netloc)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"server must be an address or an http URL, not {server!r}")
        return parts.hostname, parts.port or 80
    return server


class RawClient:
    """One connection, by TCP to (host, port) or by a Unix socket to a path."""

    def __init__(self, address: Address, timeout: float | None = PATIENCE_SECONDS) -> None:
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    @property
    def name(self) -> tuple[str, int]:
        """Our end's address, which the server sees as the client's."""
        host, port = self.sock.getsockname()[:2]
        return host, port

    # Sending.

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a call of its own, until the server has closed the connection."""
        try:
            for piece in pieces:
                self.sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it has answered before tells whether it was right

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server was first

    # Receiving.

    def response(self, method: str = "GET") -> RawResponse:
        """The next response, interim ones included; `method` is that of its request.

        Raises BadResponse when it breaks a rule, and when the connection ends before it does.
        """
        match = _STATUS_LINE(line := self._line())
        if match is None:
            raise BadResponse(f"not a status line: {line!r}")
        status = int(match[1])
        response = RawResponse(status, self._fields())
        _check_singletons(response)
        if status < 200:
            _require(status != 101, "101 for an upgrade that nobody offers")
            _require(response.get("content-length") is None, "Content-Length in a 1xx")
            _require(response.get("transfer-encoding") is None, "Transfer-Encoding in a 1xx")
            return response
        _check_date(response.get("date"))
        framing = _framing(response)
        if method == "HEAD" or status in (204, 304):
            _require(status != 204 or framing == "close", "a 204 with Content-Length or chunked")
            return RawResponse(status, response.fields)
        if framing == "chunked":
            body = self._chunks()
        elif framing == "length":
            body = self._exactly(int(response.get("content-length") or 0))
        else:
            _require(response.closes, "the end of the content is not stated")
            body = self.rest()
        _require(status != 205 or not body, "a 205 with content")
        return RawResponse(status, response.fields, body, framing)

    def until(self, *wanted: bytes) -> None:
        """Take octets up to the end of each of `wanted`, one after the other, whatever is between
        them; BadResponse when the connection ends before."""
        for octets in wanted:
            while octets not in self._received:
                if not self._receive():
                    raise BadResponse(f"no {octets!r} in {self._received!r}")
            _, _, self._received = self._received.partition(octets)

    def ended(self) -> bool:
        """Whether the connection ends here; otherwise there is something to read."""
        return not self._received and not self._receive()

    def rest(self) -> bytes:
        """All octets until the server ends the connection; a reset is an error."""
        while self._receive():
            pass
        rest, self._received = self._received, b""
        return rest

    def expect_end(self) -> None:
        """BadResponse unless the connection ends here."""
        rest = self.rest()
        _require(not rest, f"more than the expected responses: {rest[:200]!r}")

    def expect_cut(self) -> bytes:
        """All octets until the connection ends, by a reset or without one."""
        try:
            return self.rest()
        except ConnectionResetError:
            return self._received

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        self._received += data
        return bool(data)

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            if not self._receive():
                raise BadResponse(f"the connection ended inside a line: {self._received!r}")
        line, _, self._received = self._received.partition(b"\n")
        _require(line.endswith(b"\r"), f"a line that ends without CR: {line!r}")
        return line[:-1]

    def _exactly(self, size: int) -> bytes:
        pieces = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            piece = self.sock.recv(min(missing, 1 << 20))
            if not piece:
                raise BadResponse(f"the connection ended {missing} octets before the content did")
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self._received = data[size:]
        return data[:size]

    def _fields(self) -> list[tuple[str, str]]:
        fields = []
        while line := self._line():
            match = _FIELD_LINE(line)
            if match is None:
                raise BadResponse(f"not a field line: {line!r}")
            fields.append((match[1].decode(), match[2].decode("latin-1")))
        return fields

    def _chunks(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            line = self._line()
            _require(_CHUNK_SIZE(line) is not None, f"not a chunk size: {line!r}")
            size = int(line, 16)
            if not size:
                _require(not self._fields(), "a trailer section that nobody asked for")
                return b"".join(pieces)
            pieces.append(self._exactly(size))
            _require(self._exactly(2) == b"\r\n", "no CRLF after the data of a chunk")


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise BadResponse(fault)


def _check_singletons(response: RawResponse) -> None:
    for name in _SINGLETONS:
        response.get(name)


def _check_date(value: str | None) -> None:
    """IMF-fixdate, RFC 9110 section 5.6.7."""
    if value is None:
        raise BadResponse("a final response without Date")
    try:
        date = datetime.strptime(value, _FIXDATE)
    except ValueError:
        raise BadResponse(f"not an IMF-fixdate: {value!r}") from None
    _require(date.strftime(_FIXDATE) == value, f"not an IMF-fixdate: {value!r}")


def _framing(response: RawResponse) -> str:
    """How the content ends, RFC 9112 section 6.3."""
    length, coding = response.get("content-length"), response.get("transfer-encoding")
    _require(length is None or coding is None, "Content-Length beside Transfer-Encoding")
    if coding is not None:
        _require(coding.lower() == "chunked", f"an unknown transfer coding: {coding!r}")
        return "chunked"
    if length is not None:
        _require(_DIGITS(length) is not None, f"not a Content-Length: {length!r}")
        return "length"
    return "close"
