"""A page in a real browser, with all that it asked for and complained of."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none, since Python's packages bring none (.ci/run installs it)."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Visit:
    """A page that was opened cold at an address."""

    def __init__(self, browser: Any, url: str, *, width: int = 1200, dark: bool = False) -> None:
        self.url = url
        self.page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.goto(url)
        self.settled()

    def settled(self) -> None:
        """Wait until the page is drawn."""
        self.until("document.getElementById('page')?.dataset.shown === location.hash", "the page was not drawn")

    def until(self, expression: str, otherwise: str, seconds: float = 30) -> None:
        """Wait until an expression is true in the page; after that time fail with the words `otherwise`."""
        # Asked from here: the page's own policy forbids the evaluation that waiting inside it takes.
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, otherwise
            self.page.wait_for_timeout(20)

    def press(self, key: str) -> None:
        """A key that leads to another address."""
        before = self.page.url
        self.page.keyboard.press(key)
        self.page.wait_for_url(lambda url: url != before)
        self.settled()

    def at(self, address: str) -> Any:
        """Go to another address of the same page."""
        self.page.goto(self.url.split("#")[0] + address)
        self.settled()
        return self.page

    def text(self, selector: str = "#page") -> str:
        """What is to be read there."""
        return str(self.page.inner_text(selector))

    def wider_than_the_window(self) -> bool:
        """Whether one has to scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def serious_violations(self) -> list[str]:
        """What axe-core finds that is serious or critical, by rule, with the first place."""
        self.page.evaluate(AXE.read_text())
        tags = '["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]'
        found = self.page.evaluate(f"axe.run({{runOnly: {tags}}})")["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]
