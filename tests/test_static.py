"""StaticFiles over a real socket: files, directories, codings, methods, and what is sent."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from fastraw import FastServer, HTTPError, Request, Response, Router, StaticFiles
from fastraw.apps import static
from fastraw.apps.files import tree
from fastraw.apps.files.media import MediaTypes, may_be_compressed
from fastraw.apps.files.openfile import OpenFile
from fastraw.apps.files.representation import SMALL_BYTES
from fastraw.testing import RawClient, RawResponse
from tests.waiting import eventually

BIG = bytes(range(256)) * 2048  # 512 KiB: more than is sent at once
NEIGHBOURS = {"": b"plain", ".br": b"brotli", ".zst": b"zstd", ".gz": gzip.compress(b"plain")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    for name, content in {
        "index.html": b"<p>top",
        "small.txt": b"0123456789",
        "empty.txt": b"",
        "big.bin": BIG,
        "edge.bin": BIG[:SMALL_BYTES],
        "over.bin": BIG[: SMALL_BYTES + 1],
        "folder/index.html": b"<p>folder",
        "bare/a file & more.txt": b"odd",
        "bare/photo.JPG": b"jpeg",
        "odd/index.html/deep.txt": b"deep",
        "photo.png": b"png",
        "photo.png.gz": b"never",
        "only.js": b"js",
        "only.js.gz": b"gzip",
        **{f"all.css{end}": content for end, content in NEIGHBOURS.items()},
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture(scope="module", params=["descriptors", "paths"])
def server(root: Path, request: pytest.FixtureRequest) -> Iterator[FastServer]:
    """With both ways to open a file: the second is that of systems without the first."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "paths":
            patch.setattr(tree, "BY_DESCRIPTOR", False)
        elif not tree.BY_DESCRIPTOR:
            pytest.skip("this system opens nothing relative to a directory")
        handler = StaticFiles(root, cache_control="max-age=60", media_types={".odd": "x/y"})
    with FastServer(handler, port=0) as server:
        yield server


def ask(
    server: FastServer, path: str, *fields: str, method: str = "GET", version: str = "1.1"
) -> RawResponse:
    with RawClient(server.address) as client:
        head = "".join(f"{field}\r\n" for field in ("Host: a", "Connection: close", *fields))
        client.send(f"{method} {path} HTTP/{version}\r\n{head}\r\n".encode("latin-1"))
        client.finish()
        response = client.response(method)
        client.expect_end()
    return response


# ---- files ----


@pytest.mark.parametrize(
    "name", ["small.txt", "empty.txt", "big.bin", "edge.bin", "over.bin", "folder/index.html"]
)
def test_file(server: FastServer, root: Path, name: str) -> None:
    content = (root / name).read_bytes()
    response = ask(server, f"/{name}")
    assert (response.status, response.body) == (200, content)
    assert response.get("content-length") == str(len(content))
    assert response.get("cache-control") == "max-age=60"
    assert response.get("accept-ranges") == "bytes"
    assert re.fullmatch('"[^"]+"', response.get("etag") or "")  # strong
    head = ask(server, f"/{name}", method="HEAD")
    without_date = sorted(field for field in response.fields if field[0] != "Date")
    assert sorted(field for field in head.fields if field[0] != "Date") == without_date


def test_http_1_0(server: FastServer) -> None:
    assert ask(server, "/big.bin", version="1.0").body == BIG


def test_query_means_nothing_to_a_file(server: FastServer) -> None:
    assert ask(server, "/small.txt?../../etc/passwd").body == b"0123456789"


def test_name_is_percent_decoded_once(server: FastServer) -> None:
    assert ask(server, "/bare/a%20file%20%26%20more.txt").body == b"odd"
    assert ask(server, "/sm%61ll%2Etxt").body == b"0123456789"
    assert ask(server, "/sm%2561ll.txt").status == 404


def test_last_modified(server: FastServer, root: Path) -> None:
    os.utime(root / "small.txt", (784111777, 784111777.9))
    assert ask(server, "/small.txt").get("last-modified") == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_last_modified_is_never_later_than_date(server: FastServer, root: Path) -> None:
    """RFC 9110 section 8.8.2.1, also while the second changes, as it does once at least."""
    path = root / "future.txt"
    path.write_bytes(b"x")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    end = monotonic() + 1.2
    while monotonic() < end:
        response = ask(server, "/future.txt")
        modified, date = response.get("last-modified"), response.get("date")
        assert modified is not None and date is not None
        assert parsedate_to_datetime(modified) <= parsedate_to_datetime(date)


def test_etag_changes_with_the_content_whatever_the_time_says(
    server: FastServer, root: Path
) -> None:
    path = root / "changing.txt"
    tags = set()
    for number, content in enumerate((b"one", b"two", b"six")):
        replacement = root / f"new{number}"
        replacement.write_bytes(content)
        os.utime(replacement, (1_000_000_000, 1_000_000_000))
        os.replace(replacement, path)
        response = ask(server, "/changing.txt")
        assert response.body == content
        tags.add(response.get("etag"))
    assert len(tags) == 3


def test_file_that_changes_is_never_answered_from_memory(server: FastServer, root: Path) -> None:
    path = root / "log.txt"
    with RawClient(server.address) as client:
        for content in (b"a", b"bb", b"", b"cccc"):
            path.write_bytes(content)
            client.send(b"GET /log.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.response().body == content
        path.unlink()
        client.send(b"GET /log.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 404


def test_file_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system would say it to a process that is not root's."""
    real = os.open

    def denied(name: str, *arguments: Any, **options: Any) -> int:
        if str(name).endswith("small.txt"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *arguments, **options)

    monkeypatch.setattr(os, "open", denied)
    with FastServer(StaticFiles(root), port=0) as server:
        response = ask(server, "/small.txt")
    assert (response.status, response.body) == (403, b"403 Forbidden\n")


def test_descriptors_used_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: Any, **options: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with FastServer(StaticFiles(root), port=0) as server:
        monkeypatch.setattr(os, "open", exhausted)
        response = ask(server, "/small.txt")
    assert (response.status, response.get("retry-after")) == (503, "1")


def test_index_that_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, so the directory is not shown in its place; and it is no fault of the client."""
    real, number = os.open, errno.EACCES

    def failing(name: str, *arguments: Any, **options: Any) -> int:
        if str(name).endswith("index.html"):
            raise OSError(number, os.strerror(number))
        return real(name, *arguments, **options)

    monkeypatch.setattr(os, "open", failing)
    with FastServer(StaticFiles(root, listing=True), port=0) as server:
        assert ask(server, "/folder/").status == 403
        number = errno.EIO
        assert ask(server, "/folder/").status == 500


@pytest.mark.parametrize("fields", [(), ("Range: bytes=2-9",)])
def test_file_that_becomes_shorter_before_it_is_read(
    tmp_path: Path, fields: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"0123456789")
    read = OpenFile._read

    def late(file: OpenFile, count: int) -> bytes:
        os.truncate(path, 5)
        return read(file, count)

    monkeypatch.setattr(OpenFile, "_read", late)
    with FastServer(StaticFiles(tmp_path), port=0) as server:
        ask(server, "/none")
        assert eventually(lambda: server.stats().connections == 0)
        before = len(os.listdir("/proc/self/fd"))
        response = ask(server, "/log.txt", *fields)
        assert (response.status, response.get("retry-after")) == (503, "1")
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_paths_that_are_kept_are_few(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "_PLACES_LIMIT", 2)
    handler = StaticFiles(root)
    with FastServer(handler, port=0) as server:
        for _ in range(2):
            for name in ("small.txt", "photo.png", "only.js", "empty.txt", "big.bin"):
                assert ask(server, f"/{name}").body == (root / name).read_bytes()
                assert len(handler._places) <= 2
        long = "/" + "folder/../" * 30 + "small.txt"
        kept = set(handler._places)
        ask(server, long)
        assert set(handler._places) == kept


# ---- media types ----


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.mp4", "video/mp4"),
        ("a.tar.gz", "application/gzip"),
        ("a.txt.br", "application/x-brotli"),
        ("a", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("a.odd", "x/y"),
    ],
)
def test_media_type(name: str, content_type: str) -> None:
    assert MediaTypes({".odd": "x/y"}).of(name) == content_type


def test_media_type_is_sent(server: FastServer) -> None:
    assert ask(server, "/bare/photo.JPG").get("content-type") == "image/jpeg"
    # Compressed by whoever put it there: the file is what it is, not a coding of something else.
    response = ask(server, "/only.js.gz")
    assert response.get("content-type") == "application/gzip"
    assert response.get("content-encoding") is None


def test_what_may_be_compressed() -> None:
    for kind in ("text/html; charset=utf-8", "application/json", "image/svg+xml", "font/ttf"):
        assert may_be_compressed(kind)
    for kind in ("image/png", "video/mp4", "application/zip", "font/woff2"):
        assert not may_be_compressed(kind)


# ---- codings ----


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, ""),
        ("", ""),
        ("identity", ""),
        ("gzip", ".gz"),
        ("x-gzip", ".gz"),
        ("GZIP", ".gz"),
        ("gzip, deflate, br, zstd", ".br"),
        ("gzip, zstd", ".zst"),
        ("gzip;q=1.0, br;q=0.5", ".gz"),
        ("br;q=0, *", ".zst"),
        ("*", ".br"),
        ("*;q=0", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0.5, identity", ""),
        ("gzip;q=0.5, identity;q=0.2", ".gz"),
        ("deflate", ""),
        ("gzip;q=nonsense", ""),
    ],
)
def test_neighbour_by_accept_encoding(server: FastServer, accept: str | None, coding: str) -> None:
    fields = () if accept is None else (f"Accept-Encoding: {accept}",)
    response = ask(server, "/all.css", *fields)
    assert (response.status, response.body) == (200, NEIGHBOURS[coding])
    name = {"": None, ".br": "br", ".zst": "zstd", ".gz": "gzip"}[coding]
    assert response.get("content-encoding") == name
    assert response.get("content-type") == "text/css; charset=utf-8"
    assert response.get("vary") == "Accept-Encoding"


def test_each_coding_has_its_own_etag_and_length(server: FastServer) -> None:
    answers = [
        ask(server, "/all.css", f"Accept-Encoding: {coding}", method=method)
        for coding in ("identity", "br", "zstd", "gzip")
        for method in ("GET", "HEAD")
    ]
    assert len({answer.get("etag") for answer in answers}) == 4
    lengths = [int(answer.get("content-length") or 0) for answer in answers[::2]]
    assert lengths == [len(content) for content in NEIGHBOURS.values()]


def test_what_has_no_neighbour_is_sent_as_it_is(server: FastServer) -> None:
    response = ask(server, "/only.js", "Accept-Encoding: br, zstd")
    assert (response.body, response.get("content-encoding")) == (b"js", None)
    assert response.get("vary") == "Accept-Encoding"
    response = ask(server, "/photo.png", "Accept-Encoding: gzip")
    assert (response.body, response.get("vary")) == (b"png", None)


def test_neighbours_can_be_left_alone(root: Path) -> None:
    with FastServer(StaticFiles(root, precompressed=False), port=0) as server:
        response = ask(server, "/all.css", "Accept-Encoding: br")
    assert (response.body, response.get("vary")) == (b"plain", None)


# ---- directories ----


def test_index(server: FastServer) -> None:
    assert ask(server, "/").body == b"<p>top"
    response = ask(server, "/folder/")
    assert response.body == b"<p>folder"
    assert response.get("content-type") == "text/html; charset=utf-8"


def test_directory_without_index_or_listing(server: FastServer) -> None:
    assert ask(server, "/bare/").status == 404
    assert ask(server, "/odd/").status == 404  # its index.html is a directory


def test_index_of_another_name_or_none(root: Path) -> None:
    with FastServer(StaticFiles(root, index="small.txt"), port=0) as server:
        assert ask(server, "/").body == b"0123456789"
    with FastServer(StaticFiles(root, index=None), port=0) as server:
        assert ask(server, "/").status == 404


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/folder", "/folder/"),
        ("/folder?a=b&c", "/folder/?a=b&c"),
        ("/odd/index.html", "/odd/index.html/"),
        ("/f%6Flder", "/f%6Flder/"),
        ("http://elsewhere/folder", "/folder/"),
    ],
)
def test_directory_without_slash(server: FastServer, path: str, location: str) -> None:
    response = ask(server, path)
    assert (response.status, response.get("location")) == (301, location)


@pytest.mark.parametrize("path", ["//folder", "//evil.example/..", "/%2Ffolder", "/folder//"])
def test_no_redirect_to_another_host(server: FastServer, path: str) -> None:
    response = ask(server, path)
    assert (response.status, response.get("location")) == (404, None)


def test_below_a_mount(root: Path) -> None:
    router = Router()
    router.mount("/assets", StaticFiles(root))
    with FastServer(router, port=0) as server:
        assert ask(server, "/assets/small.txt").body == b"0123456789"
        assert ask(server, "/assets/").body == b"<p>top"
        assert ask(server, "/assets").get("location") == "/assets/"
        assert ask(server, "/assets?x").get("location") == "/assets/?x"
        assert ask(server, "/assets/folder").get("location") == "/assets/folder/"


def test_file_is_no_directory(server: FastServer) -> None:
    assert ask(server, "/small.txt/").status == 404
    assert ask(server, "/small.txt/more").status == 404


# ---- methods ----


def test_other_methods(server: FastServer) -> None:
    for method in ("POST", "PUT", "DELETE", "TRACE", "get"):
        response = ask(server, "/small.txt", method=method)
        assert (response.status, response.get("allow")) == (405, "GET, HEAD, OPTIONS")
    for path in ("/small.txt", "*"):
        response = ask(server, path, method="OPTIONS")
        assert (response.status, response.get("allow")) == (204, "GET, HEAD, OPTIONS")


def test_upload_is_refused_before_it_has_arrived(server: FastServer) -> None:
    with RawClient(server.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert client.response().status == 405


# ---- settings ----


def test_root_must_be_a_directory(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StaticFiles(root / "nothing")
    with pytest.raises(NotADirectoryError):
        StaticFiles(root / "small.txt")
    with pytest.raises(ValueError, match=r"^root must be a directory, not ''$"):
        StaticFiles("")  # a setting that is missing is not the working directory


@pytest.mark.parametrize("index", ["", "..", "a/b", ".hidden", "a\0"])
def test_index_must_be_a_name(root: Path, index: str) -> None:
    with pytest.raises(ValueError, match="index"):
        StaticFiles(root, index=index)


def test_cache_control_must_be_a_field_value(root: Path) -> None:
    with pytest.raises(ValueError, match="Cache-Control"):
        StaticFiles(root, cache_control="max-age=1\r\nX: y")


def test_root_is_relative_to_where_the_program_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    handler = StaticFiles("folder")
    monkeypatch.chdir(tmp_path)
    with FastServer(handler, port=0) as server:
        assert ask(server, "/").body == b"<p>folder"


def test_files_and_directories_are_two_routes(root: Path) -> None:
    """A client cannot make up routes, and slow listings do not slow the files."""
    files, seen = StaticFiles(root, listing=True), set()

    def watched(request: Request) -> Response:
        seen.add(files.route_key(request))
        return files(request)

    with FastServer(watched, port=0) as server:
        for path in ("/", "/bare/", "/small.txt", "/nothing", "/a/b/c"):
            ask(server, path)
    assert len(seen) == 2


# ---- while a file is sent ----


def half_read(server: FastServer, name: str) -> tuple[RawClient, int]:
    """A client that has taken the head of a file, and not much more."""
    client = RawClient(server.address)
    client.send(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client, len(client.sock.recv(1000))


def zeros(path: Path, size: int) -> str:
    """A file of that many octets; its name."""
    with path.open("wb") as file:
        file.truncate(size)
    return path.name


def test_file_that_shrinks_ends_the_connection(server: FastServer, root: Path) -> None:
    path, size = root / "shrinking.bin", 64 * 1024 * 1024
    client, received = half_read(server, zeros(path, size))
    with client:
        os.truncate(path, 1000)
        received += len(client.expect_cut())
        assert received < size
    assert ask(server, "/small.txt").status == 200


def test_file_that_vanishes_is_sent_to_its_end(server: FastServer, root: Path) -> None:
    """It is open; what takes its name meanwhile is another file."""
    if os.name != "posix":
        pytest.skip("the system keeps an open file where it is")
    path, size = root / "vanishing.bin", 16 * 1024 * 1024
    client, received = half_read(server, zeros(path, size))
    with client:
        path.unlink()
        path.write_bytes(b"something else")
        client.finish()
        while data := client.sock.recv(1 << 20):
            assert b"else" not in data
            received += len(data)
    assert received > size


def test_slow_client_holds_no_worker(root: Path) -> None:
    with FastServer(StaticFiles(root), port=0, workers=1) as server:
        name = zeros(root / "huge.bin", 64 * 1024 * 1024)
        clients = [half_read(server, name)[0] for _ in range(4)]
        try:
            assert ask(server, "/small.txt").status == 200
            assert eventually(lambda: server.stats().running == 0)
        finally:
            for client in clients:
                client.close()
        assert eventually(lambda: server.stats().connections == 0)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_no_descriptor_is_left_open(server: FastServer, root: Path) -> None:
    def files() -> list[str]:
        found = []
        for link in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/self/fd/{link}"))
        return [path for path in found if path.startswith(str(root))]

    for path in ("/", "/big.bin", "/bare/", "/nothing", "/folder", "/all.css"):
        for method in ("GET", "HEAD"):
            for field in (
                "A: b",
                "Range: bytes=9-1",
                "Range: bytes=1-,0-",
                "If-None-Match: *",
                "If-Match: no",
                "Range: bytes=99999999-",
                "Accept-Encoding: gzip",
            ):
                ask(server, path, field, method=method)  # fmt: skip
    with RawClient(server.address) as client:
        client.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
    assert eventually(lambda: not files())


# ---- as a part of something else ----


def test_answer_can_be_changed_by_what_wraps_it(root: Path) -> None:
    """A page of its own for what is not there, and one more field."""
    files = StaticFiles(root)

    def handler(request: Request) -> Response:
        try:
            response = files(request)
        except HTTPError:
            request.mount_path = request.raw_path[:-1]
            response = files(request)
            response.status = 404
            response.content_type = "text/x-missing"
        else:
            response.headers["X-Found"] = "yes"
        return response

    with FastServer(handler, port=0) as server:
        found, missing = ask(server, "/small.txt"), ask(server, "/nothing/")
    assert (found.status, found.get("x-found"), found.body) == (200, "yes", b"0123456789")
    assert found.get("content-type") == "text/plain; charset=utf-8"
    assert (missing.status, missing.body) == (404, b"<p>top")
    assert missing.get("content-type") == "text/x-missing"
    assert missing.get("etag")


def test_absolute_form_and_query_mean_what_the_path_means(root: Path) -> None:
    router = Router()
    router.mount("/asset", StaticFiles(root))
    with FastServer(router, port=0) as server:
        assert ask(server, "/asset/folder/").body == b"<p>folder"
        for target in ("/asset/small.txt", "/asset/small.txt?q", "http://a/asset/small.txt"):
            assert ask(server, target).body == b"0123456789"
        # Cut where the mount ends in the usual form, this would be a path that is known.
        assert ask(server, "http://folder/").status == 404
