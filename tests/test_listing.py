"""The page for a directory: what it shows, and how Chromium shows it."""

from __future__ import annotations

import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from fastraw import FastServer, Router, StaticFiles
from fastraw.apps.files import listing
from fastraw.apps.files.listing import Entry, Order, file_size, render
from tests.browser import chromium
from tests.test_static import ask

# Names that mean something in HTML, in a URL, in a path, or to a reader's eye.
NASTY = [
    "<script>alert(1)<%2Fscript>.html",
    "<img src=x onerror=alert(1)>.html",
    "&amp;.txt",
    "\"quoted\" 'single'.txt",
    "100%.txt",
    "%41.txt",
    "a?b#c.txt",
    "javascript:alert(1)",
    "https:example.org",
    "semi;colon+plus&more=less.txt",
    "name  with   spaces",
    "größe 日本語 😀.txt",
    "evil\u202etxt.exe",
    "line\nbreak",
    "~tilde^[brackets]{}|`.txt",
    "x" * 200,
]
TEXTS = {name: f"content of {name}".encode() for name in NASTY}

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such names")
pytestmark = posix


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    (root / "nasty").mkdir()
    for name, content in TEXTS.items():
        (root / "nasty" / name).write_bytes(content)
    (root / "plain" / "inner").mkdir(parents=True)
    (root / "plain" / "another").mkdir()
    for number, (name, size) in enumerate((("b.txt", 3000), ("A.txt", 20), ("c.txt", 5_000_000))):
        path = root / "plain" / name
        with path.open("wb") as file:
            file.truncate(size)
        os.utime(path, (1_000_000_000 + number * 86400,) * 2)
    (root / "plain" / ".hidden").write_bytes(b"")
    (root / "plain" / "link.txt").symlink_to("b.txt")
    os.mkfifo(root / "plain" / "fifo")
    if sys.platform == "linux":
        (root / "plain" / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    (root / "empty").mkdir()
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[FastServer]:
    router = Router()
    router.mount("/files", StaticFiles(root, listing=True))
    with FastServer(router, port=0) as server:
        yield server


@pytest.fixture(scope="module")
def page() -> Iterator[Chrome]:
    with chromium() as page:
        yield page


def names(page: Chrome) -> list[str]:
    return [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "td.name")]


# ---- what it shows ----


def test_policy_forbids_everything_but_this_style(server: FastServer) -> None:
    response = ask(server, "/files/plain/")
    body = response.body.decode()
    (style,) = re.findall("<style>(.*?)</style>", body, re.DOTALL)
    policy = response.get("content-security-policy") or ""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert "<script" not in body
    assert " style=" not in body
    assert response.get("cache-control") == "no-cache"
    assert response.get("content-type") == "text/html; charset=utf-8"


def test_head_and_etag(server: FastServer) -> None:
    whole, head = ask(server, "/files/plain/"), ask(server, "/files/plain/", method="HEAD")
    assert head.get("content-length") == str(len(whole.body))
    assert head.get("etag") == whole.get("etag")
    response = ask(server, "/files/plain/", f"If-None-Match: {whole.get('etag')}")
    assert (response.status, response.get("content-security-policy")) == (304, listing.POLICY)


def test_what_cannot_be_asked_for_is_not_shown(server: FastServer) -> None:
    body = ask(server, "/files/plain/").body.decode()
    shown = re.findall(r'href="([^"?.]*\.?[^"?]*)"><span>', body)
    assert shown == ["../", "another/", "inner/", "A.txt", "b.txt", "c.txt"]


def test_links_when_followed_and_dot_files_when_served(root: Path) -> None:
    handler = StaticFiles(root / "plain", listing=True, follow_links=True, dot_files=True)
    with FastServer(handler, port=0) as server:
        body = ask(server, "/").body
    assert b'href=".hidden"' in body
    assert b'href="link.txt"' in body
    assert b"fifo" not in body


def test_empty_directory(server: FastServer) -> None:
    assert "This directory is empty." in ask(server, "/files/empty/").body.decode()


def test_number_of_entries_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_ENTRIES", 2)
    with FastServer(StaticFiles(root / "nasty", listing=True), port=0) as server:
        body = ask(server, "/").body.decode()
    assert body.count("<tr>") == 3  # and the head
    assert "Only 2 entries are shown; there are more." in body


def test_control_characters_are_shown_as_such() -> None:
    names = ["a\x00b", "a\x1bb", "a\x85b", "a\u2066b"]
    page = render([Entry(name, False, 0, 0) for name in names], True, ["d\nd"], Order(), "")
    assert page.count("a\ufffdb") == len(names)
    assert "Index of /d\ufffdd/" in page


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024 - 1, "10 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (1500 * 1024, "1.5 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (2**80, "1048576 EiB"),
    ],
)
def test_size(size: int, text: str) -> None:
    assert file_size(size) == text


def test_order_of_a_query_that_is_none(server: FastServer) -> None:
    plain = ask(server, "/files/plain/").body
    for query in ("?sort=nonsense", "?sort=", "?order=up", "?x=y", "?sort=name&order=asc"):
        assert ask(server, f"/files/plain/{query}").body == plain


# ---- in the browser ----


def test_names_are_text_and_links_lead_to_the_files(server: FastServer, page: Chrome) -> None:
    page.get(f"{server.url}/files/nasty/")
    links = page.find_elements(By.CSS_SELECTOR, "td.name a.file")
    addresses = [link.get_attribute("href") or "" for link in links]
    shown = {re.sub("[\n\u202e]", "\ufffd", name) for name in NASTY}
    assert {link.get_attribute("textContent") for link in links} == shown
    contents = set()
    for address in addresses:
        assert address.startswith(f"{server.url}/files/nasty/")
        response = ask(server, address.removeprefix(server.url))
        assert response.status == 200
        contents.add(response.body)
    assert contents == set(TEXTS.values())
    assert page.title == "Index of /files/nasty/"
    assert page.find_elements(By.TAG_NAME, "script") == []
    assert page.find_elements(By.TAG_NAME, "img") == []


def test_clicks_sort(server: FastServer, page: Chrome) -> None:
    page.get(f"{server.url}/files/plain/")
    folders = ["another/", "inner/"]

    def click(label: str) -> tuple[list[str], str | None]:
        page.find_element(By.LINK_TEXT, label).click()
        heading = page.find_element(By.CSS_SELECTOR, "th[aria-sort]")
        assert heading.text.startswith(label)
        return names(page)[1:], heading.get_attribute("aria-sort")

    by_name, by_size = ["A.txt", "b.txt", "c.txt"], ["A.txt", "b.txt", "c.txt"]
    by_date = ["b.txt", "A.txt", "c.txt"]
    assert names(page) == ["Up", *folders, *by_name]
    assert click("Size") == ([*folders, *by_size], "ascending")
    assert click("Size") == ([*folders, *by_size[::-1]], "descending")
    assert click("Modified")[0][2:] == by_date
    assert click("Modified")[0][2:] == by_date[::-1]
    assert click("Name") == ([*folders, *by_name], "ascending")
    assert click("Name") == ([*folders[::-1], *by_name[::-1]], "descending")
    page.find_element(By.LINK_TEXT, "inner/").click()
    assert page.current_url.endswith("/files/plain/inner/?sort=name&order=desc")


def test_way_back_up(server: FastServer, page: Chrome) -> None:
    page.get(f"{server.url}/files/plain/inner/")
    page.find_element(By.LINK_TEXT, "plain/").click()
    assert page.current_url == f"{server.url}/files/plain/"
    page.find_element(By.LINK_TEXT, "Up").click()
    assert page.current_url == f"{server.url}/files/"
    assert "Up" not in names(page)  # what is above is not ours
    assert page.find_element(By.TAG_NAME, "h1").text == "/files/"


def show_as(page: Chrome, width: int, height: int, scheme: str) -> None:
    """A screen of that size, light or dark; a narrow one is a phone's."""
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_look(server: FastServer, page: Chrome, width: int, height: int, scheme: str) -> None:
    """Nothing sticks out, lines are tall enough for a thumb, and text stands out from its ground
    (WCAG 2.2, 1.4.3 and 2.5.8)."""
    show_as(page, width, height, scheme)
    page.get(f"{server.url}/files/nasty/")
    found = page.execute_script(LOOK)
    assert found["width"] <= width
    assert found["outside"] == 0
    assert found["lowest"] >= 24
    assert found["contrast"] >= 4.5
    assert (found["ground"] < 0.2) == (scheme == "dark")
    assert page.get_log("browser") == []  # type: ignore[no-untyped-call]


# Relative luminance and contrast ratio as WCAG 2.2 defines them.
LOOK = """
const luminance = color => {
  const [r, g, b] = color.match(/[0-9.]+/g).map(Number).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const ground = luminance(getComputedStyle(document.querySelector('main')).backgroundColor)
const texts = [...document.querySelectorAll('h1, th a, td.name a, td.size, td.date, p small')]
const contrast = texts.map(text => luminance(getComputedStyle(text).color)).map(ink =>
  (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05))
const card = document.querySelector('main').getBoundingClientRect()
const outside = texts.filter(text => text.getBoundingClientRect().right > card.right
  || text.scrollWidth > text.clientWidth + 1 && text.clientWidth)
return {
  width: document.documentElement.scrollWidth, ground, outside: outside.length,
  contrast: Math.min(...contrast),
  lowest: Math.min(...[...document.querySelectorAll('th a, td.name a')]
    .map(link => link.getBoundingClientRect().height)),
}
"""
