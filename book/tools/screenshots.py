"""Take a picture of every page, light and dark, on a desktop and on a phone.

    python book/tools/screenshots.py [PAGE...]

A PAGE is a part of a page's name; without one, all are taken. The pictures go to `_build/screenshots`.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from browser import DESKTOP, HTML, PHONE, chromium, launched, open_page, pages, served
from chapters import BOOK
from playwright.sync_api import Browser

TARGET = BOOK.parent / "_build" / "screenshots"


def shoot(browser: Browser, home: str, chosen: list[str], size: tuple[int, int], scheme: str) -> None:
    """Take the chosen pages at one window size in one colour scheme."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for name in chosen:
        open_page(page, home + name)
        stem = Path(name).with_suffix("").as_posix().replace("/", "-")
        page.screenshot(path=TARGET / f"{stem}-{size[0]}-{scheme}.png", full_page=True)
    context.close()


def main() -> None:
    """Run the command line."""
    if chromium() is None or not HTML.exists():
        raise SystemExit("screenshots need a Chromium and the built book (`make book`)")
    chosen = [page for page in pages() if not sys.argv[1:] or any(part in page for part in sys.argv[1:])]
    TARGET.mkdir(parents=True, exist_ok=True)
    with served() as home, launched() as browser:
        for size, scheme in product((DESKTOP, PHONE), ("light", "dark")):
            shoot(browser, home, chosen, size, scheme)
    print(f"screenshots: {4 * len(chosen)} pictures in {TARGET.relative_to(BOOK.parent)}")


if __name__ == "__main__":
    main()
