"""Every page of the built book in a real browser, as a reader meets it."""

import os
from dataclasses import dataclass, field

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from browser import DESKTOP, HTML, PHONE, chromium, launched, open_page, pages, served, settle, stay_home
from chapters import BOOK

pytestmark = pytest.mark.browser

# Set LONGTAIL_REQUIRE_BROWSER=1 where skipping would hide something, as .ci/run does.
REQUIRED = bool(os.environ.get("LONGTAIL_REQUIRE_BROWSER"))
MISSING = " and ".join(
    [*(["no Chromium"] * (chromium() is None)), *(["no built book"] * (not HTML.exists()))]
)
if MISSING and not REQUIRED:
    pytest.skip(f"browser tests are skipped: {MISSING}", allow_module_level=True)

REPOSITORY = yaml.safe_load((BOOK.parent / "_config.yml").read_text())["repository"]["url"]
RAW_MATHEMATICS = r"""() => {
    const skipped = 'pre, code, script, style, mjx-container, textarea, .bibtex';
    const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    const raw = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent;
        const formula = /\$|\\\(|\\\[|\\begin\{/.test(text);
        if (formula && !node.parentElement.closest(skipped)) raw.push(text.trim());
    }
    return raw;
}"""
# What axe would look at thousands of times: glyphs of formulas, in the colour of the text around them, become
# one letter; of words of code of one kind, in one kind of box, the first stays marked.
LESS_OF_THE_SAME = """() => {
    document.querySelectorAll('mjx-container').forEach(formula => formula.replaceChildren('x'));
    const seen = new Set();
    document.querySelectorAll('div.highlight pre span[class]:not(:has(*))').forEach(word => {
        const kind = word.closest('div.highlight').parentElement.className + '/' + word.className;
        if (seen.has(kind)) word.replaceWith(word.textContent);
        seen.add(kind);
    });
}"""
OPEN = "document.querySelectorAll('.toggle-hidden').forEach(box => box.classList.remove('toggle-hidden'))"
CUT = """() => {
    const formulas = [...document.querySelectorAll('main mjx-container:not([display="true"])')];
    const cut = formulas.filter(f => !f.closest('table') && f.scrollWidth > f.clientWidth + 1);
    const codes = [...document.querySelectorAll('main code.literal')].filter(code => !code.closest('table'));
    const edge = document.documentElement.clientWidth;
    const beyond = codes.filter(code => [...code.getClientRects()].some(line => line.right > edge));
    return [...cut, ...beyond].map(element => element.textContent);
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Visit:
    """A page that is open, and everything it complained about."""

    page: object
    outside: list[str]
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def home():
    assert not MISSING, f"browser tests are required, but there is {MISSING}"
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def context(home):
    """One cache for all pages makes the later ones fast."""
    with launched() as browser:
        yield browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})


@pytest.fixture
def visit(context, home):
    """A new window for each page: one for all would grow beyond a GiB."""
    page = context.new_page()
    visit = Visit(page, stay_home(page, home))
    page.on("console", lambda m: visit.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("requestfailed", lambda request: visit.complaints.append(f"failed: {request.url}"))
    page.on(
        "response", lambda r: visit.complaints.append(f"{r.status}: {r.url}") if r.status >= 400 else None
    )
    yield visit
    page.close()


@pytest.fixture
def page(visit):
    """The window itself."""
    return visit.page


def cut(page) -> list[str]:
    """Return formulas and code in lines of text that do not fit, solutions included, which stay open."""
    page.evaluate(OPEN)
    settle(page)
    return page.evaluate(CUT)


def violations(page) -> list[str]:
    """Return all that axe finds, after leaving out much of the same, which would take it minutes."""
    page.evaluate(LESS_OF_THE_SAME)
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else ''}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("name", pages())
def test_page_by_day_on_a_desktop(page, visit, home, name):
    open_page(page, home + name)
    assert visit.complaints == []
    assert visit.outside == []
    assert page.evaluate(RAW_MATHEMATICS) == []
    assert page.locator("mjx-merror").count() == 0
    assert page.locator("main .math").count() <= page.locator("main mjx-container").count()
    assert cut(page) == []
    assert violations(page) == []


@pytest.mark.parametrize("name", pages())
def test_page_by_night_on_a_phone(page, visit, home, name):
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    open_page(page, home + name)
    assert visit.complaints == []
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(TOO_WIDE) <= 0
    assert cut(page) == []
    assert violations(page) == []


def test_axe_sees_pale_words_of_code(page, home):
    """What is left out before axe looks hides no colour of a page."""
    open_page(page, home + "book/model/sampling.html")
    page.add_style_tag(content=".highlight .k, .highlight .kn {color: #ccc !important}")
    assert any(found.startswith("color-contrast") for found in violations(page))


def test_search_finds_the_subject(page, visit, home):
    page.goto(home + "search.html?q=memorization")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    assert page.locator("#search-results li a").count() > 0
    assert visit.complaints == []


def test_solution_opens(page, home):
    name = next(
        (name for name in pages() if "toggle" in text(name) and 'class="solution' in text(name)), None
    )
    if name is None:
        pytest.skip("no chapter has a solution yet")
    open_page(page, home + name)
    solution = page.locator("div.solution.dropdown").first
    content = solution.locator("section p").first
    assert not content.is_visible()
    solution.locator(".toggle-button, button, summary").first.click()
    content.wait_for(state="visible", timeout=5_000)


def text(name: str) -> str:
    return (HTML / name).read_text()


@pytest.mark.parametrize("name", [n for n in pages() if (BOOK.parent / n).with_suffix(".ipynb").exists()])
def test_binder_opens_this_notebook(name):
    owner_and_name = REPOSITORY.removeprefix("https://github.com/")
    notebook = name.removesuffix(".html") + ".ipynb"
    assert f"https://mybinder.org/v2/gh/{owner_and_name}/main?urlpath=lab/tree/{notebook}" in text(name)


@pytest.mark.parametrize("name", pages())
def test_repository_and_issue_buttons(name):
    assert f'href="{REPOSITORY}"' in text(name)
    assert f'href="{REPOSITORY}/issues/new' in text(name)
