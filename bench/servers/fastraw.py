"""fastraw with a bare handler, with a router of 500 routes, with the WSGI application, or
with files."""

from __future__ import annotations

import hashlib
import os

from fastraw import (
    TLS,
    WSGI,
    Broadcast,
    FastServer,
    Limits,
    Request,
    Response,
    Router,
    StaticFiles,
    Timeouts,
)
from fastraw.engine import pool
from fastraw.route import Handler
from servers import CONNECTIONS, HOST, PATIENT_SECONDS, app, files, options


def handler(request: Request) -> Response:
    """The application of servers.app."""
    path = request.path
    if path == "/":
        return Response(app.HELLO, content_type=app.CONTENT_TYPE)
    if path == "/upload":
        return Response.text(str(len(request.body)))
    body = app.answer(path, request.query_string)
    if body is None:
        return Response(b"Not Found", status=404, content_type=app.CONTENT_TYPE)
    return Response(body, content_type=app.CONTENT_TYPE)


ROUTES = 500
READ_BYTES = 128 * 1024


def routed() -> Router:
    """The same application, its routes among others."""
    router = Router()

    def hello(request: Request) -> Response:
        return Response(app.HELLO, content_type=app.CONTENT_TYPE)

    for number in range((ROUTES - 2) // 2):
        router.get(f"/things-{number}")(hello)
        router.get(f"/things-{number}/{{id:int}}")(hello)
    router.get("/")(hello)
    router.get("/hello/{name}")(hello)
    return router


def embedded() -> Router:
    """What embedders ask for: events, a health check, an upload that is hashed as it comes."""
    router, news = Router(), Broadcast()
    router.get("/events")(news.subscribe)

    @router.get("/announce")
    def announce(request: Request) -> str:
        return str(news.send("told"))

    @router.get("/health", lane="control")
    def health(request: Request) -> str:
        return "well"

    @router.post("/hash", stream_body=True)
    def hashed(request: Request) -> Response:
        digest = hashlib.sha256()
        while piece := request.stream.read1(READ_BYTES):
            digest.update(piece)
        return Response(digest.hexdigest().encode(), content_type=app.CONTENT_TYPE)

    router.route("/slow")(handler)
    router.get("/")(handler)
    return router


def timeouts(patient: bool) -> Timeouts:
    """The defaults, or long ones for the phases that a silent connection is in."""
    if not patient:
        return Timeouts()
    return Timeouts(head_seconds=PATIENT_SECONDS, idle_seconds=PATIENT_SECONDS)


def handler_for(mode: str) -> Handler:
    """What the load is for."""
    if mode == "router":
        return routed()
    if mode in ("embedded", "hash"):
        return embedded()
    if mode == "files":
        return StaticFiles(files.folder())
    return WSGI(app.wsgi) if mode == "wsgi" else handler


if __name__ == "__main__":
    given = options()
    if given.permits is not None:
        # There is no public name for it: the number follows from the interpreter and its CPUs.
        permits = given.permits
        pool.permit_count = lambda: permits
    if given.cpus is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cpus])
    FastServer(
        handler_for(given.mode),
        host=HOST,
        port=given.port,
        workers=given.workers,
        limits=Limits(connections=CONNECTIONS),
        timeouts=timeouts(given.patient),
        tls=given.without_resumption(TLS(*given.tls).load()) if given.tls else None,
    ).serve_forever()
