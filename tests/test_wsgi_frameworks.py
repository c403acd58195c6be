"""Applications of the frameworks that people have, as they are installed."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bottle
import falcon
import flask
import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import title_contains
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.exceptions import HTTPException

from fastraw import WSGI, FastServer
from tests.apps import django_app
from tests.browser import chromium
from tests.waiting import PATIENCE_SECONDS

CONTENT = bytes(range(256)) * 1000


def serving(app: Any, **options: Any) -> FastServer:
    return FastServer(WSGI(app, **options), port=0)


def pieces() -> Iterator[bytes]:
    """A body without a length."""
    for start in range(0, len(CONTENT), 10_000):
        yield CONTENT[start : start + 10_000]


# ---- Flask ----


def make_flask(ended: list[str]) -> flask.Flask:
    app = flask.Flask("app")
    app.secret_key = "for tests"

    @app.route("/json", methods=["GET", "POST"])
    def json() -> Any:
        return {
            "args": flask.request.args,
            "form": flask.request.form,
            "ip": flask.request.remote_addr,
        }

    @app.get("/stream")
    def stream() -> Any:
        def lines() -> Iterator[str]:
            for number in range(3):
                yield f"{flask.request.path} {number}\n"

        return flask.stream_with_context(lines()), {"Content-Type": "text/plain"}

    @app.post("/size")
    def size() -> Any:
        return str(len(flask.request.stream.read()))

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(io.BytesIO(CONTENT), "application/x-test")

    @app.get("/session")
    def session() -> Any:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return str(flask.session["visits"])

    @app.get("/fail")
    def fail() -> Any:
        raise KeyError("in a view")

    @app.errorhandler(404)
    def missing(error: HTTPException) -> Any:
        return "nothing here", 404

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        ended.append(flask.request.path)

    return app


@pytest.mark.parametrize("stream_body", [False, True])
def test_flask(stream_body: bool, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []
    server = serving(make_flask(ended), stream_body=stream_body)
    with server, httpx.Client(base_url=server.url) as client:
        found = client.post("/json?a=1&b=%E2%82%AC", data={"c": "d"}).json()
        assert found == {"args": {"a": "1", "b": "\u20ac"}, "form": {"c": "d"}, "ip": "127.0.0.1"}
        assert client.get("/stream").text == "/stream 0\n/stream 1\n/stream 2\n"
        assert client.post("/size", content=CONTENT).text == str(len(CONTENT))
        assert client.post("/size", content=pieces()).text == str(len(CONTENT))
        assert client.get("/file").content == CONTENT
        assert [client.get("/session").text for _ in range(3)] == ["1", "2", "3"]
        assert client.get("/nothing").text == "nothing here"
        assert (
            client.head("/json").headers["content-length"]
            == client.get("/json").headers["content-length"]
        )
        assert client.options("/json").headers["allow"]
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert client.get("/fail").status_code == 500
    assert "KeyError: 'in a view'" in caplog.text
    assert {"/json", "/stream", "/size", "/file", "/session", "/nothing", "/fail"} == set(ended)


# ---- Django ----


@pytest.fixture(scope="module")
def django(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastServer]:
    with serving(django_app.prepare(tmp_path_factory.mktemp("django"))) as server:
        yield server


def test_django(django: FastServer) -> None:
    with httpx.Client(base_url=django.url) as client:
        names = [f"group {number}" for number in range(10, 30)]
        assert client.post("/groups", data={"name": names}).json()["groups"] == names
        assert client.get("/groups").json()["groups"] == names
        assert sorted(client.get("/groups/stream").text.splitlines()) == sorted(names)
        database = client.get("/file")
        assert database.content.startswith(b"SQLite format 3\0")
        assert int(database.headers["content-length"]) == len(database.content)
        assert client.get("/static/admin/css/base.css").headers["content-type"] == "text/css"
        assert client.get("/groups/").status_code == 404


def test_django_admin_in_a_browser(django: FastServer) -> None:
    with chromium() as browser:
        browser.get(f"{django.url}/admin/")
        assert "Log in" in browser.title
        browser.find_element(By.NAME, "username").send_keys(django_app.USER)
        browser.find_element(By.NAME, "password").send_keys(django_app.PASSWORD)
        browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        # A click does not wait for the page that it leads to.
        WebDriverWait(browser, PATIENCE_SECONDS).until(title_contains("Site administration"))
        browser.get(f"{django.url}/admin/auth/user/")
        assert django_app.USER in browser.find_element(By.ID, "result_list").text
        # The style sheet was sent, and taken.
        header = browser.find_element(By.ID, "header")
        assert header.value_of_css_property("background-color") != "rgba(0, 0, 0, 0)"


# ---- Falcon ----


class Things:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = {"got": request.get_media(), "host": request.host}

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.content_type = "application/x-test"
        response.set_stream(io.BytesIO(CONTENT), len(CONTENT))

    def on_put(self, request: falcon.Request, response: falcon.Response) -> None:
        response.text = str(len(request.bounded_stream.read()))

    def on_delete(self, request: falcon.Request, response: falcon.Response) -> None:
        raise falcon.HTTPConflict(title="No")


def test_falcon() -> None:
    app = falcon.App()
    app.add_route("/things", Things())
    server = serving(app)
    with server, httpx.Client(base_url=server.url) as client:
        assert client.post("/things", json={"a": 1}).json() == {
            "got": {"a": 1},
            "host": "127.0.0.1",
        }
        assert client.get("/things").content == CONTENT
        assert client.put("/things", content=pieces()).text == str(len(CONTENT))
        assert client.delete("/things").status_code == 409
        assert client.get("/nothing").status_code == 404
        assert client.head("/things").status_code == 405


# ---- Bottle ----


def test_bottle(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    app = bottle.Bottle()
    app.get("/hello/<name>", callback=lambda name: {"hello": name})
    app.get("/file", callback=lambda: bottle.static_file("file.bin", root=str(tmp_path)))
    app.get("/stream", callback=lambda: (f"{number}\n" for number in range(3)))
    app.post("/form", callback=lambda: bottle.request.forms.getunicode("name"))
    app.get("/abort", callback=lambda: bottle.abort(418, "short"))
    server = serving(app)
    with server, httpx.Client(base_url=server.url) as client:
        assert client.get("/hello/Ada").json() == {"hello": "Ada"}
        assert client.get("/file").content == CONTENT
        part = client.get("/file", headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, CONTENT[1:4])
        assert client.get("/stream").text == "0\n1\n2\n"
        assert client.post("/form", data={"name": "Zo\u00eb"}).text == "Zo\u00eb"
        assert client.get("/abort").status_code == 418
