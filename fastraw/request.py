"""Request: a lazy view over a parsed head and its content."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple, Protocol

from ._environ_py import raw_path_and_query
from .cookies import parse_cookies
from .errors import HTTPError
from .fields import parse_parameters
from .forms import Form, FormLimits, parse_urlencoded
from .headers import HeaderFields, Headers
from .jsoncontent import parse_json
from .multipart import parse_multipart
from .parameters import Parameters, parse_query
from .parse import Head, RequestBase, quick
from .spool import Spool

# What the access log calls a request whose connection was closed before there was an answer, which
# is hardly ever ours to do. No status of HTTP, but nginx's, so that log readers know it.
CLIENT_CLOSED = 499


class Peer(Protocol):
    """What a request needs to know of the connection it came by."""

    @property
    def client(self) -> tuple[str, int] | str: ...
    @property
    def server(self) -> tuple[str, int] | str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def origin(self) -> object: ...
    def disconnected(self) -> bool: ...
    def peer_certificate(self) -> dict[str, Any] | None: ...
    def now(self) -> float: ...
    def upgrade(
        self, request: Request, protocol: str, fields: HeaderFields
    ) -> tuple[Any, bytes]: ...
    def write(self, request: Request, response: Any, piece: bytes) -> None: ...


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


@quick
class Request(RequestBase):
    """One request, complete when a handler sees it (unless the handler streams its body).

    Nothing is decoded before it is asked for, and nothing twice.
    """

    _peer: Peer
    # No __slots__: what is computed lazily is kept in the instance's dictionary, and what most
    # handlers never touch (state, path_params) costs nothing as a class attribute until then.
    path_params: Mapping[str, Any] = {}
    """What a router took out of the path, percent-decoded: str, int or UUID by its pattern."""
    upgraded = False
    """The connection has become the handler's: the answer has been sent."""
    id: str = ""
    """What the log lines call it, empty for nothing; the middleware `request_id` gives it."""
    _content: bytes | Spool | BinaryIO = b""
    trailers: Headers | None = None
    """Trailer fields of a chunked request (RFC 9110 section 6.5), None without a trailer
    section; never merged into `headers`."""

    deadline_at: float | None = None
    """When the answer should be there, on the monotonic clock; `deadline` says what is left."""
    queued_at = 0.0
    """When it had to begin to wait for a worker, on the monotonic clock; most need not."""
    matched: dict[int, Any] | None = None
    """For routers: what each of them has found for this request."""
    began = 0.0
    """For the access log: when the head was complete, on the monotonic clock."""
    answered = (CLIENT_CLOSED, 0)
    """For the access log: status and octets of content sent."""

    def __init__(self, head: Head, peer: Peer) -> None:
        self.head = head
        self._peer = peer
        self.ordinary = head.ordinary

    def use_content(
        self, content: bytes | Spool | BinaryIO, trailers: Headers | None = None
    ) -> None:
        """Set what `body` and `stream` give; for the server."""
        self._content = content
        self.trailers = trailers

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
        return raw_path_and_query(self.head.target)[0]

    @property
    def subpath(self) -> str:
        """What `raw_path` has behind `mount_path`: empty, or it begins with a slash."""
        return self.raw_path[len(self.mount_path) :]

    @property
    def query_string(self) -> str:
        """What follows the first `?` of the target, as received; empty without one."""
        return raw_path_and_query(self.head.target)[1]

    @property
    def query(self) -> Parameters:
        """The query's parameters, decoded; HTTPError 400 when there are more than 1,000."""
        found: Parameters | None = self.__dict__.get("_query")
        if found is None:
            found = self.__dict__["_query"] = parse_query(self.query_string)
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
            found = self.__dict__["_stream"] = self._open()
        return found

    def _open(self) -> BinaryIO:
        content = self._content
        if isinstance(content, bytes):
            return io.BytesIO(content)
        return content.open() if isinstance(content, Spool) else content

    def json(self) -> Any:
        """The content decoded as JSON (RFC 8259).

        Raises HTTPError: 415 when Content-Type says that it is something else, or in another
        charset than UTF-8; 400, with the line and column, when it is not JSON.
        """
        media_type, parameters = self._content_type()
        if media_type not in ("", "application/json") and not media_type.endswith("+json"):
            raise HTTPError(415, "The content type must be application/json.")
        _check_charset(parameters)
        return parse_json(self.body)

    def form(
        self,
        *,
        max_parts: int = 1000,
        max_part_head_bytes: int = 8192,
        max_field_bytes: int = 1 << 20,
        file_memory_bytes: int = 1 << 16,
    ) -> Form:
        """The fields of a form, and in its `files` what was uploaded; decoded once.

        application/x-www-form-urlencoded needs nothing more; multipart/form-data needs the extra
        `fastraw[multipart]`. A handler with `stream_body` can ask for it too.

        Args:
            max_parts: fields and files together.
            max_part_head_bytes: octets of header fields of one part of a multipart form.
            max_field_bytes: octets of one field that is not a file.
            file_memory_bytes: octets of all files that are kept in memory; beyond it a temporary
                file has them. It is given back once the request has been answered.

        Raises:
            HTTPError: 415 for another content type, or another charset than UTF-8; 413 beyond a
                limit; 400 when the content is not such a form.
            ImportError: a multipart form has come, and the extra is not installed.
        """
        form: Form | None = self.__dict__.get("_form")
        if form is None:
            limits = FormLimits(max_parts, max_part_head_bytes, max_field_bytes, file_memory_bytes)
            form = self.__dict__["_form"] = self._parse_form(limits)
        return form

    def _parse_form(self, limits: FormLimits) -> Form:
        media_type, parameters = self._content_type()
        if media_type == "multipart/form-data":
            return parse_multipart(self._open(), parameters.get("boundary", ""), limits)
        if media_type != "application/x-www-form-urlencoded":
            raise HTTPError(
                415,
                "The content type must be application/x-www-form-urlencoded or "
                "multipart/form-data.",
            )
        _check_charset(parameters)
        return parse_urlencoded(self.body, limits)

    def _content_type(self) -> tuple[str, dict[str, str]]:
        """The media type in lower case, empty without one, and its parameters."""
        media_type, _, rest = (self.headers.get("content-type") or "").partition(";")
        return media_type.strip(" \t").lower(), dict(parse_parameters(rest) or ())

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies sent, by name; of a repeated name the first (RFC 6265 section 4.2).

        What is no cookie is passed over. Values in double quotes come without them; values that
        are UTF-8 are decoded, others stay latin-1.
        """
        found: dict[str, str] | None = self.__dict__.get("_cookies")
        if found is None:
            found = self.__dict__["_cookies"] = parse_cookies(self.headers.get_all("cookie"))
        return found

    def close(self) -> None:
        """Give back what was opened for this request; for the server, once it is answered."""
        form: Form | None = self.__dict__.get("_form")
        if form is not None:
            form.close()

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
    def peer_certificate(self) -> dict[str, Any] | None:
        """The certificate that the client has shown over TLS, verified, in the form of
        ssl.SSLSocket.getpeercert; None without one."""
        return self._peer.peer_certificate()

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
            message = f"This resource speaks {protocol} only."
            raise HTTPError(426, message, headers=[("Upgrade", protocol)])
        upgraded = Upgraded(*self._peer.upgrade(self, protocol, headers))
        self.upgraded = True
        return upgraded

    @property
    def disconnected(self) -> bool:
        """True once the client has closed its side; asks the socket, reads nothing from it."""
        return self._peer.disconnected()

    def __repr__(self) -> str:
        name = self.id and f" {self.id}"
        return f"<Request {self.method} {self.target} {self.version}{name}>"


def _check_charset(parameters: dict[str, str]) -> None:
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise HTTPError(415, "The charset of the content must be UTF-8.")
