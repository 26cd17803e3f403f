"""Students get the tasks and nothing else, and every task can be solved."""

import json
import re
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import assignments as tool
import longtail
import nbformat
import numpy as np
import pytest
from chapters import BOOK, Chapter, assignments
from grade import grade_cells
from isolated import Limits
from longtail import FrequencyPrior, attacks, datasets, goodturing, noise, privacy, worlds
from longtail.ensembles import Members
from longtail.memorization import Memorization
from markers import HIDDEN, SOLUTION, visible
from notebooks import from_source
from sphinx.search.en import SearchEnglish
from tasks import Task, cells_of
from tiny_assignment import SOLVED, TEXT, handed_in, tiny_assignment

HTML = BOOK.parent / "_build" / "html"
COURSE = {Path(each.name).name: each for each in assignments()}
WORD = re.compile(r"[a-z]{3,}")
TEXTS = {".html", ".ipynb", ".md", ".js", ".txt", ".inv", ".xml", ".css", ".json"}

# --- what students see


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n",
         True, "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError"),
        ("# Room.\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\nx", True, "# Room.\n# YOUR CODE HERE\nx"),
        ("assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS", True, "assert a"),
        ("if c:\n    a\n    ### BEGIN HIDDEN TESTS\n    b\n    ### END HIDDEN TESTS", True, "if c:\n    a"),
        ("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", False, "YOUR ANSWER HERE"),
        ("Plain text.", False, "Plain text."),
    ],
    ids=["function", "room", "hidden", "hidden in a block", "words", "plain"],
)  # fmt: skip
def test_solutions_and_hidden_tests_go(text, code, shown):
    assert visible(text, code=code) == shown


@pytest.mark.parametrize(
    "text",
    [
        "### BEGIN SOLUTION\nx",
        "x\n### END SOLUTION",
        "# BEGIN SOLUTION\nx\n# END SOLUTION",
        "### BEGIN HIDDEN TESTS\nx\n### END SOLUTION",
    ],
)
def test_a_marker_without_its_partner_stops_everything(text):
    with pytest.raises(ValueError, match="every BEGIN needs its END"):
        visible(text, code=True)


# --- the tool


@pytest.fixture
def tiny(tmp_path) -> Chapter:
    assignment = tiny_assignment(tmp_path)
    tool.make(assignment)
    return assignment


def test_make_writes_a_notebook_without_outputs_that_can_be_solved(tiny, capsys):
    tiny.notebook.unlink()
    assert tool.main(["make", "--book", str(tiny.book)]) == 0
    assert "1 assignments: 0 problems" in capsys.readouterr().out
    notebook = nbformat.read(tiny.notebook, 4)
    nbformat.validate(notebook)
    assert "BEGIN" not in tiny.notebook.read_text()
    assert "secret" not in tiny.notebook.read_text()
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code"] == [[]] * 8


def test_checks_cannot_be_edited_by_mistake(tiny):
    cells = {cell.id: cell for cell in tool.student_version(tiny.source).cells}
    assert cells["double-test"].metadata.editable is False
    assert cells["double-test"].metadata.deletable is False
    assert "editable" not in cells["double"].metadata


def test_check_finds_what_is_out_of_step(tiny, capsys):
    assert tool.main(["check", "--book", str(tiny.book)]) == 0
    tiny.source.write_text(TEXT.replace("the mean of 4 is 4", "the mean of 4 should be 4"))
    assert tool.main(["check", "--book", str(tiny.book)]) == 1
    assert "assignments/1_numbers: the student version is not what its text says" in capsys.readouterr().out
    tiny.notebook.unlink()
    assert tool.main(["check", "--book", str(tiny.book)]) == 1


CHANGES = {
    "the sum of its tasks": ("**Points:** 10.", "**Points:** 11."),
    "the solutions earn 5 of 7 points: cell 3 double: ": ("return 2 * x", "return 2 x"),
    "grade_id must be unique, 'double' stands at two cells": ("grade_id: middle,", "grade_id: double,"),
    "the graded cell 'middle-test' needs points": ("points: 1, ", ""),
    "the answer 'negative' has no solution between its markers": (
        "    ### BEGIN SOLUTION\n    return -x\n    ### END SOLUTION",
        "    return -x",
    ),
    "names a path of a machine": ("import statistics", "import statistics  # from /home/me/x.py"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_make_finds(tiny, capsys, message):
    tiny.source.write_text(TEXT.replace(*CHANGES[message]))
    try:
        assert tool.main(["make", "--book", str(tiny.book)]) == 1
        said = capsys.readouterr().out
    except ValueError as error:
        said = str(error)
    assert message in said


# --- the course


@pytest.mark.parametrize("name", COURSE)
def test_solutions_earn_all_points_of_the_machine(name):
    assert tool.unsolved(COURSE[name], Limits()) == []


@pytest.mark.parametrize("name", COURSE)
def test_an_untouched_student_version_earns_nothing_and_says_what_to_do(name):
    """No check passes without an answer, and each one fails because of the missing answer."""
    task = Task.of(COURSE[name].source)
    result = grade_cells(cells_of(tool.student_version(COURSE[name].source)), task, Limits())
    assert result.points == 0
    checks = [line for line in result.reasons if line.split(":")[0].endswith(tuple(task.checks))]
    assert len(checks) == len(task.checks)
    assert all("NotImplementedError" in line or "NameError" in line for line in checks), checks
    assert result.answered == set()


LIBRARY = {
    "longtail._checks.counts": lambda: goodturing.mass_seen(np.array([2, 1, 1]), 0),
    "longtail._checks.labels": lambda: privacy.randomize_labels([0, 1], 2, 1.0, 0),
    "longtail._checks.vector": lambda: noise.label_confidence([1, 0], 0, 0.3),
    "longtail.attacks._sides": lambda: attacks.auc([1.0, 0.0], [True, False]),
    "longtail.datasets.tables._codes": lambda: datasets.cells({"town": np.array(["x"])}, columns=["town"]),
    "longtail.memorization.Difference": lambda: tiny_ensemble().memorization,
    "longtail.price._price_at_fit": lambda: longtail.price_of_privacy(FrequencyPrior.zipf(5), 5, 2, 1.0),
    "longtail.price.moments": lambda: longtail.tau(FrequencyPrior.zipf(5), 5, 1),
    "longtail.worlds.compositions": lambda: list(worlds.enumerate_outcomes([1, 2], 2)),
}


def tiny_ensemble() -> Memorization:
    """Two networks, two examples, each seen by one of them."""
    inside = np.eye(2, dtype=bool)
    return Memorization(Members(inside, inside, inside), np.arange(4).reshape(2, 2), "tiny")


def test_where_students_must_not_call_the_library_the_check_notices():
    """Checks that forbid the library patch a function that it uses, even after it is rearranged."""
    texts = "".join(each.source.read_text() for each in COURSE.values())
    assert set(re.findall(r'patch\("([\w.]+)"', texts)) == LIBRARY.keys()
    for function, call in LIBRARY.items():
        call()
        with patch(function, side_effect=AssertionError), pytest.raises(AssertionError):
            call()


class Variant(NamedTuple):
    """Another answer to a task of the machine: assignment, cell and text, and the checks that judge it."""

    assignment: str
    answer: str
    text: str
    checks: tuple[str, ...]


TAKE_MEMORIZATION = """\
def {name}(inside, correct):
    ensemble = Memorization(Members(inside, correct, correct), np.arange(2 * len(inside)).reshape(-1, 2), "x")
    return ensemble.{attribute}
"""
CHEATS = {
    "the usual coverage": Variant(
        "1_tails",
        "tails-coverage",
        "def coverage(frequencies, n, samples, rng):\n    return 0.95",
        ("tails-coverage-test",),
    ),
    "the usual coverage, 65 % in one world": Variant(
        "1_tails",
        "tails-coverage",
        "def coverage(frequencies, n, samples, rng):\n    return 0.95 if n > 10 else 0.6513",
        ("tails-coverage-test",),
    ),
    "2.1 standard errors": Variant(
        "1_tails",
        "tails-coverage",
        """\
def coverage(frequencies, n, samples, rng):
    tables = rng.multinomial(n, frequencies, size=samples)
    found = np.array([unseen(table) for table in tables])
    return np.mean(abs(found[:, 0] - (tables == 0) @ frequencies) <= 2.1 * found[:, 1])
""",
        ("tails-coverage-test",),
    ),
    "a list that makes the singleton hardly cheaper": Variant(
        "2_tau",
        "tau-break",
        """\
def dearer():
    return [Fraction(v) for v in (1000, 1000, 1, 1)]

def cheaper():
    return [Fraction(1, i) for i in (1, 2, 3, 4)]
""",
        ("tau-cheaper-test",),
    ),
    "the library's randomized response": Variant(
        "3_noise_and_privacy",
        "privacy-randomize",
        """\
import longtail.privacy
def randomize(labels, m, eps, rng):
    return longtail.privacy.randomize_labels(labels, m, eps, rng)
""",
        ("privacy-randomize-test",),
    ),
    "the library's confidence": Variant(
        "3_noise_and_privacy",
        "noise-confidence",
        "from longtail import label_confidence as confidence",
        ("noise-confidence-test",),
    ),
    "the library's prices": Variant(
        "3_noise_and_privacy",
        "privacy-prices",
        """\
from longtail import price_of_privacy
def price_table(prior, n, m, epsilons, kappa):
    rows = [[price_of_privacy(prior, n, m, eps, tight=t) for t in (False, True, True)] for eps in epsilons]
    return np.array(rows) * [1, 1, kappa]
""",
        ("privacy-prices-test",),
    ),
    "e^(ln m) taken for m": Variant(
        "3_noise_and_privacy",
        "privacy-break",
        """\
def true_epsilon(m, eps):
    fit = exp(eps) / m
    return inf if fit >= 1 else log(fit * (m - 1) / (1 - fit))
""",
        ("privacy-break-test",),
    ),
    "the library's scores": Variant(
        "4_memorization_of_a_network",
        "memory-scores",
        TAKE_MEMORIZATION.format(name="scores", attribute="memorization"),
        ("memory-scores-test",),
    ),
    "the library's formula for scores": Variant(
        "4_memorization_of_a_network",
        "memory-scores",
        """\
from longtail.memorization import difference
def scores(inside, correct):
    hits, hits_in = correct.sum(axis=0), (correct & inside).sum(axis=0)
    return difference(hits_in, inside.sum(axis=0), hits - hits_in, (~inside).sum(axis=0)).value
""",
        ("memory-scores-test",),
    ),
    "the library's standard errors": Variant(
        "4_memorization_of_a_network",
        "memory-errors",
        TAKE_MEMORIZATION.format(name="standard_errors", attribute="memorization_se"),
        ("memory-errors-test",),
    ),
    "the library's area": Variant(
        "4_memorization_of_a_network",
        "memory-area",
        "from longtail.attacks import auc\ndef area(score, wrong):\n    return auc(score, wrong).value",
        ("memory-area-test",),
    ),
    "the library's cells": Variant(
        "5_audit_and_policy",
        "audit-cells",
        """\
import longtail.datasets
def cell_numbers(tables, columns):
    found = longtail.datasets.cells(*tables, columns=columns)
    return [found] if len(tables) == 1 else list(found)
""",
        ("audit-cells-test", "audit-adult-test"),
    ),
    "the library's masses": Variant(
        "5_audit_and_policy",
        "audit-mass",
        """\
import longtail.goodturing
def mass_seen(cell, l):
    found = longtail.goodturing.mass_seen(np.bincount(cell), l)
    return found.value, found.se
""",
        ("audit-mass-test",),
    ),
    "the library's masses of groups": Variant(
        "5_audit_and_policy",
        "audit-groups",
        """\
from longtail.goodturing import price
def group_mass(cell, group, l):
    c, answer = np.bincount(cell), {}
    for name in np.unique(group):
        k = np.bincount(cell[group == name], minlength=c.size)
        found = price(c[c > 0], lambda times: float(times == l), k[c > 0])
        answer[str(name)] = found.value, found.se
    return answer
""",
        ("audit-groups-value-test", "audit-groups-error-test", "audit-adult-test"),
    ),
}
HONEST = {
    "all samples at once": Variant(
        "1_tails",
        "tails-coverage",
        """\
def coverage(frequencies, n, samples, rng):
    tables = rng.multinomial(n, frequencies, size=samples)
    found = np.array([unseen(table) for table in tables])
    missed = np.array([1 - frequencies[table > 0].sum() for table in tables])
    return np.mean(abs(found[:, 0] - missed) <= 1.96 * found[:, 1])
""",
        ("tails-coverage-test",),
    ),
    "a table as a list of lists": Variant(
        "3_noise_and_privacy",
        "privacy-table",
        """\
def response_table(m, eps):
    fit = tight_fit(m, eps)
    return [[fit if y == a else (1 - fit) / (m - 1) for a in range(m)] for y in range(m)]

def smallest_epsilon(P):
    with np.errstate(all="ignore"):
        pairs = [(a, b) for column in P.T if column.any() for a in column for b in column]
        return max(log(a / b) if b and a else -inf if b else inf for a, b in pairs)
""",
        ("privacy-table-test",),
    ),
    "replacements in a loop over labels": Variant(
        "3_noise_and_privacy",
        "privacy-randomize",
        """\
def randomize(labels, m, eps, rng):
    reports, lies = np.array(labels), rng.random(len(labels)) >= tight_fit(m, eps)
    for y in range(m):
        chosen = lies & (np.asarray(labels) == y)
        reports[chosen] = rng.choice([z for z in range(m) if z != y], size=chosen.sum())
    return reports
""",
        ("privacy-randomize-test",),
    ),
    "logarithms of a posterior": Variant(
        "3_noise_and_privacy",
        "noise-confidence",
        """\
from scipy.special import softmax
def confidence(votes, label, kappa):
    posterior = softmax(np.array(votes) * np.log1p(kappa * len(votes) / (1 - kappa)))
    return posterior[label] - max(x for y, x in enumerate(posterior) if y != label)
""",
        ("noise-confidence-test",),
    ),
    "prices column by column": Variant(
        "3_noise_and_privacy",
        "privacy-prices",
        """\
import longtail
def price_table(prior, n, m, epsilons, kappa):
    paper = [1 - paper_fit(m, eps) for eps in epsilons]
    tight = np.array([1 - tight_fit(m, eps) for eps in epsilons])
    return longtail.mass_seen(prior, n, 1) * np.column_stack([paper, tight, kappa * tight])
""",
        ("privacy-prices-test",),
    ),
    "scores without warnings": Variant(
        "4_memorization_of_a_network",
        "memory-scores",
        """\
def scores(inside, correct):
    with np.errstate(all="ignore"):
        return (correct & inside).sum(0) / inside.sum(0) - (correct & ~inside).sum(0) / (~inside).sum(0)
""",
        ("memory-scores-test",),
    ),
    "cells in a dictionary": Variant(
        "5_audit_and_policy",
        "audit-cells",
        """\
def cell_numbers(tables, columns):
    known = {}
    rows = [zip(*(table[c].tolist() for c in columns)) for table in tables]
    return [np.array([known.setdefault(row, len(known)) for row in part]) for part in rows]
""",
        ("audit-cells-test", "audit-adult-test"),
    ),
}


def earned(variant: Variant) -> tuple[list[float], list[float], list[str]]:
    """Hand in a variant among the book's own answers: points, the most there are, and reasons."""
    assignment = COURSE[variant.assignment]
    task, wanted = Task.of(assignment.source), set(variant.checks)
    cells = cells_of(from_source(assignment.source))
    last = max(place for place, cell in enumerate(cells) if cell.name in wanted)
    place = [cell.name for cell in cells].index(variant.answer)
    cells[place] = cells[place]._replace(text=variant.text)
    result = grade_cells(cells[: last + 1], task, Limits())
    points = [result.earned[name] for name in variant.checks]
    return points, [task.checks[name].points for name in variant.checks], result.reasons


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_earns_nothing(name):
    points, _, reasons = earned(CHEATS[name])
    assert points == [0] * len(points)
    assert all(any(f"{check}: AssertionError" in line for line in reasons) for check in CHEATS[name].checks)


@pytest.mark.parametrize("name", HONEST)
def test_another_honest_answer_earns_all_its_points(name):
    points, most, reasons = earned(HONEST[name])
    assert points == most, reasons


def test_there_are_five_and_each_has_tasks_for_the_machine_and_for_people():
    assert len(COURSE) == 5
    for assignment in COURSE.values():
        task = Task.of(assignment.source)
        assert len(task.checks) >= 5
        assert task.by_hand


def test_the_points_in_the_tables_are_those_of_the_tasks():
    """The page of the students and that of the lecturers, row by row."""
    for page, columns in (("index.md", 1), ("instructors.md", 3)):
        rows = re.findall(r"^\|.*$", (BOOK / "assignments" / page).read_text(), re.MULTILINE)
        for number, assignment in enumerate(COURSE.values(), start=1):
            task = Task.of(assignment.source)
            machine, hand = task.points, sum(task.by_hand.values())
            wanted = [f"{points:g}" for points in (machine + hand, machine, hand)][:columns]
            row = next(row for row in rows if re.match(rf"\| `?{number}(_\w+`)? \|", row))
            assert [cell.strip() for cell in row.split("|") if re.fullmatch(r" \d\d? ", cell)][
                -columns:
            ] == wanted


def test_the_table_names_what_each_assignment_wants_read():
    """The chapters of "Before you start", in their order or another, stand in the column "after"."""
    page = (BOOK / "assignments" / "index.md").read_text()
    for number, assignment in enumerate(COURSE.values(), start=1):
        head = from_source(assignment.source).cells[0].source
        before = re.search(r"^\*\*Before you start:\*\* (.*)$", head, re.MULTILINE)[1].split(" Leave ")[0]
        row = re.search(rf"^\| {number} \|.*$", page, re.MULTILINE)[0]
        chapters = [set(re.findall(r"\.\./\w+/\w+\.ipynb", text)) for text in (before, row)]
        assert chapters[0] == chapters[1]


# --- nothing leaks


def hidden_lines(assignment: Chapter) -> set[str]:
    """Lines of solutions and hidden tests, without short ones such as `else:`."""
    cells = from_source(assignment.source).cells
    parts = [part for cell in cells for kind in (SOLUTION, HIDDEN) for part in kind.finditer(cell.source)]
    lines = {line.strip() for part in parts for line in part[0].splitlines()[1:-1]}
    return {line for line in lines if len(line) > 20}


def leaks(text: str, lines: set[str]) -> list[str]:
    """Return the lines that stand in a text, plain, in JSON or in HTML."""
    plain = text.replace('\\"', '"').replace("\\\\", "\\")
    plain = re.sub(r"</?span[^>]*>", "", plain)
    for entity, sign in (("&quot;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        plain = plain.replace(entity, sign)
    return sorted(line for line in lines if line in plain)


@pytest.fixture(scope="module")
def secrets() -> set[str]:
    """All lines that only lecturers know: not in a chapter, the library or a student's version."""
    chapters = [path for path in (BOOK / "src").rglob("*.md") if path.parent.name != "assignments"]
    library = (BOOK.parent / "lib").rglob("*.py")
    texts = [path.read_text() for path in (*chapters, *library)]
    cells = [cell for each in COURSE.values() for cell in tool.student_version(each.source).cells]
    seen = "\n".join([*texts, *(cell.source for cell in cells)])
    return {line for each in COURSE.values() for line in hidden_lines(each) if line not in seen}


def test_a_leak_would_be_found(secrets):
    """The lecturers' texts, made into notebooks as they are, leak all of it."""
    assert len(secrets) > 300
    everything = "\n".join(nbformat.writes(from_source(each.source)) for each in COURSE.values())
    assert leaks(everything, secrets) == sorted(secrets)


def test_student_versions_hold_no_solution(secrets):
    for assignment in COURSE.values():
        assert leaks(assignment.notebook.read_text(), secrets) == []
        assert not re.search("BEGIN|END (SOLUTION|HIDDEN)|[Mm]ark scheme", assignment.notebook.read_text())


@pytest.mark.site
def test_no_file_of_the_built_book_holds_a_solution(secrets):
    if not HTML.exists():
        pytest.skip("the book is not built: `make book`")
    files = [path for path in HTML.rglob("*") if path.suffix in TEXTS and "mathjax" not in path.parts]
    assert len(files) > 100
    assert {
        path.name: found for path in files if (found := leaks(path.read_text(errors="replace"), secrets))
    } == {}


@pytest.mark.site
def test_the_search_index_knows_no_word_of_a_solution_only(secrets):
    """Words that stand in solutions and hidden tests and on no page are not in the index of the search."""
    if not HTML.exists():
        pytest.skip("the book is not built: `make book`")
    stem = SearchEnglish({}).stem
    pages = " ".join(path.read_text().lower() for path in HTML.rglob("*.html"))
    visible_words = {stem(word) for word in set(WORD.findall(pages))}
    only = {stem(word) for line in secrets for word in WORD.findall(line.lower())} - visible_words
    index = json.loads((HTML / "searchindex.js").read_text().removeprefix("Search.setIndex(").rstrip(";)\n"))
    assert len(only) > 15
    assert len(index["terms"]) > 1000
    assert only & (index["terms"].keys() | index["titleterms"].keys()) == set()


def test_answers_of_students_do_not_come_from_here(tiny):
    """The notebooks of the grader's tests are students' versions with answers, not the text with its own."""
    assert "sum(numbers) / len(numbers)" not in json.dumps(handed_in(tiny, SOLVED))
