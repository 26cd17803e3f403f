"""Print the built book as one PDF with bookmarks, by the Chromium that also tests the pages.

    python book/tools/pdf.py [PART...]

Takes the pages of `_build/html` in the order of the contents, puts them into one, `_build/print.html`,
and prints that to `_build/the-long-tail-book.pdf`. With PARTs, parts of pages' names, only those pages.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from posixpath import join, normpath
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml
from bookfix import pages_url
from browser import HTML, chromium, launched, served
from bs4 import BeautifulSoup, Tag
from chapters import BOOK

ROOT = BOOK.parent
PRINT, PDF = ROOT / "_build" / "print.html", ROOT / "_build" / "the-long-tail-book.pdf"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
PUBLIC = pages_url(CONFIG["repository"]["url"])
NOT_PRINTED = "script, noscript, button, .headerlink, nav, input"
HEAD = re.compile(r"h[1-5]")
FOOT = '<p style="font-size: 8px; width: 100%; text-align: center"><span class="pageNumber"></span></p>'


class Part(NamedTuple):
    """A part of the book and its pages, such as book/model/sampling."""

    caption: str
    pages: list[str]


def parts(chosen: list[str]) -> list[Part]:
    """Return what the table of contents says, without pages that were not built."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [Part("", [contents["root"]])]
    listed += [
        Part(part["caption"], [page["file"] for page in part["chapters"]]) for part in contents["parts"]
    ]
    wanted = [
        Part(caption, [page for page in pages if not chosen or any(name in page for name in chosen)])
        for caption, pages in listed
    ]
    return [part for part in wanted if part.pages]


def anchor(page: str, fragment: str = "") -> str:
    """Name a place in the one page that all pages are put into."""
    return page.replace("/", "-") + (f"--{fragment}" if fragment else "")


def moved(link: str, page: str, printed: set[str]) -> str:
    """Lead a page's link to the same place in print, or to the public pages."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return link
    target = normpath(join(page, "..", parts.path)) if parts.path else f"{page}.html"
    name = target.removesuffix(".html")
    if name in printed:
        return f"#{anchor(name, parts.fragment)}"
    return PUBLIC + target + (f"#{parts.fragment}" if parts.fragment else "")


def article(page: str, printed: set[str]) -> Tag:
    """Return the text of a page, with headings one step lower and links that work in print."""
    soup = BeautifulSoup((HTML / f"{page}.html").read_text(), "html.parser")
    text = soup.select_one("article.bd-article")
    if text is None:
        raise ValueError(f"{page}.html has no article: build the book, `make book`")
    for live in text.select("#explorer"):
        live.replace_with(f"(This page computes in the browser, at {PUBLIC}{page}.html.)")
    for mute in text.select(NOT_PRINTED):
        mute.decompose()
    place(text, page, printed)
    text["id"] = anchor(page)
    return text


def place(text: Tag, page: str, printed: set[str]) -> None:
    """Rename what links point to, and move links, pictures and headings."""
    for element in text.find_all(True):
        if "id" in element.attrs:
            element["id"] = anchor(page, str(element["id"]))
        if "href" in element.attrs:
            element["href"] = moved(str(element["href"]), page, printed)
        if "src" in element.attrs:
            element["src"] = normpath(join(page, "..", str(element["src"])))
        if element.name == "details":
            element["open"] = ""
        if HEAD.fullmatch(element.name):
            element.name = f"h{int(element.name[1]) + 1}"


def head() -> str:
    """Return the styles and the mathematics of a built page."""
    soup = BeautifulSoup((HTML / "book" / "intro.html").read_text(), "html.parser")
    links = [str(link) for link in soup.select("link[rel=stylesheet]")]
    scripts = [str(s) for s in soup.find_all("script") if "mathjax" in str(s).lower()]
    return "\n".join(links + scripts).replace("../_static", "_static")


def contents(listed: list[Part], titles: dict[str, str]) -> str:
    """Return the table of contents."""
    lines = ["<h1>Contents</h1>"]
    for part in listed:
        items = "".join(f'<li><a href="#{anchor(page)}">{titles[page]}</a></li>' for page in part.pages)
        lines.append(f"<p><strong>{part.caption}</strong></p><ul>{items}</ul>")
    return "\n".join(lines)


def one_page(listed: list[Part]) -> str:
    """Return the whole book as one HTML page."""
    printed = {page for part in listed for page in part.pages}
    articles = {page: article(page, printed) for page in sorted(printed)}
    titles = {page: text.h2.get_text() if text.h2 else page for page, text in articles.items()}
    body = [
        f'<div class="cover"><p>{CONFIG["title"]}</p><a href="{PUBLIC}">{PUBLIC}</a></div>',
        contents(listed, titles),
    ]
    for part in listed:
        body += [f'<h1 class="part">{part.caption}</h1>'] * bool(part.caption)
        body += [str(articles[page]) for page in part.pages]
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{CONFIG['title']}</title>{head()}</head>"
        f'<body class="printed"><main class="bd-content">{"".join(body)}</main></body></html>'
    )


def print_page(source: Path = PRINT, target: Path = PDF) -> None:
    """Let the browser typeset and print a page that lies beside the built ones."""
    with served(HTML) as home, launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.route(f"{home}print.html", lambda route: route.fulfill(path=source, content_type="text/html"))
        page.goto(f"{home}print.html")
        page.evaluate("MathJax.startup.promise.then(() => document.fonts.ready).then(() => null)")
        page.pdf(
            path=target, format="A4", scale=0.8, outline=True, tagged=True, print_background=True,
            display_header_footer=True, header_template="<p></p>", footer_template=FOOT,
            margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
        )  # fmt: skip


def main() -> None:
    """Run the command line."""
    if chromium() is None or not HTML.exists():
        raise SystemExit("pdf: needs a Chromium and the built book (`make book`)")
    PRINT.write_text(one_page(parts(sys.argv[1:])))
    print_page()
    print(f"pdf: {PDF.relative_to(ROOT)}, {PDF.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
