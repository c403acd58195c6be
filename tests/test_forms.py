"""Requests' content as JSON and as forms: over real servers, with real clients."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastraw import FastServer, Request, Response
from fastraw.errors import HTTPError
from fastraw.forms import Form, FormLimits
from fastraw.multipart import parse_multipart
from fastraw.testing import RawClient
from tests.waiting import eventually

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"
LIMITS = FormLimits(20, 1000, 1000, 1000)


def describe(form: Form) -> dict[str, Any]:
    files = [
        [name, upload.filename, upload.content_type, upload.size, upload.file.read().decode()]
        for name, upload in form.files.pairs()
    ]
    return {"fields": form.pairs(), "files": files}


def handle(request: Request) -> Response | dict[str, Any]:
    if request.path == "/json":
        return Response.json({"value": request.json()})
    if request.path == "/small":
        return describe(request.form(max_parts=2, max_field_bytes=10, max_part_head_bytes=100))
    form = request.form()
    assert request.form() is form
    if request.path == "/sizes":
        return Response.json([upload.size for upload in form.files.get_all("f")])
    if request.path == "/later":
        upload = form.files["f"]
        return Response.stream(iter(lambda: upload.file.read(65536), b""))
    return describe(form)


def stream(request: Request) -> Response | dict[str, Any]:
    return handle(request)


stream.stream_body = True  # type: ignore[attr-defined]


@pytest.fixture(scope="module", params=[handle, stream], ids=["spooled", "streamed"])
def server(request: pytest.FixtureRequest) -> Iterator[FastServer]:
    with FastServer(request.param, port=0, workers=4) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: FastServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def post(client: httpx.Client, path: str, content: bytes, kind: str) -> httpx.Response:
    return client.post(path, content=content, headers={"Content-Type": kind})


# JSON.


@pytest.mark.parametrize(
    ("content", "kind", "status", "detail"),
    [
        (b'{"a": [1, "\xc3\xa9"]}', "application/json", 200, ""),
        (b"1", 'application/JSON; charset="UTF-8"', 200, ""),
        (b"null", "application/problem+json", 200, ""),
        (b"", "application/json", 400, "The content is empty, and must be JSON."),
        (b'{"a":\n secret}', "application/json", 400, "not valid JSON: line 2, column 2."),
        (b'"\xff"', "application/json", 400, "octet 2 is not valid UTF-8."),
        (b"[NaN]", "application/json", 400, "it has NaN or Infinity."),
        (b"[" * 100_000, "application/json", 400, "it is nested too deeply."),
        (b"1" * 5000, "application/json", 400, "it has too long a number."),
        (b"{}", "text/plain", 415, "must be application/json."),
        (b"{}", "application/json; charset=latin-1", 415, "must be UTF-8."),
    ],
)
def test_json(client: httpx.Client, content: bytes, kind: str, status: int, detail: str) -> None:
    response = post(client, "/json", content, kind)
    assert response.status_code == status, response.text
    if detail:
        assert response.text.endswith(detail + "\n")
        assert "secret" not in response.text
    else:
        assert response.json() == {"value": json.loads(content)}


# URL-encoded forms.


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"", []),
        (b"a=1&b=&a=%C3%A9+x&c", [["a", "1"], ["b", ""], ["a", "\u00e9 x"], ["c", ""]]),
        (b"a=%zz", [["a", "%zz"]]),
    ],
)
def test_urlencoded(client: httpx.Client, content: bytes, fields: list[list[str]]) -> None:
    response = post(client, "/", content, URLENCODED + "; charset=UTF-8")
    assert response.json() == {"fields": fields, "files": []}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"a=\xff", URLENCODED, 400),
        (b"a=%FF", URLENCODED, 400),
        (b"a=1", "text/plain", 415),
        (b"a=1", "", 415),
        (b"a=1", URLENCODED + "; charset=utf-16", 415),
        (b"a&b&c", URLENCODED, 413),
        (b"a=" + b"x" * 11, URLENCODED, 413),
    ],
)
def test_bad_urlencoded(client: httpx.Client, content: bytes, kind: str, status: int) -> None:
    response = post(client, "/small", content, kind)
    assert response.status_code == status
    assert response.text.endswith(".\n")


# Multipart forms.


def part(disposition: str, content: bytes, *more: str) -> bytes:
    head = "\r\n".join((f"Content-Disposition: form-data; {disposition}", *more))
    return b"--XX\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def test_multipart_of_a_client(client: httpx.Client) -> None:
    response = client.post(
        "/",
        data={"a": ["1", "2"], "\u00fc": "\u00e9"},
        files=[("f", ("n\u00e4me.txt", b"hello", "text/plain")), ("f", ("b.bin", b""))],
    )
    assert response.json() == {
        "fields": [["a", "1"], ["a", "2"], ["\u00fc", "\u00e9"]],
        "files": [
            ["f", "n\u00e4me.txt", "text/plain", 5, "hello"],
            ["f", "b.bin", "application/octet-stream", 0, ""],
        ],
    }


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl: apt-get install curl")
def test_multipart_of_curl(server: FastServer, tmp_path: Path) -> None:
    path = tmp_path / 'a "quoted" name.txt'
    path.write_bytes(b"\r\n--x" * 100_000)
    command = ["curl", "-s", "-F", "a=1", "-F", f"f=@{path}", "-F", "f=@-;filename=in", server.url]
    done = subprocess.run(
        [*command[:-1], server.url + "/sizes"], input=b"hello", capture_output=True, check=True
    )
    assert json.loads(done.stdout) == [500_000, 5]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('"a.txt"', "a.txt"),
        ("a.txt", "a.txt"),
        ('"../../etc/passwd"', "passwd"),
        (r'"C:\\dir\\a.txt"', "a.txt"),
        (r'"C:\dir\a.txt"', "a.txt"),
        ('".."', ""),
        (r'"a\"b"', 'a"b'),
        ('"a%22b;c"', "a%22b;c"),
    ],
)
def test_names_of_files(client: httpx.Client, sent: str, expected: str) -> None:
    content = part(f'name="f"; filename={sent}', b"x") + b"--XX--"
    assert post(client, "/", content, MULTIPART).json()["files"][0][1] == expected


def test_a_file_input_left_empty_is_no_file(client: httpx.Client) -> None:
    content = part('name="f"; filename=""', b"", "Content-Type: a/b") + b"--XX--\r\n"
    assert post(client, "/", content, MULTIPART).json() == {"fields": [], "files": []}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"--XX--", 200),
        (b"preamble", 400),
        (part('name="a"', b"1"), 400),
        (part('name="a"', b"1") + b"--XX", 400),
        (part("", b"1") + b"--XX--", 400),
        (part('name="a"', b"\xff") + b"--XX--", 400),
        (part('name="a"', b"1", "Bad Name: x") + b"--XX--", 400),
        (part('name="a"', b"1", "X: \x01") + b"--XX--", 400),
        (b"--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--XX--", 400),
        (b"--XX\r\n\r\n1\r\n--XX--", 400),
        (part('name="a"', b"1", "Content-Type: text/plain; charset=utf-16") + b"--XX--", 415),
        (part('name="a"', b"x" * 10) + b"--XX--", 200),
        (part('name="a"', b"x" * 11) + b"--XX--", 413),
        (part('name="a"', b"1") * 2 + b"--XX--", 200),
        (part('name="a"', b"1") * 3 + b"--XX--", 413),
        (part('name="a"', b"1", "X: 1", "Y: " + "y" * 60) + b"--XX--", 413),
    ],
)
def test_bad_multipart(
    client: httpx.Client, content: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(client, "/small", content, MULTIPART)
    assert not [record for record in caplog.records if record.levelname != "INFO"]
    assert response.status_code == status, response.text
    assert status == 200 or response.text.endswith(".\n")


@pytest.mark.parametrize(
    "parameters", ["", "; boundary=", '; boundary="\u00e9"', f"; boundary={'x' * 71}"]
)
def test_a_boundary_is_needed(client: httpx.Client, parameters: str) -> None:
    kind = "multipart/form-data" + parameters
    headers = [(b"Content-Type", kind.encode("latin-1"))]
    assert client.post("/", content=b"--XX--", headers=headers).status_code == 400


def parse(content: bytes, limits: FormLimits = LIMITS) -> Form:
    return parse_multipart(io.BytesIO(content), "XX", limits)


def test_files_are_files() -> None:
    first, second = b"a,b\r\nc,d\r\n", b"0123456789"
    content = part("name=f; filename=a", first) + part("name=f; filename=b", second) + b"--XX--"
    for memory in (1000, 0):
        form = parse(content, FormLimits(2, 100, 100, memory))
        one, two = form.files.get_all("f")
        assert two.file.read(3) == b"012"
        assert list(csv.reader(io.TextIOWrapper(one.file))) == [["a", "b"], ["c", "d"]]
        assert two.file.read() == b"3456789"
        assert two.file.seek(-2, os.SEEK_END) == 8
        assert two.file.read() == b"89"
        assert two.file.seek(20) == 20
        assert two.file.read() == b""
        with pytest.raises(ValueError, match="before the start"):
            two.file.raw.seek(-1)  # type: ignore[attr-defined]
        form.close()


DATA = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--XX", b"\r\n--X", b"a", b"\0"])).map(
    b"".join
)


@given(st.lists(st.tuples(st.booleans(), DATA.filter(lambda data: b"\r\n--XX" not in data))))
@settings(max_examples=50)
def test_what_is_sent_arrives(parts: list[tuple[bool, bytes]]) -> None:
    content = b"".join(
        part("name=f; filename=a" if is_file else "name=a", data)
        for is_file, data in parts
        if not data.startswith(b"--XX")
    )
    form = parse(content + b"--XX--", FormLimits(10_000, 1000, 10_000, 20))
    kept = [(is_file, data) for is_file, data in parts if not data.startswith(b"--XX")]
    assert [upload.file.read() for upload in form.files.get_all("f")] == [
        data for is_file, data in kept if is_file
    ]
    assert form.get_all("a") == [data.decode() for is_file, data in kept if not is_file]
    form.close()


@given(st.binary() | DATA.map(lambda data: part("name=a", data)))
@settings(max_examples=50)
def test_nothing_but_http_errors(content: bytes) -> None:
    with contextlib.suppress(HTTPError):
        parse(content).close()


# The life of the files.


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")
def test_no_descriptor_is_left(server: FastServer, client: httpx.Client) -> None:
    large = b"x" * 300_000
    content = part("name=f; filename=a", large) + b"--XX--"
    assert post(client, "/sizes", content, MULTIPART).json() == [300_000]
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert post(client, "/sizes", content, MULTIPART).json() == [300_000]
        assert post(client, "/later", content, MULTIPART).content == large
        assert post(client, "/", content[:-10], MULTIPART).status_code == 400
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
    with RawClient(server.address) as gone:
        gone.send(
            b"POST /later HTTP/1.1\r\nHost: a\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (MULTIPART.encode(), len(content), content)
        )
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_without_the_extra(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """The embedder is told what to install; the client learns nothing but that it failed."""
    monkeypatch.setitem(sys.modules, "python_multipart.multipart", None)
    with FastServer(handle, port=0) as server:
        response = httpx.post(server.url, files={"f": b"x"})
        assert httpx.post(server.url, data={"a": "1"}).status_code == 200
    assert response.status_code == 500
    assert "multipart" not in response.text
    assert "pip install fastraw[multipart]" in caplog.text


def test_the_parser_is_loaded_when_it_is_needed() -> None:
    code = "import fastraw, sys; print('python_multipart' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
