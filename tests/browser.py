"""A real browser: headless Chromium from Debian's packages, driven by selenium.

@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as driver:
        yield driver
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

# It asks nobody on the network for anything, and needs no screen and no user of its own.
_ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
)
SCRIPT_SECONDS = 15.0


@contextmanager
def chromium(*arguments: str) -> Iterator[Chrome]:
    """Chromium with a profile of its own, accepting any certificate; skips without it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no chromium; on Debian: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = browser
        options.accept_insecure_certs = True
        for argument in (*_ARGUMENTS, *arguments, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        service = ChromeService(driver)
        chrome = Chrome(options=options, service=service)
        try:
            chrome.set_script_timeout(SCRIPT_SECONDS)
            chrome.set_page_load_timeout(SCRIPT_SECONDS)
            yield chrome
        finally:
            chrome.quit()
