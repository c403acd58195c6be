# The extension, as its twin `_parse_py` has it; parse.py makes a type checker compare them.

from collections.abc import Callable
from typing import Any, TypeVar, final

from typing_extensions import Self

from .headers import Headers
from .limits import Limits

@final
class Head:
    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def minor_version(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def content_length(self) -> int | None: ...
    @property
    def chunked(self) -> bool: ...
    @property
    def keep_alive(self) -> bool: ...
    @property
    def expect_continue(self) -> bool: ...
    @property
    def upgrade(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def ordinary(self) -> bool: ...
    def environ(
        self, template: dict[str, Any], client: tuple[str, int] | str
    ) -> dict[str, Any]: ...

class RequestBase:
    head: Head
    _peer: Any
    ordinary: bool
    mount_path: str
    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def path(self) -> str: ...

class ResponseBase:
    body: bytes
    status: int
    content_type: str | None
    ordinary: bool
    start: bytes | None
    after: Callable[[], object] | None
    @classmethod
    def prepared(cls, start: bytes, status: int, body: bytes) -> Self: ...

_Class = TypeVar("_Class", bound=type)
_Peer = TypeVar("_Peer")
_Request = TypeVar("_Request")

def quick(cls: _Class) -> _Class: ...
def parse_request(
    cls: Callable[[Head, _Peer], _Request],
    data: bytes | bytearray,
    seen: int,
    limits: Limits,
    peer: _Peer,
) -> _Request | Head | None: ...
def known_answer(
    request: RequestBase,
    response: ResponseBase,
    starts: tuple[dict[str, bytes], ...],
    date: bytes,
) -> bytes | None: ...
def prepared_answer(response: ResponseBase, date: bytes) -> bytes | None: ...
def ordinary_environ(
    request: RequestBase, origin: object, template: dict[str, Any]
) -> dict[str, Any] | None: ...
def parse_head(
    data: bytes | bytearray, start: int = 0, seen: int = 0, limits: Limits = ...
) -> Head | None: ...
def take_chunks(data: bytes | bytearray, start: int, room: int) -> tuple[bytes, int]: ...
