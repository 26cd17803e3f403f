"""What every chapter contains, in the same order, so that readers find their way without thinking.

The first cell is the title and a box that says what the reader will learn, needs and how long it takes.
Then come `## In action`, at least one statement in a box, `## What breaks`, `## Exercises` and `##
Summary`; other heads may stand between them. Every theorem, lemma, proposition and corollary has a label
and is checked by code: a cell with an `assert` names it in a comment, `# check: label` (several with
commas). There are three to six exercises, from *Compute* over *Prove* to *Break it*, each with a public
check, which tells a reader who is on the right track, and a solution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

HEADS = ("In action", "What breaks", "Exercises", "Summary")
FEWEST, MOST = 3, 6
KINDS = ("Compute", "Prove", "Break")
BOX_TITLE = "{admonition} What you will learn"
BOX_PARTS = ("learn", "need", "time")
MINUTES = re.compile(r"\*\*Time:?\*\*[^\n]*?\b(\d+) minutes")
NEEDED = re.compile(r"\*\*(?:You n|N)eed:?\*\*:?(.*?)(?=\n\n|\*\*Time|\Z)", re.DOTALL)
STATEMENT = re.compile(r"^:{3,}\{prf:(\w+)\}", re.MULTILINE)
RESULT = re.compile(
    r"^(:{3,})\{prf:(theorem|lemma|proposition|corollary)\}([^\n]*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL
)
EXERCISE = re.compile(r"^:{3,}\{exercise(?:-start)?\}[^\n]*\n(.*?)^:{3,}\s*$", re.MULTILINE | re.DOTALL)
SOLUTION = re.compile(r"^:{3,}\{solution(?:-start)?\}[ \t]*(\S+)", re.MULTILINE)
LABEL = re.compile(r"^:label:[ \t]*(\S+)", re.MULTILINE)
CHECK = re.compile(r"^#[ \t]*check:[ \t]*(.+)$", re.MULTILINE)
ASSERTS = re.compile(r"^\s*assert\b|\bassert_\w+\(", re.MULTILINE)
FENCED = re.compile(r"^(`{3,}).*?^\1`*\s*$", re.MULTILINE | re.DOTALL)


def prose(notebook: NotebookNode) -> str:
    """Return all text of a chapter without verbatim blocks."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return FENCED.sub("", text)


def opening(notebook: NotebookNode) -> Iterator[str]:
    """The first cell is the title and the box of what the reader will learn."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell must begin with the title, `# ...`"
        return
    _, found, box = first.source.partition(BOX_TITLE)
    if not found:
        yield f"the first cell must hold the box `:::{BOX_TITLE}`"
        return
    yield from _box_problems(box.split("\n:::")[0])


def _box_problems(box: str) -> Iterator[str]:
    bold = " ".join(re.findall(r"\*\*(.+?)\*\*", box)).lower()
    missing = [part for part in BOX_PARTS if not re.search(rf"\b{part}\b", bold)]
    yield from (f"the box `What you will learn` must say **{part.capitalize()}**" for part in missing)
    needed = NEEDED.search(box)
    if "need" not in missing and not (needed and len(needed[1].strip()) > 3):
        yield "the box `What you will learn` names nothing that a reader needs"
    if "time" not in missing and not MINUTES.search(box):
        yield "the box `What you will learn` must tell the time in minutes, as in `**Time** about 50 minutes`"


def minutes(notebook: NotebookNode) -> int:
    """Return how long a chapter takes, by its own box."""
    found = MINUTES.search(notebook.cells[0].source)
    if found is None:
        raise ValueError(f"the first cell tells no time: {notebook.cells[0].source[:60]!r}")
    return int(found[1])


def heads(notebook: NotebookNode) -> Iterator[str]:
    """The heads that every chapter has, in their order."""
    found = re.findall(r"^## +(.+?)\s*$", prose(notebook), re.MULTILINE)
    places = [next((i for i, head in enumerate(found) if head.startswith(wanted)), None) for wanted in HEADS]
    missing = [wanted for wanted, place in zip(HEADS, places, strict=True) if place is None]
    yield from (f"the head `## {wanted}` is missing" for wanted in missing)
    present = [place for place in places if place is not None]
    if present != sorted(present):
        yield f"the heads must come in the order {', '.join(HEADS)}"


def statements(notebook: NotebookNode) -> Iterator[str]:
    """At least one statement stands in a box."""
    if not [kind for kind in STATEMENT.findall(prose(notebook)) if kind != "proof"]:
        yield "there is no statement box, `:::{prf:theorem} ...`"


def checked_results(notebook: NotebookNode) -> Iterator[str]:
    """Every numbered result has a label, and an asserting cell that names it."""
    checked = set(_checked(notebook))
    for _, kind, title, body in RESULT.findall(prose(notebook)):
        label = LABEL.search(body)
        if label is None:
            yield f"the {kind}{title} has no `:label:`"
        elif label[1] not in checked:
            yield f"the {kind} {label[1]} has no check: a cell with `# check: {label[1]}` and an assert"


def _checked(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "code" and ASSERTS.search(cell.source):
            for names in CHECK.findall(cell.source):
                yield from (name.strip() for name in names.split(","))


def exercises(notebook: NotebookNode) -> Iterator[str]:
    """There are some exercises of every kind, and each has a check and a solution."""
    text = prose(notebook)
    bodies, solved = EXERCISE.findall(text), set(SOLUTION.findall(text))
    if not FEWEST <= len(bodies) <= MOST:
        yield f"there must be {FEWEST} to {MOST} exercises, `:::{{exercise}}`, found {len(bodies)}"
    said = " ".join(re.findall(r"\*([A-Z][^*]*)\*", "\n".join(bodies)))
    yield from (f"there is no exercise to *{kind}*" for kind in KINDS if kind.lower() not in said.lower())
    for body in bodies:
        label = LABEL.search(body)
        if "*check" not in body.lower():
            yield f"the exercise {label[1] if label else '?'} has no public check, `*Check:* ...`"
        if label is None:
            yield "an exercise has no `:label:`"
        elif label[1] not in solved:
            yield f"the exercise {label[1]} has no solution"


RULES = (opening, heads, statements, checked_results, exercises)
