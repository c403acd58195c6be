"""There is no way out of the root, and nothing in it that a reader would wait for."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastraw import FastServer, HTTPError, StaticFiles
from fastraw.apps.files import tree
from fastraw.apps.files.tree import Tree
from tests.test_static import ask

SECRET = b"secret"

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such files")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a secret beside it, and every way to it that a link can make."""
    home = tmp_path_factory.mktemp("home")
    root = home / "root"
    (root / "inner" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (home / "rootless").mkdir()
    for path in (
        "secret.txt",
        "rootless/secret.txt",
        "root/.secret.txt",
        "root/.hidden/secret.txt",
    ):
        (home / path).write_bytes(SECRET)
    (root / "open.txt").write_bytes(b"open")
    (root / "inner" / "open.txt").write_bytes(b"open")
    if os.name == "posix":
        (root / "file-link.txt").symlink_to("../secret.txt")
        (root / "inside-link.txt").symlink_to("open.txt")
        (root / "folder-link").symlink_to("..")
        (root / "loop").symlink_to("loop")
        (root / "inner" / "index.html").symlink_to("../../secret.txt")
        (root / "open.txt.gz").symlink_to("../secret.txt")
        os.mkfifo(root / "fifo")
        os.mkfifo(root / "inner" / "open.txt.br")
        (root / os.fsdecode(b"latin\xff.txt")).write_bytes(b"open")
    return root


@pytest.fixture(params=["descriptors", "paths"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "paths":
        monkeypatch.setattr(tree, "BY_DESCRIPTOR", False)
    elif not tree.BY_DESCRIPTOR:
        pytest.skip("this system opens nothing relative to a directory")


@pytest.fixture
def server(root: Path, by: None) -> Iterator[FastServer]:
    with FastServer(StaticFiles(root, listing=True), port=0) as server:
        yield server


def read(found: Tree, path: str) -> bytes:
    """What the tree has at a path. Raises HTTPError, OSError."""
    names = found.names(path)
    folder = found.walk(names[:-1])
    try:
        descriptor = folder.open(names[-1])
    finally:
        folder.close()
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


ESCAPES = [
    "/../secret.txt", "/inner/../../secret.txt", "/..", "/../", "/.", "/./open.txt", "/inner/..",
    "/inner/../open.txt", "/%2e%2e/secret.txt", "/%2E./secret.txt", "/.%2e/secret.txt",
    "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/inner%2fopen.txt", "/inner%2Fopen.txt",
    "/..%5csecret.txt", "/..\\secret.txt", "/inner\\open.txt", "/inner%5Copen.txt",
    "/%252e%252e/secret.txt", "/..%252fsecret.txt", "/..;/secret.txt", "/..%00/secret.txt",
    "/open.txt%00", "/open.txt%00.html", "/%00", "//open.txt", "//", "/inner//open.txt",
    "/inner//", "//etc/passwd", "/%2fetc/passwd", "/%2Fetc%2Fpasswd", "/C:/secret.txt",
    "/c%3a%5csecret.txt", "/rootless/secret.txt", "/.secret.txt", "/%2esecret.txt",
    "/.hidden/secret.txt", "/.hidden/", "/.hidden", "/...", "/open.txt/.", "/open.txt/../open.txt",
    "/file:///etc/passwd", "/~root", "/inner/%2e%2e/%2e%2e/secret.txt",
    "/" + "../" * 50 + "etc/passwd", "/" + "x" * 300, "/" + "x/" * 2000, "http://a/../secret.txt", "http://a//open.txt",
    "/latin%EF%BF%BD.txt",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_path_that_leads_nowhere(root: Path, path: str) -> None:
    """Refused as a name or missing as a file; not found by either way of looking."""
    with pytest.MonkeyPatch.context() as patch:
        for by_descriptor in {tree.BY_DESCRIPTOR, False}:
            patch.setattr(tree, "BY_DESCRIPTOR", by_descriptor)
            found = Tree(root)
            with pytest.raises((HTTPError, OSError)) as caught:
                read(found, path.removeprefix("http://a"))
            if isinstance(caught.value, HTTPError):
                assert caught.value.status == 404


def test_paths_over_the_wire(server: FastServer) -> None:
    for path in ESCAPES:
        response = ask(server, path)
        assert response.status == 404, path
        assert SECRET not in response.body


@pytest.mark.parametrize(
    "path", ["/%", "/%2", "/%zz", "/open%.txt", "/%ff", "/%c0%ae%c0%ae/secret.txt", "/%ed%a0%80"]
)
def test_path_that_is_no_text(server: FastServer, path: str) -> None:
    assert ask(server, path).status == 400


def test_plain_paths_are_found(server: FastServer) -> None:
    assert ask(server, "/open.txt").body == b"open"
    assert ask(server, "/inner/open.txt").body == b"open"


@posix
@pytest.mark.parametrize(
    "path",
    ["/file-link.txt", "/inside-link.txt", "/folder-link/secret.txt", "/folder-link/",
     "/folder-link", "/folder-link/root/open.txt", "/loop", "/loop/x", "/inner/index.html"],
)  # fmt: skip
def test_links_are_not_followed(server: FastServer, path: str) -> None:
    response = ask(server, path)
    assert response.status == 404
    assert SECRET not in response.body


@posix
def test_index_and_neighbours_that_are_links(server: FastServer) -> None:
    page = ask(server, "/inner/")
    assert page.status == 200
    assert b"open.txt" in page.body  # the listing, as without an index
    assert SECRET not in page.body
    response = ask(server, "/open.txt", "Accept-Encoding: gzip")
    assert (response.body, response.get("content-encoding")) == (b"open", None)


@posix
def test_links_are_followed_when_wanted(root: Path, by: None) -> None:
    with FastServer(StaticFiles(root, follow_links=True), port=0) as server:
        assert ask(server, "/file-link.txt").body == SECRET
        assert ask(server, "/folder-link/secret.txt").body == SECRET
        assert ask(server, "/inner/").body == SECRET
        assert ask(server, "/loop").status == 404
        assert ask(server, "/../secret.txt").status == 404


@posix
def test_root_may_be_a_link(root: Path, tmp_path: Path, by: None) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    with FastServer(StaticFiles(link), port=0) as server:
        assert ask(server, "/open.txt").body == b"open"
        # A release is put in place by changing the link.
        link.unlink()
        link.symlink_to(root / "inner" / "deep")
        assert ask(server, "/open.txt").status == 404


def test_dot_files_when_wanted(root: Path, by: None) -> None:
    with FastServer(StaticFiles(root, dot_files=True), port=0) as server:
        assert ask(server, "/.secret.txt").body == SECRET
        assert ask(server, "/.hidden/secret.txt").body == SECRET
        for path in ("/..", "/../secret.txt", "/%2e%2e/secret.txt", "/."):
            assert ask(server, path).status == 404


@posix
def test_fifo_socket_and_device_keep_nobody_waiting(root: Path, server: FastServer) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        # A path of a socket is short; by the directory's descriptor it is.
        directory = os.open(root, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{directory}/socket" if os.path.isdir("/proc/self/fd")
                          else str(root / "socket"))  # fmt: skip
        finally:
            os.close(directory)
        assert ask(server, "/socket").status == 404
    (root / "socket").unlink()
    assert ask(server, "/fifo").status == 404
    assert ask(server, "/inner/open.txt", "Accept-Encoding: br").body == b"open"
    with FastServer(StaticFiles("/dev"), port=0) as devices:
        for name in ("null", "zero", "tty"):
            assert ask(devices, f"/{name}").status == 404


@pytest.mark.skipif(not tree.BY_DESCRIPTOR, reason="opens nothing relative to a directory")
def test_folder_swapped_for_a_link_gives_nothing_away(tmp_path: Path) -> None:
    """A directory turns into a link and back while its file is asked for all the time."""
    inside, outside = tmp_path / "root" / "folder", tmp_path / "outside"
    for folder, content in ((inside, b"inside"), (outside, SECRET)):
        folder.mkdir(parents=True)
        (folder / "name.txt").write_bytes(content)
    link, kept = tmp_path / "link", tmp_path / "kept"
    link.symlink_to(outside)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(inside, kept)
            os.rename(link, inside)
            os.rename(inside, link)
            os.rename(kept, inside)

    found = Tree(tmp_path / "root")
    contents: set[bytes] = set()
    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(2000):
            with contextlib.suppress(OSError):
                contents.add(read(found, "/folder/name.txt"))
    finally:
        done.set()
        swapper.join()
    assert contents <= {b"inside"}
    assert read(found, "/folder/name.txt") == b"inside"


@posix
def test_folder_that_is_moved_while_it_is_walked(tmp_path: Path) -> None:
    """What was entered stays what it is: its new surroundings do not count."""
    if not tree.BY_DESCRIPTOR:
        pytest.skip("this system opens nothing relative to a directory")
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "name.txt").write_bytes(SECRET)
    folder = Tree(tmp_path / "root").walk(["a"])
    try:
        os.rename(tmp_path / "root" / "a", tmp_path / "elsewhere" / "a")
        with pytest.raises(FileNotFoundError):
            folder.open("name.txt")
    finally:
        folder.close()


@posix
def test_name_replaced_between_looking_and_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without descriptors, the file that was opened must be the one that was looked at."""
    monkeypatch.setattr(tree, "BY_DESCRIPTOR", False)
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "root" / "name.txt").write_bytes(b"inside")
    real = os.open

    def late(path: str, flags: int) -> int:
        os.unlink(path)
        os.symlink(tmp_path / "secret.txt", path)
        return real(path, flags)

    folder = Tree(tmp_path / "root").walk([])
    monkeypatch.setattr(os, "open", late)
    with pytest.raises(FileNotFoundError):
        folder.open("name.txt")


@pytest.mark.parametrize(
    "name",
    [
        "a:b",
        "c:",
        "con",
        "NUL.txt",
        "com1",
        "LPT9.log",
        "a.",
        "a ",
        "a|b",
        "a*",
        "PROGRA~1",
        "x\x01",
    ],
)
def test_names_that_mean_something_else_on_windows(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_WINDOWS", True)
    found = Tree(tmp_path)
    assert not found.takes(name)
    assert found.takes("console.txt")
    assert found.names("/a/b.txt") == ["a", "b.txt"]
