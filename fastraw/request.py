"""Request: a lazy view over a parsed head and its content."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

from .errors import HTTPError
from .headers import HeaderFields, Headers
from .spool import Spool

if TYPE_CHECKING:
    from .parse import Head

# A client may send a thousand parameters, not a million (each costs far more than its octets).
MAX_PARAMETERS = 1000


class Peer(Protocol):
    """What a request needs to know of the connection it came by."""

    @property
    def client(self) -> tuple[str, int] | str: ...
    @property
    def server(self) -> tuple[str, int] | str: ...
    @property
    def scheme(self) -> str: ...
    def disconnected(self) -> bool: ...
    def now(self) -> float: ...
    def upgrade(
        self, request: Request, protocol: str, fields: HeaderFields
    ) -> tuple[Any, bytes]: ...


class Upgraded(NamedTuple):
    """A connection that has become the handler's: it closes `socket`, as a context manager or by
    itself."""

    socket: Any
    """A blocking socket (over TLS, an object with the same methods that are used on one)."""
    received: bytes
    """What the client has sent behind the request, and was read with it."""

    def __enter__(self) -> Upgraded:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()


class Parameters(Mapping[str, str]):
    """Decoded name-value pairs of a query or a form, in order, repeated names kept.

    As a mapping it gives the first value of a name.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> str:
        for key, value in self._pairs:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def get_all(self, name: str) -> list[str]:
        """Every value of `name`, in order; an empty list when there is none."""
        return [value for key, value in self._pairs if key == name]

    def pairs(self) -> list[tuple[str, str]]:
        """Every (name, value) pair, in order."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"Parameters({self._pairs!r})"


class Request:
    """One request, complete when a handler sees it (unless the handler streams its body).

    Nothing is decoded before it is asked for, and nothing twice.
    """

    # No __slots__: what is computed lazily is kept in the instance's dictionary, and what most
    # handlers never touch (state, path_params) costs nothing as a class attribute until then.
    head: Head
    path_params: Mapping[str, Any] = {}
    """What a router took out of the path, percent-decoded: str, int or UUID by its pattern."""
    mount_path: str = ""
    """The part of `raw_path` that mounts have consumed, as received: `/app` in a handler mounted
    there, empty at the top. `path`, `raw_path` and `target` stay whole."""
    _content: bytes | Spool | BinaryIO = b""
    trailers: Headers | None = None
    """Trailer fields of a chunked request (RFC 9110 section 6.5), None without a trailer
    section; never merged into `headers`."""

    deadline_at: float | None = None
    """When the answer should be there, on the monotonic clock; `deadline` says what is left."""
    ordinary = False
    """For the server: neither this request nor the way it is served asks for special care."""
    began = 0.0
    """For the access log: when the head was complete, on the monotonic clock."""
    answered = (0, 0)
    """For the access log: status and octets of content sent."""

    def __init__(self, head: Head, peer: Peer) -> None:
        self.head = head
        self._peer = peer

    def use_content(
        self, content: bytes | Spool | BinaryIO, trailers: Headers | None = None
    ) -> None:
        """Set what `body` and `stream` give; for the server."""
        self._content = content
        self.trailers = trailers

    @property
    def method(self) -> str:
        """The method, in the case received; methods are case-sensitive (RFC 9110 section 9)."""
        return self.head.method

    @property
    def target(self) -> str:
        """The request target as received (RFC 9112 section 3.2)."""
        return self.head.target

    @property
    def version(self) -> str:
        """`HTTP/1.0` or `HTTP/1.1` (a higher minor version counts as 1.1)."""
        return "HTTP/1.1" if self.head.minor_version else "HTTP/1.0"

    @property
    def headers(self) -> Headers:
        """The header fields; Host is the authority of an absolute-form target."""
        return self.head.headers

    @property
    def raw_path(self) -> str:
        """The path of the target as received, percent-encoding and all; `*` for `OPTIONS *`."""
        return self._split()[0]

    @property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8; octets that are not UTF-8 become U+FFFD."""
        path = self.raw_path
        return unquote(path) if "%" in path else path

    @property
    def subpath(self) -> str:
        """What `raw_path` has behind `mount_path`: empty, or it begins with a slash."""
        return self.raw_path[len(self.mount_path) :]

    @property
    def query_string(self) -> str:
        """What follows the first `?` of the target, as received; empty without one."""
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        path, _, query = self.head.target.partition("?")
        if path[:1] not in ("/", "*"):
            # Absolute form (RFC 9112 section 3.2.2): scheme "://" authority [path].
            _, slash, rest = path.partition("://")[2].partition("/")
            path = slash + rest or "/"
        return path, query

    @property
    def query(self) -> Parameters:
        """The query's parameters, decoded; HTTPError 400 when there are more than 1,000."""
        found: Parameters | None = self.__dict__.get("_query")
        if found is None:
            found = self.__dict__["_query"] = _parameters(self.query_string, "query")
        return found

    @property
    def body(self) -> bytes:
        """All of the content. Of a streamed body, what has not been read yet."""
        content = self._content
        if isinstance(content, bytes):
            return content
        data = content.read()
        if not isinstance(content, Spool):
            self._content = data
        return data

    @property
    def stream(self) -> BinaryIO:
        """The content as a binary file.

        For a handler with `stream_body` it reads from the client: a read blocks until octets
        arrive and raises ClientDisconnected when the client goes away before the end.
        """
        found: BinaryIO | None = self.__dict__.get("_stream")
        if found is None:
            content = self._content
            if isinstance(content, bytes):
                found = io.BytesIO(content)
            else:
                found = content.open() if isinstance(content, Spool) else content
            self.__dict__["_stream"] = found
        return found

    def json(self) -> Any:
        """The content decoded as JSON.

        Raises HTTPError: 415 when Content-Type says it is something else, 400 when it is not
        JSON in UTF-8.
        """
        media_type = self._media_type()
        if media_type not in ("", "application/json") and not media_type.endswith("+json"):
            raise HTTPError(415, "The content type must be application/json.")
        try:
            return json.loads(self.body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, "The content is not valid JSON in UTF-8.") from error

    def form(self) -> Parameters:
        """The fields of an application/x-www-form-urlencoded body, decoded.

        Raises HTTPError: 415 for another content type, 400 when the content is not UTF-8 or has
        more than 1,000 fields.
        """
        if self._media_type() != "application/x-www-form-urlencoded":
            raise HTTPError(415, "The content type must be application/x-www-form-urlencoded.")
        try:
            text = self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise HTTPError(400, "The form is not valid UTF-8.") from error
        return _parameters(text, "form")

    def _media_type(self) -> str:
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies sent, by name; of a repeated name the first (RFC 6265 section 4.2)."""
        cookies: dict[str, str] = {}
        for field in self.headers.get_all("cookie"):
            for pair in field.split(";"):
                name, equals, value = pair.strip(" \t").partition("=")
                if equals:
                    cookies.setdefault(name, value.strip('"'))
        return cookies

    @property
    def client(self) -> tuple[str, int] | str:
        """The peer's address: (host, port), or the path of a Unix socket."""
        return self._peer.client

    @property
    def server(self) -> tuple[str, int] | str:
        """Our end's address: (host, port), or the path of a Unix socket."""
        return self._peer.server

    @property
    def scheme(self) -> str:
        """`http`, or `https` over TLS."""
        return self._peer.scheme

    @property
    def state(self) -> dict[str, Any]:
        """A dictionary for the handler and what wraps it; fastraw never looks into it."""
        state: dict[str, Any] = self.__dict__.setdefault("_state", {})
        return state

    @property
    def deadline(self) -> float | None:
        """Seconds left to answer in, negative when they are over; None without a deadline."""
        return None if self.deadline_at is None else self.deadline_at - self._peer.now()

    def upgrade(self, protocol: str, headers: HeaderFields = ()) -> Upgraded:
        """Switch to another protocol: answer 101 and take the connection over.

        Args:
            protocol: one that the client's Upgrade field names (RFC 9110 section 7.8).
            headers: more header fields for the answer.

        The server has nothing to do with the connection any more; what the handler returns is
        ignored. Raises HTTPError 426 when the client did not ask for the protocol, ValueError
        for a header that is not allowed, ClientDisconnected when the client is gone.
        """
        offered = (self.head.upgrade or "").lower().split(",")
        if protocol.lower() not in (name.strip(" \t") for name in offered):
            fields = [("Upgrade", protocol), ("Connection", "Upgrade")]
            raise HTTPError(426, f"This resource speaks {protocol} only.", headers=fields)
        return Upgraded(*self._peer.upgrade(self, protocol, headers))

    @property
    def disconnected(self) -> bool:
        """True once the client has closed its side; asks the socket, reads nothing from it."""
        return self._peer.disconnected()

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target} {self.version}>"


def _parameters(text: str, what: str) -> Parameters:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise HTTPError(400, f"The {what} has more than {MAX_PARAMETERS} fields.") from error
    return Parameters(pairs)
