"""The page that sets the paper against the book is complete, and says nothing that is not so."""

import re

import nbformat
import pytest
from chapters import BOOK, chapters
from longtail import (
    FrequencyPrior,
    optimal_error,
    price_of_limit,
    price_of_not_fitting,
    singleton_fraction,
    tau,
)
from longtail.groups import Group, disparate_price
from longtail.learners import fits_singletons_with
from structure import LABEL, RESULT, checked_results, prose

PAGE = (BOOK / "reference" / "paper_vs_book.md").read_text()
STATEMENTS = (
    "Section 2, model", "Lemmas 2.1, 2.2", "Theorem 2.3", "Theorem 2.4", "Lemma 2.5", "Lemma 2.6",
    "Definition 3.1", "Theorem 3.2", "Theorem 3.4",
    "Section 4.1, memorization", "Section 4.1, fitting", "Section 4.1, uncertainty", "Section 4.2",
    "Section 4.3, privacy and memorization", "Theorem 4.8", "Section 4.3, stability", "Section 4.4",
    "Section 6, uniform convergence", "Section 6, stability",
)  # fmt: skip
REFERENCE = re.compile(r"\{prf:ref\}`([^`]+)`")
RESULTS = ("theorem", "lemma", "proposition", "corollary")
BOX = re.compile(r"^(:{3,})\{prf:(\w+)\}[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)


def rows(page: str, head: str) -> list[list[str]]:
    """Cells of the table under a head, without its two first lines."""
    section = page.split(f"## {head}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def boxes() -> dict[str, tuple[str, bool]]:
    """Kind of every labelled box, and whether a proof follows at once or names it further down."""
    found = {}
    for chapter in chapters():
        text = prose(nbformat.read(BOOK / f"{chapter.name}.ipynb", as_version=4))
        sequence = [(kind, LABEL.search(body), body) for _, kind, body in BOX.findall(text)]
        for place, (kind, label, _) in enumerate(sequence):
            if label:
                after = [(k, body) for k, _, body in sequence[place + 1 :] if k in ("proof", *RESULTS)]
                named = any(k == "proof" and f"`{label[1]}`" in body for k, body in after)
                found[label[1]] = kind, named or (bool(after) and after[0][0] == "proof")
    return found


KNOWN = boxes()


def gaps(page: str) -> list[str]:
    """What the table of statements lacks."""
    table = {row[0]: row[1:] for row in rows(page, "Statements")}
    missing = [name for name in STATEMENTS if name not in table]
    for name, cells in table.items():
        says, proved, checked, difference = cells
        labels = REFERENCE.findall(proved)
        missing += [
            f"{name}: {what}"
            for what, cell in (
                ("says", says),
                ("proof", labels),
                ("check", checked),
                ("difference", difference),
            )
            if not cell
        ]
        for label in REFERENCE.findall(" ".join(cells)):
            kind, proven = KNOWN.get(label, ("nothing", False))
            if kind == "nothing":
                missing.append(f"{name}: {label} is not in the book")
            elif label in labels and kind not in ("definition", "remark") and not proven:
                missing.append(f"{name}: {label} has no proof")
    return missing


def test_every_statement_has_a_proof_a_check_and_a_difference():
    assert gaps(PAGE) == []


def test_every_result_of_the_book_is_checked():
    """The lint asks for it too; here it is asked of what the page refers to."""
    for chapter in chapters():
        notebook = nbformat.read(BOOK / f"{chapter.name}.ipynb", as_version=4)
        if RESULT.search(prose(notebook)):
            assert list(checked_results(notebook)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("| Theorem 3.2 |", "| Theorem 3.3 |", "Theorem 3.2"),
        ("{prf:ref}`prop-mem-fitting`", "", "Section 4.1, fitting: proof"),
        ("{prf:ref}`prop-mem-fitting`", "{prf:ref}`prop-mem-fittin`", "prop-mem-fittin is not in the book"),
        ("| pictures really removed |", "| |", "Section 4.1, fitting: check"),
    ],
)
def test_a_gap_would_be_found(old, new, complaint):
    assert old in PAGE
    assert any(complaint in gap for gap in gaps(PAGE.replace(old, new)))


ZIPF = {N: FrequencyPrior.zipf(N) for N in (5_000, 25_000, 50_000)}


def ratio(N, n):
    """Price at gamma = 0.5 of a second group over that of 50,000 examples of Zipf with N = 5,000."""
    groups = [Group("one", ZIPF[5_000], 50_000), Group("two", ZIPF[N], n)]
    one, two, _ = disparate_price(groups, 10, fits_singletons_with(0.6))
    return two.price / one.price


OURS = {
    "$n\\tau_1$": lambda N, n: n * tau(ZIPF[N], n),
    "$n$ times the least frequency": lambda N, n: n * ZIPF[N].frequencies[-1],
    "singletons $/\\,n$": lambda N, n: singleton_fraction(ZIPF[N], n),
    "opt": lambda N, n: optimal_error(ZIPF[N], n, 10),
    "cost of not fitting singletons": lambda N, n: price_of_not_fitting(ZIPF[N], n, 10),
    "cost at $\\gamma=0.5$": lambda N, n: price_of_limit(ZIPF[N], n, 10, 0.5),
    "ratio of the costs, small group to large": lambda *_: ratio(5_000, 10_000),
    "ratio of the costs, many kinds to few": lambda *_: ratio(25_000, 50_000),
}


def whole(cell):
    return int(re.match(r"[\d,]+", cell)[0].replace(",", ""))


@pytest.mark.parametrize("row", rows(PAGE, "Numbers"), ids=lambda row: f"{row[2]} N={row[0]} n={row[1]}")
def test_every_number_is_what_the_library_gives_and_what_the_paper_rounds_to(row):
    N, n, quantity, paper, ours, _ = row
    value = OURS[quantity](whole(N), whole(n))
    assert f"{value:.6f}" == ours
    if paper.endswith("%"):
        assert round(100 * value) == whole(paper)
    elif "0." in paper and (N, quantity) != ("25,000", "opt"):  # the one that the page says is cut off
        assert f"{value:.{len(paper) - 2}f}" == paper
