"""The book as one PDF: a chapter of it is printed, links lead to places in print or to the public pages."""

import os
import re

import pdf
import pytest
from browser import HTML, chromium

MISSING = " and ".join(
    [*(["no Chromium"] * (chromium() is None)), *(["no built book"] * (not HTML.exists()))]
)
PRINTED = {"book/model/sampling", "book/cost/noisy_labels"}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("#def-world", "#book-model-sampling--def-world"),
        ("../cost/noisy_labels.html", "#book-cost-noisy_labels"),
        ("../cost/noisy_labels.html#thm-x", "#book-cost-noisy_labels--thm-x"),
        ("frequency_prior.html#x", f"{pdf.PUBLIC}book/model/frequency_prior.html#x"),
        ("../../genindex.html", f"{pdf.PUBLIC}genindex.html"),
        ("https://example.org/a#b", "https://example.org/a#b"),
    ],
)
def test_links_lead_on(link, target):
    assert pdf.moved(link, "book/model/sampling", PRINTED) == target


def test_parts_follow_the_contents():
    assert [part.caption for part in pdf.parts([])][:3] == ["", "How to read", "The model"]
    [part] = pdf.parts(["model/sampling"])
    assert part == pdf.Part("The model", ["book/model/sampling"])


@pytest.mark.browser
def test_a_chapter_is_printed_with_bookmarks_and_links(tmp_path):
    if MISSING and not os.environ.get("LONGTAIL_REQUIRE_BROWSER"):
        pytest.skip(f"nothing is printed: {MISSING}")
    source, target = tmp_path / "print.html", tmp_path / "book.pdf"
    source.write_text(pdf.one_page(pdf.parts(["model/sampling"])))
    pdf.print_page(source, target)
    printed = target.read_bytes()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b(?!s)", printed)) >= 8
    heads = len(re.findall(r"<h[1-6]", source.read_text()))
    assert b"/Outlines" in printed
    assert printed.count(b"/Title") >= heads
    assert printed.count(b"/Subtype /Link") >= 20


@pytest.mark.site
def test_every_place_that_a_link_names_is_there():
    if not HTML.exists():
        pytest.skip("the book is not built: `make book`")
    page = pdf.one_page(pdf.parts(["model/", "cost/"]))
    places = set(re.findall(r' id="([^"]+)"', page))
    assert {link for link in re.findall(r' href="#([^"]+)"', page)} <= places
