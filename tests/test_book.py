"""The book as a whole: settings agree, nothing private is committed, the built pages hang together."""

import json
import os
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bookfix import pages_url
from chapters import BOOK, chapters
from PIL import Image, ImageChops
from readme_figure import CARD, PREVIEW, README, card, figure

ROOT = BOOK.parent
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
TEXTS = ("README.md", "CITATION.cff", "CONTRIBUTING.md", "pyproject.toml", "CHANGELOG.md")


def toc() -> list[str]:
    """Return the pages in reading order."""
    content = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [content["root"], *(page["file"] for part in content["parts"] for page in part["chapters"])]


# --- settings


def test_every_chapter_is_in_the_table_of_contents():
    missing = {f"book/{chapter.name}" for chapter in chapters()} - set(toc())
    assert missing == set()


@pytest.mark.parametrize("page", toc())
def test_every_page_of_the_contents_exists_once(page):
    found = [suffix for suffix in (".ipynb", ".md") if (ROOT / page).with_suffix(suffix).exists()]
    assert len(found) == 1, f"{page} has {found or 'no file'}"


@pytest.mark.parametrize("name", TEXTS)
def test_there_is_one_public_address(name):
    """`_config.yml` has the address; where another file needs it too, it is the same."""
    own = CONFIG["repository"]["url"]
    project = own.rsplit("/", 1)[1]
    text = (ROOT / name).read_text() if (ROOT / name).exists() else ""
    here = set(re.findall(rf"https://github\.com/[\w.-]+/{project}\b", text))
    binder = set(re.findall(rf"https://mybinder\.org/v2/gh/([\w.-]+/{project})\b", text))
    pages = set(re.findall(rf"https://[\w.-]+\.github\.io/{project}/", text))
    assert here <= {own}
    assert binder <= {urlsplit(own).path.strip("/")}
    assert pages <= {pages_url(own)}


def test_the_readme_shows_the_figure_of_the_introduction():
    assert README.read_bytes() == figure(), "run `make sync`"


def test_the_preview_shows_it_too_and_is_small():
    with Image.open(PREVIEW) as image:
        assert image.size == CARD
        difference = ImageChops.difference(image.convert("RGB"), card(figure()).convert("RGB"))
    assert difference.getbbox() is None, "run `make sync`"
    assert PREVIEW.stat().st_size < 50_000


def test_the_status_page_knows_every_chapter():
    known = json.loads((BOOK / "reference" / "status.json").read_text())["chapters"]
    assert known.keys() == {chapter.name for chapter in chapters()}, "run `make status`"


def test_no_committed_text_names_a_machine_or_a_registry():
    pattern = re.compile(r"/(?:root|home|work)/|(?:index-url|find-links|registry|-i)[\s=:]+[\"']?https?://")
    suffixes = {".py", ".md", ".yml", ".yaml", ".toml", ".cff", ".lock", ".json", ".sh", ".css", ""}
    files = [*ROOT.glob("*"), *BOOK.rglob("*"), *(ROOT / ".ci").rglob("*"), *(ROOT / ".github").rglob("*")]
    texts = [
        path
        for path in files
        if path.is_file() and path.suffix in suffixes and not {"__pycache__", ".git"} & set(path.parts)
    ]
    assert [path.name for path in texts if pattern.search(path.read_text())] == []


# --- built pages


class Anatomy(HTMLParser):
    """The links of a page, what they can point to, and pictures without a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.mute_pictures: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag in ("a", "link", "script", "img"):
            self.links |= {values[key] for key in ("href", "src") if values.get(key)}
        if tag == "img" and not values.get("alt"):
            self.mute_pictures.append(values.get("src") or "")


@pytest.fixture(scope="module")
def site() -> dict[Path, Anatomy]:
    if not HTML.exists():
        if os.environ.get("LONGTAIL_REQUIRE_BROWSER"):
            pytest.fail("the book is not built: `make book`")
        pytest.skip("the book is not built: `make book`")
    found = [path for path in HTML.rglob("*.html") if "_static" not in path.parts]
    return {path.resolve(): Anatomy(path.read_text()) for path in found}


def broken(page: Path, link: str, site: dict[Path, Anatomy]) -> bool:
    """Tell whether an internal link leads nowhere."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link == "#":
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return True
    return bool(parts.fragment) and target in site and unquote(parts.fragment) not in site[target].anchors


@pytest.mark.site
def test_every_internal_link_resolves(site):
    dead = [(p.name, link) for p, anatomy in site.items() for link in anatomy.links if broken(p, link, site)]
    assert dead == []


@pytest.mark.site
def test_a_link_that_leads_nowhere_would_be_found(site):
    page = next(iter(site))
    assert broken(page, "no-such-page.html", site)
    assert broken(page, "#no-such-anchor", site)
    assert not broken(page, "https://example.org/x", site)


@pytest.mark.site
def test_every_picture_has_a_text(site):
    mute = {page.name: anatomy.mute_pictures for page, anatomy in site.items() if anatomy.mute_pictures}
    assert mute == {}


@pytest.mark.site
def test_every_page_of_the_contents_is_built(site):
    assert {HTML / f"{page}.html" for page in toc()} <= site.keys()


def meta(page: Path) -> dict[str, str]:
    """What a page says about itself to those who do not open it."""
    found = re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', page.read_text())
    return {key: unescape(value) for key, value in found}


@pytest.mark.site
@pytest.mark.parametrize("page", toc())
def test_every_page_can_be_shared(page):
    said = meta(HTML / f"{page}.html")
    address = pages_url(CONFIG["repository"]["url"])
    assert said["og:url"] == f"{address}{page}.html"
    assert (HTML / said["og:image"].removeprefix(address)).read_bytes() == PREVIEW.read_bytes()
    assert said["og:image:alt"]
    assert said["og:description"] == said["description"]
    assert 40 < len(said["description"]) <= 202


@pytest.mark.site
def test_previews_of_chapters_say_what_one_learns():
    said = [meta(HTML / "book" / f"{chapter.name}.html")["description"] for chapter in chapters()]
    assert sum(text.startswith("You will learn") for text in said) >= 20
    assert len(set(said)) == len(said)


@pytest.mark.site
@pytest.mark.parametrize("page", toc())
def test_download_buttons_give_the_page(page, site):
    [source] = [s for s in (".ipynb", ".md") if (ROOT / page).with_suffix(s).exists()]
    text = (HTML / f"{page}.html").read_text()
    [link] = re.findall(r'href="([^"]+)"[^>]*\s+class="btn btn-sm btn-download-source-button', text)
    given = (HTML / page).parent / unquote(link)
    assert given.read_bytes() == (ROOT / page).with_suffix(source).read_bytes()
    assert 'onclick="window.print()"' in text or "btn-download-pdf-button" in text


@pytest.mark.site
def test_words_that_tools_put_together_read_well(site):
    """See `bookfix`: brackets in brackets, a link that begins with a space, a number apart from its %."""
    slips = re.compile(r"\(not in the paper\)\)|Solution to<a|(?<=\d) %(?![^<]*</(?:code|span|pre)>)")
    found = [(page.name, slips.findall(page.read_text())) for page in site if "_modules" not in page.parts]
    assert [slip for slip in found if slip[1]] == []


@pytest.mark.site
def test_no_raw_cross_reference_is_left(site):
    raw = re.compile(
        r"\{(?:prf:ref|numref|eq|cite|doc|ref)[:\w]*\}`|<span class=\"xref (?!std std-term)"
    )  # terms: -W sees to them
    assert [page.name for page in site if raw.search(page.read_text())] == []
