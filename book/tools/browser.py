"""A real browser on the built book, served on this machine only.

Shared by the tests of the pages and by `screenshots`.
"""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chapters import BOOK
from playwright.sync_api import Browser, Page, Route, sync_playwright

HTML = BOOK.parent / "_build" / "html"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900), (390, 844)


def chromium() -> str | None:
    """Return where a Chromium is, if there is one."""
    return next((path for program in PROGRAMS if (path := shutil.which(program))), None)


def pages(html: Path = HTML) -> list[str]:
    """Return the pages that a reader can open, such as book/intro.html."""
    return [path.relative_to(html).as_posix() for path in sorted((html / "book").rglob("*.html"))]


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(html: Path = HTML) -> Iterator[str]:
    """Serve the built book and give its address."""
    handler = functools.partial(_Silent, directory=str(html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        yield browser
        browser.close()


def stay_home(page: Page, home: str) -> list[str]:
    """Let the page reach nothing but `home`; return the list that will hold what it tried to reach."""
    outside: list[str] = []

    def decide(route: Route) -> None:
        address = route.request.url
        if address.startswith((home, "data:", "blob:")):
            route.continue_()
        else:
            outside.append(address)
            route.abort()

    page.route("**/*", decide)
    return outside


def open_page(page: Page, address: str) -> None:
    """Go to a page and wait until its mathematics is typeset and nothing moves any more."""
    page.goto(address)
    page.evaluate("window.MathJax ? MathJax.startup.promise : null")
    page.evaluate("document.fonts.ready.then(() => null)")
    settle(page)


def settle(page: Page) -> None:
    """Wait until nothing moves."""
    page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => null)")
