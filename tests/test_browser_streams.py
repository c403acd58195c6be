"""Events and a WebSocket, as a browser sees them: the examples, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium
from tests.program import PATIENCE_SECONDS, PYTHON, ROOT, Program


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as driver:
        yield driver


def example(name: str) -> Program:
    return Program(*PYTHON, ROOT / "examples" / f"{name}.py", "0")


def test_page_counts_events(browser: Chrome) -> None:
    with example("events") as program:
        browser.get(f"{program.url}/")
        wait = WebDriverWait(browser, PATIENCE_SECONDS, poll_frequency=0.05)
        wait.until(lambda driver: int(driver.find_element(By.ID, "count").text) >= 5)
        last = int(browser.find_element(By.ID, "last").text)
        wait.until(lambda driver: int(driver.find_element(By.ID, "last").text) > last)
        assert program.stop() == 0


def test_page_talks_by_websocket(browser: Chrome) -> None:
    with example("websocket") as program:
        browser.get(f"{program.url}/")
        wait = WebDriverWait(browser, PATIENCE_SECONDS, poll_frequency=0.05)
        wait.until(lambda driver: driver.execute_script("return socket.readyState") == 1)
        for text in ("hello", "gr\u00fc\u00dfe", "x" * 70_000):
            browser.execute_script(
                "document.forms[0].text.value = arguments[0];"
                "document.forms[0].requestSubmit()", text,
            )  # fmt: skip
        wait.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "li")) == 3)
        heard = browser.execute_script(
            "return [...document.querySelectorAll('li')].map(item => item.textContent)"
        )
        assert heard == ["hello", "gr\u00fc\u00dfe", "x" * 70_000]
        # Leaving the page would not close it: Chromium keeps the page for a way back.
        browser.execute_script("socket.close()")
        wait.until(lambda driver: driver.execute_script("return socket.readyState") == 3)
        assert program.stop() == 0
