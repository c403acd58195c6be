"""TLS with clients that others wrote, and with a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fastraw import FastServer, Request, Response
from tests.apps import wire_app
from tests.authority import Authority
from tests.browser import chromium
from tests.clients import STEPS
from tests.program import ROOT

PAGE = """<!doctype html><title>TLS</title><script>
async function run() {
    const big = await (await fetch("/big")).arrayBuffer();
    const echoed = await fetch("/echo", {method: "POST", body: big});
    const all = await Promise.all([...Array(30)].map(() => fetch("/")));
    const [entry] = performance.getEntriesByType("navigation");
    return [(await echoed.arrayBuffer()).byteLength, all.every(one => one.ok),
            location.protocol, entry.nextHopProtocol];
}
</script>"""
BIG = bytes(3_000_000)


class App:
    """The wire app, a page, and the addresses that it was called from."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int] | str] = []

    def __call__(self, request: Request) -> wire_app.Answer:
        self.addresses.append(request.client)
        if request.path == "/page":
            return Response.html(PAGE)
        if request.path == "/big":
            return BIG
        return wire_app.handler(request)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def running(app: App, authority: Authority) -> Iterator[FastServer]:
    with FastServer(app, port=0, tls=authority.tls()) as running:
        yield running


@pytest.mark.parametrize("client", ["curl", "urllib3_client", "httpx_client", "requests_client"])
def test_a_client_keeps_its_connection(
    running: FastServer, app: App, authority: Authority, client: str
) -> None:
    if client == "curl" and shutil.which(client) is None:
        pytest.skip("no curl; on Debian: apt-get install curl")
    trust = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    done = subprocess.run(
        [sys.executable, "-m", f"tests.clients.{client}", running.url],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(trust, str(authority.file))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = [[result.status, result.length, result.checksum] for result in STEPS.values()]
    assert json.loads(done.stdout) == expected
    assert len(set(app.addresses)) == 1


def test_a_browser(running: FastServer) -> None:
    with chromium() as browser:
        browser.get(f"{running.url}/page")
        assert browser.title == "TLS"
        found = browser.execute_async_script("run().then(arguments[0], arguments[0])")
    assert found == [len(BIG), True, "https:", "http/1.1"]
