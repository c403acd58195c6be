"""Server-sent events: EventStream for one client, Broadcast for any number of them.

    Broadcast.send -> EventStream.send, of each subscriber -> its queue -> the engine pulls
    the engine: attach, when the answer begins; take, when there is something; close, at the end

1. A subscriber holds a connection, and no thread.
2. Its queue is bounded. When it is full, the oldest event is dropped, or the stream ends: a client
   that reads too slowly costs no more memory than that, and holds nobody up.
3. All subscribers see the events of one Broadcast in the same order.
4. A Broadcast knows a stream from `attach` to `close`, which the engine calls, so a handler that
   fails in between leaves nothing behind.

The format is that of the HTML standard, section 9.2, "Server-sent events".
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

from ..arguments import is_seconds
from ..request import Request
from ..response import Response

Full = Literal["drop_oldest", "close"]

QUEUE_EVENTS: Final = 256
# Shorter than the time after which proxies and firewalls commonly forget a silent connection.
HEARTBEAT_SECONDS: Final = 15.0
_HEARTBEAT = b":\n\n"  # a comment
_line_end = re.compile(r"\r\n|\r|\n")


def encode_event(data: str, event: str | None = None, id: str | None = None) -> bytes:  # noqa: A002
    """One event as the octets of text/event-stream.

    Args:
        data: the text; its lines may end in any way.
        event: the type that listeners are registered for; `message` when None.
        id: what the client sends as Last-Event-ID when it comes back.

    Raises TypeError for data that is no str, ValueError for an event or id with a line end or
    NUL.
    """
    if not isinstance(data, str):
        raise TypeError(f"data must be a str, not {type(data).__name__}")
    lines = []
    for name, value in (("id", id), ("event", event)):
        if value is not None:
            if _line_end.search(value) or "\0" in value:
                raise ValueError(f"{name} must have no line end and no NUL, not {value!r}")
            lines.append(f"{name}: {value}\n")
    lines += [f"data: {line}\n" for line in _line_end.split(data)]
    return ("".join(lines) + "\n").encode()


class EventStream(Response):
    """An answer made of events, each sent when it comes. It answers one request; for several
    clients there is Broadcast.

    Args:
        queue_events: events that wait for a client that is slow.
        full: what happens when that many wait: `drop_oldest`, or `close`.
        heartbeat_seconds: silence after which a comment is sent, so that the connection is not
            given up; None for never.
        retry_seconds: what the client shall wait before it comes back; None leaves it to itself.
        on_close: called once when the stream has ended, on a thread of the server; must not block.

    Raises ValueError for an argument that is out of range.
    """

    def __init__(
        self,
        *,
        queue_events: int = QUEUE_EVENTS,
        full: Full = "drop_oldest",
        heartbeat_seconds: float | None = HEARTBEAT_SECONDS,
        retry_seconds: float | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        # Proxies must pass the events on as they come; nginx buffers unless told otherwise.
        fields = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=fields, content_type="text/event-stream")
        self._queue = EventQueue(queue_events, full, heartbeat_seconds, on_close)
        self.source = self._queue
        if retry_seconds is not None:
            if not retry_seconds >= 0:
                raise ValueError(f"retry_seconds must not be negative, not {retry_seconds!r}")
            self._queue.put(b"retry: %d\n\n" % (retry_seconds * 1000))

    def send(self, data: str, event: str | None = None, id: str | None = None) -> bool:  # noqa: A002
        """Send an event, from any thread; False when the stream has ended.

        Raises what `encode_event` raises.
        """
        return self._queue.put(encode_event(data, event, id))

    def end(self) -> None:
        """End the stream behind the events that have been sent. The client may come back."""
        self._queue.end()

    @property
    def ended(self) -> bool:
        """Whether nothing can be sent any more: `end` was called, or the client has left."""
        return self._queue.ended

    @property
    def dropped(self) -> int:
        """Events that the client has missed because it was too slow."""
        return self._queue.dropped


class EventQueue:
    """The source of one stream: what has been sent and not yet been pulled."""

    __slots__ = (
        "_attached", "_events", "_full", "_limit", "_lock", "_on_attach", "_on_close", "_wake",
        "dropped", "ended", "idle_seconds",
    )  # fmt: skip

    def __init__(
        self,
        limit: int,
        full: Full,
        heartbeat_seconds: float | None,
        on_close: Callable[[], None] | None,
    ) -> None:
        if type(limit) is not int or limit < 1:
            raise ValueError(f"queue_events must be a positive integer, not {limit!r}")
        if full not in ("drop_oldest", "close"):
            raise ValueError(f"full must be 'drop_oldest' or 'close', not {full!r}")
        if heartbeat_seconds is not None and not (
            is_seconds(heartbeat_seconds) and heartbeat_seconds > 0
        ):
            raise ValueError(f"heartbeat_seconds must be positive, not {heartbeat_seconds!r}")
        self.idle_seconds = heartbeat_seconds
        self.ended = False
        self.dropped = 0
        self._limit = limit
        self._full = full
        self._events: deque[bytes] = deque()
        self._lock = threading.Lock()  # of _attached, _events, dropped and ended
        self._attached = False
        self._wake: Callable[[], None] | None = None
        self._on_attach: Callable[[EventQueue], None] | None = None
        self._on_close = on_close

    # From any thread.

    def put(self, event: bytes) -> bool:
        """Queue an event; False when the stream has ended."""
        with self._lock:
            if self.ended:
                return False
            if len(self._events) >= self._limit:
                self.dropped += 1
                if self._full == "close":
                    self.ended = True
                else:
                    self._events.popleft()
            if not self.ended:
                self._events.append(event)
        if self._wake is not None:
            self._wake()
        return not self.ended

    def end(self) -> None:
        """Nothing more will come; what is queued is still sent."""
        with self._lock:
            self.ended = True
        if self._wake is not None:
            self._wake()

    # For the engine, on one thread at a time.

    def attach(self, wake: Callable[[], None]) -> None:
        with self._lock:
            if self._attached:
                raise RuntimeError("an EventStream answers one request")
            self._attached = True
        self._wake = wake
        if self._on_attach is not None:
            self._on_attach(self)

    def take(self) -> bytes | None:
        """All that is queued, so that a burst costs the client's connection one send."""
        with self._lock:
            if not self._events:
                return None
            events = b"".join(self._events)
            self._events.clear()
            return events

    def heartbeat(self) -> bytes:
        return _HEARTBEAT

    def close(self) -> None:
        with self._lock:
            self.ended = True
            self._events.clear()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


class Broadcast:
    """Fans each event out to all subscribers.

    Args:
        history_events: the last so many events are kept, for clients that come back and say by
            Last-Event-ID what they saw last. With it events get an id: a number, unless `send` is
            given one.
        queue_events, full, heartbeat_seconds, retry_seconds: of each subscriber's EventStream.

    Raises ValueError for an argument that is out of range.
    """

    def __init__(
        self,
        *,
        history_events: int = 0,
        queue_events: int = QUEUE_EVENTS,
        full: Full = "drop_oldest",
        heartbeat_seconds: float | None = HEARTBEAT_SECONDS,
        retry_seconds: float | None = None,
    ) -> None:
        if type(history_events) is not int or history_events < 0:
            raise ValueError(f"history_events must not be negative, not {history_events!r}")
        self._queue_events = queue_events
        self._full: Full = full
        self._heartbeat_seconds = heartbeat_seconds
        self._retry_seconds = retry_seconds
        self._stream()  # an argument that is out of range is refused now, not by the first client
        # One sender at a time, which gives the order; and none while a subscriber is let in.
        self._lock = threading.Lock()
        self._history: deque[tuple[str, bytes]] = deque(maxlen=history_events)
        self._sent = 0
        # Read as a whole and changed by single operations, each of them atomic: a stream that is
        # closed does not wait for a sender.
        self._subscribers: dict[EventQueue, None] = {}

    def subscribe(self, request: Request) -> EventStream:
        """The answer that makes the client of `request` a subscriber.

        Return it from the handler; the client gets what is sent from then on, and before it what
        it has missed, as far as that is kept.
        """
        stream = self._stream()
        queue = stream._queue
        last = request.headers.get("last-event-id")
        queue._on_attach = lambda queue: self._enter(queue, last)
        queue._on_close = lambda: self._leave(queue)
        return stream

    def send(self, data: str, event: str | None = None, id: str | None = None) -> int:  # noqa: A002
        """Send an event to all subscribers, from any thread; how many they are.

        Does not wait for any of them. Raises what `encode_event` raises.
        """
        with self._lock:
            self._sent += 1
            if id is None and self._history.maxlen:
                id = str(self._sent)  # noqa: A001
            octets = encode_event(data, event, id)
            self._history.append((id or "", octets))
            return sum(queue.put(octets) for queue in list(self._subscribers))

    def end(self) -> None:
        """End all streams behind what has been sent. Clients may come back."""
        with self._lock:
            for queue in list(self._subscribers):
                queue.end()

    def __len__(self) -> int:
        """How many subscribers there are."""
        return len(self._subscribers)

    def __bool__(self) -> bool:
        return True

    def _stream(self) -> EventStream:
        return EventStream(
            queue_events=self._queue_events,
            full=self._full,
            heartbeat_seconds=self._heartbeat_seconds,
            retry_seconds=self._retry_seconds,
        )

    def _enter(self, queue: EventQueue, last: str | None) -> None:
        with self._lock:
            if last is not None:
                for octets in self._missed(last):
                    queue.put(octets)
            self._subscribers[queue] = None

    def _leave(self, queue: EventQueue) -> None:
        self._subscribers.pop(queue, None)

    def _missed(self, last: str) -> Iterable[bytes]:
        """What is kept and came after the event `last`; all that is kept, if that one is not."""
        kept = list(self._history)
        ids = [id for id, _ in kept]  # noqa: A001
        start = len(ids) - ids[::-1].index(last) if last in ids else 0
        return [octets for _, octets in kept[start:]]
