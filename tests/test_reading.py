"""Ways through the book and its glossary: times add up, words are defined and used."""

import re

import nbformat
import pytest
from chapters import BOOK, chapters
from structure import minutes, prose

WAYS = (BOOK / "ways.md").read_text()
GLOSSARY = (BOOK / "reference" / "glossary.md").read_text()
TERM = re.compile(r"\{term\}`(?:[^`<]*<([^`>]+)>|([^`]+))`")
ROW = re.compile(r"^\| (\d+) \|(.*)$", re.MULTILINE)
CHAPTER = re.compile(r"\[[^\]]+\]\(([\w/]+)\.ipynb\)")


def notebook(name):
    return nbformat.read(BOOK / f"{name}.ipynb", as_version=4)


def section(head: str) -> str:
    return WAYS.split(f"## {head}\n")[1].split("\n## ")[0]


def total(text: str) -> int:
    return sum(int(time) for time, _ in ROW.findall(text))


def defined() -> list[str]:
    body = GLOSSARY.split("```{glossary}\n")[1].split("\n```")[0]
    return [line for line in body.splitlines() if line and not line.startswith(" ")]


def used(text: str) -> set[str]:
    return {named or plain for named, plain in TERM.findall(text)}


def test_the_paper_takes_twenty_minutes():
    assert total(section("The paper in twenty minutes")) == 20


def test_the_spine_takes_what_it_says():
    spine = section("The proofs").split("### Branches")[0]
    said = re.search(r"(\d+) minutes in all", spine)
    assert int(said[1]) == total(spine)


@pytest.mark.parametrize(
    ("time", "rest"), [row for row in ROW.findall(section("The proofs").split("### Branches")[1])]
)
def test_a_branch_takes_as_long_as_its_chapter_says(time, rest):
    assert int(time) == minutes(notebook(CHAPTER.search(rest)[1]))


def test_whole_chapters_of_the_practical_way_take_what_they_say():
    rows = [row for row in ROW.findall(section("A number for your own data")) if "work through" in row[1]]
    assert rows
    assert all(int(time) == minutes(notebook(CHAPTER.search(rest)[1])) for time, rest in rows)


def test_terms_are_sorted_and_defined_once():
    terms = [term.lower() for term in defined() if term != "iid reading"]  # shares an entry with "fixed"
    assert terms == sorted(set(terms))


def test_every_term_is_linked_from_a_text():
    texts = [prose(notebook(chapter.name)) for chapter in chapters()]
    assert set(defined()) <= set().union(*map(used, [*texts, WAYS]))


def test_a_chapter_links_a_term_once():
    for chapter in chapters():
        links = [named or plain for named, plain in TERM.findall(prose(notebook(chapter.name)))]
        assert sorted(links) == sorted(set(links)), chapter.name
