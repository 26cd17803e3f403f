"""Sphinx extension with what Jupyter Book 1 leaves to be said.

- Mathematics is typeset without the network: the parts of MathJax that the pages use are copied from the
  installed package sphinx-mathjax-offline into the built book, about 2 MB of its 24.
- The address of the built pages follows from the repository's, which stands once, in `_config.yml`.
- Theme options are completed here: `html_theme_options` in `_config.yml` would replace all of Jupyter
  Book's own.
- Scripts that sphinx-thebe adds twice are added once, and four slips that shut people out are put right.
- What belongs together stays on one line: punctuation and formulas, numbers and percent signs.
- Figures with two panels stay legible on a phone, in a box that scrolls.
- Titles and links that sphinx-proof and sphinx-exercise put together read as one would write them.
- Search engines and previews describe a chapter by what its readers will learn.
- Fields of named tuples are documented once, by the docstring of their class.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config


class Point(NamedTuple):
    """Any named tuple: its fields have a type of their own."""

    x: int


MATHJAX = "tex-chtml.js"
CLEANER = {
    '<div role="list" class="citation-list">': "<div>",  # its items are no list items
    ' role="doc-biblioentry"': "",  # for items of a list
    '<table class="': '<table tabindex="0" class="',  # scrolls on a phone, so a keyboard must reach it
}
EMPTY_HEAD = re.compile(r"<th(?: class=\"[^\"]*\")?>(?:<p>\s*</p>)?</th>")  # a corner that names nothing
SIDEBAR = (
    '<div id="pst-primary-sidebar" ',
    '<div id="pst-primary-sidebar" role="complementary" aria-label="Book" ',
)
INLINE_MATH = re.compile(
    r'(\(?<span class="math notranslate nohighlight">[^<]*</span>[.,;:?!)-]+|'
    r'\(<span class="math notranslate nohighlight">[^<]*</span>)'
)
PERCENT = re.compile(r"(?<=\d) (?=%)")
AS_IT_STANDS = re.compile(r"(<pre.*?</pre>|<code.*?</code>|<[^>]*>)", re.DOTALL)
OWN_RESULT = re.compile(r" \(not in the paper\)\)")  # a title in brackets that ends in brackets
SOLUTION = re.compile(r"(Solution to)(<a [^>]*>) ")
IMAGE = re.compile(r'<img [^>]*src="[^"]*_images/(?P<name>[^"/]+)"[^>]*>')
WIDE_FIGURE = re.compile(r'<figure ([^>]*>\s*<img class="wide")')  # scrolls, so a keyboard must reach it
WIDE = 900  # pixels; figures with one panel are narrower
SHOWN = 200  # characters of a description that search engines show
MATHJAX_PARTS = (MATHJAX, "input/tex/extensions", "output/chtml/fonts")


def pages_url(repository_url: str) -> str:
    """Return the address at which GitHub publishes the pages of a repository."""
    owner, name = urlsplit(repository_url).path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def complete_settings(_app: Sphinx, config: Config) -> None:
    """Set what follows from other settings."""
    options = config.html_theme_options
    options.setdefault("navbar_persistent", [])  # the theme's second search bar
    config.html_baseurl = config.ogp_site_url = pages_url(options["repository_url"])
    config.mathjax_path = f"mathjax/{MATHJAX}"


def mathjax_folder() -> Path:
    """Return where the installed package keeps MathJax."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the package sphinx-mathjax-offline is missing: `make install`")
    return Path(package.origin).parent / "static" / "mathjax"


def copy_mathjax(app: Sphinx, failure: Exception | None) -> None:
    """Copy the parts that typeset TeX as HTML."""
    if failure is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy(source / part, target / part)


def describe_page(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], tree: Any) -> None:
    """Say in one sentence what a chapter teaches: the first paragraph of its first box, if that says so."""
    box = next(iter(tree.findall(nodes.admonition)), None) if tree else None
    text = next(iter(box.findall(nodes.paragraph))).astext().replace("\n", " ") if box else ""
    if text.startswith("You will learn"):
        description = text if len(text) <= SHOWN else text[: text.rindex(" ", 0, SHOWN)].rstrip(",;") + " …"
        context["meta"] = {**(context["meta"] or {}), "og:description": description}
        context["metatags"] += f'<meta name="description" content="{escape(description, quote=True)}" />\n'


def name_sidebar(app: Sphinx, failure: Exception | None) -> None:
    """Make the sidebar, which the theme writes, a landmark for those who listen to a page."""
    if failure is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            page.write_text(page.read_text().replace(*SIDEBAR))


def clean_page(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Keep the first of equal inline scripts, and put right what keeps people out."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        if body is None or body not in seen:
            kept.append(script)
        seen.add(body or "")
    context["script_files"] = kept
    body = context.get("body", "")
    for old, new in CLEANER.items():
        body = body.replace(old, new)
    body = EMPTY_HEAD.sub("<td></td>", body)
    body = OWN_RESULT.sub(", not in the paper)", SOLUTION.sub(r"\1 \2", body))
    body = IMAGE.sub(partial(mark_wide, app), keep_together(body))
    context["body"] = WIDE_FIGURE.sub(r'<figure tabindex="0" \1', body)


def keep_together(body: str) -> str:
    """Let no line end between a formula and its brackets or full stop, or between a number and its %."""
    body = INLINE_MATH.sub(r'<span class="unbroken">\1</span>', body)
    parts = enumerate(AS_IT_STANDS.split(body))  # every other part is code or a tag
    return "".join(part if i % 2 else PERCENT.sub("\N{NO-BREAK SPACE}", part) for i, part in parts)


def mark_wide(app: Sphinx, image: re.Match[str]) -> str:
    """Give an image with two panels the class "wide": a phone shows it in a box that scrolls."""
    sources = {name: source for source, name in app.builder.images.items()}
    source = Path(app.srcdir, sources.get(image["name"], ""))
    wide = source.suffix == ".png" and int.from_bytes(source.read_bytes()[16:20], "big") > WIDE
    return image[0].replace("<img ", '<img class="wide" ', 1) if wide else image[0]


def skip_fields(_app: Sphinx, _what: str, _name: str, obj: object, *_rest: Any) -> bool | None:
    """Leave the fields of named tuples to the list of attributes in the docstring of their class."""
    return True if isinstance(obj, type(Point.x)) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the fixes."""
    app.connect("config-inited", complete_settings, priority=100)
    app.connect("html-page-context", describe_page, priority=100)
    app.connect("html-page-context", clean_page, priority=950)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", name_sidebar)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
