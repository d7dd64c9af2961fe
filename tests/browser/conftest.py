"""A chromium that sees nothing but files, and complains about everything.

Each page is guarded: a request for anything but a file is stopped and remembered, as is
what goes to the console and every error. The guard is read when the page is closed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from moosnn.tracking.page.write import write_page

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox: CI runs as root. The rest keeps the browser itself from asking anybody.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
WAIT_MS = 60_000  # a busy machine of two cores is slow


@dataclass
class Guard:
    """What a page must not do."""

    left: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def watch(self, page):
        page.route("**/*", self._decide)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("requestfailed", lambda request: self.left.append(request.url))
        page.on("websocket", lambda socket: self.left.append(socket.url))

    def _decide(self, route):
        if route.request.url.startswith("file://"):
            route.continue_()
        else:
            self.left.append(route.request.url)
            route.abort()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.fail(f"No browser: install one of {', '.join(NAMES)}.", pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found, args=list(ARGUMENTS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path: Path):
    """A function that writes a page of some data, opens it and waits for its views."""
    contexts = []
    guard = Guard()

    def open_page(data, *, viewport=None, **options):
        path = tmp_path / f"report-{len(contexts)}.html"
        write_page(path, data)
        context = browser.new_context(viewport=viewport or DESKTOP, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        guard.watch(page)
        page.goto(path.as_uri())
        settle(page)
        return page

    open_page.guard = guard
    yield open_page
    for context in contexts:
        context.close()
    assert guard.left == []
    assert guard.said == []


def settle(page):
    """Wait until every view shows the present state."""
    page.wait_for_selector("html[data-whole=true]")
