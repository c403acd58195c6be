"""uvicorn with httptools and uvloop, ASGI; what blocks goes to a pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from servers import BACKLOG, HOST, PATIENT_SECONDS, app, options

Message = dict[str, Any]


class Application:
    """The application of servers.app over ASGI."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        path, query = scope["path"], scope["query_string"].decode()
        if path == "/upload":
            body: bytes | None = b"%d" % await _length(receive)
        elif path == "/slow":
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(self._pool, app.answer, path, query)
        else:
            body = app.answer(path, query)
        headers = [
            (b"content-type", app.CONTENT_TYPE.encode()),
            (b"content-length", b"%d" % len(body or b"")),
        ]
        status = 404 if body is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body or b""})


async def _length(receive: Callable[[], Awaitable[Message]]) -> int:
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            return length


if __name__ == "__main__":
    given = options()
    uvicorn.run(
        Application(given.workers),
        host=HOST,
        port=given.port,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        backlog=BACKLOG,
        timeout_keep_alive=PATIENT_SECONDS,
        access_log=False,
        log_level="error",
    )
