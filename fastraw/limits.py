"""How much a client may send, and how long it may take: two frozen dataclasses.

The unit stands in each field's name. None switches a limit or a timeout off.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .arguments import is_seconds


@dataclass(frozen=True)
class Limits:
    """The sizes beyond which a request, or a connection, is refused.

    Raises ValueError, naming the field, for anything but a positive integer or None.
    """

    request_line_bytes: int | None = 8192
    """Request line without its CRLF; longer: 414. RFC 9112 section 3 asks for 8,000 or more.
    None: any length."""

    head_bytes: int | None = 64 * 1024
    """Header section without the request line, and trailer section; longer: 431. None: any."""

    field_lines: int | None = 128
    """Field lines in the header section, and in the trailer section; more: 431. None: any."""

    body_bytes: int | None = 16 * 1024 * 1024
    """Content of a request, after decoding; larger: 413. None: any size."""

    body_memory_bytes: int | None = 64 * 1024
    """Part of the content that is kept in memory; beyond it an unnamed temporary file is used,
    which may hold what it held until other content takes its place or the server stops. None:
    everything stays in memory."""

    connections: int | None = 10_000
    """Open connections; one more is answered with 503. None: what the descriptors allow."""

    connections_per_client: int | None = None
    """Open connections from one address (of IPv6, from one /64 network, which is what one client
    has); one more is answered with 429. None, the default: any number, since behind a proxy all
    of them come from one address."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(
                    f"Limits.{field.name} must be a positive integer or None, not {value!r}"
                )


@dataclass(frozen=True)
class Timeouts:
    """How long each phase of a connection may take, each from its own beginning, in seconds.

    Kept to within about a second. Raises ValueError, naming the field, for anything but a
    positive number or None.
    """

    handshake_seconds: float | None = 10.0
    """From accept to the end of the TLS handshake; then the connection is closed. None: no end."""

    head_seconds: float | None = 10.0
    """From the first octet of a request to the end of its head; then 408. None: no end."""

    body_seconds: float | None = 60.0
    """From the end of the head to the end of the content; then 408. None: no end.

    Of content that a handler reads itself, what its reads wait for the client in all; one that
    takes long uploads from slow clients needs more."""

    queue_seconds: float | None = 5.0
    """What a complete request waits for a worker; then 503 with Retry-After. None: no end."""

    write_seconds: float | None = 60.0
    """From the moment the client stops taking the answer; then it is cut off. One that takes it
    slowly goes on, if it takes some 100 KiB in that time. None: no end."""

    idle_seconds: float | None = 60.0
    """What a connection stays open without a request; then it is closed. None: no end."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (is_seconds(value) and value > 0):
                raise ValueError(
                    f"Timeouts.{field.name} must be a positive number or None, not {value!r}"
                )
