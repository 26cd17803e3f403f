"""Make the students' versions of the assignments, and prove that they are in step and can be solved.

    python book/tools/assignments.py make [NAME]
    python book/tools/assignments.py check [NAME]

An assignment is a MyST text in `book/src/assignments/` with nbgrader's cell metadata. Its student version,
`book/assignments/<name>.ipynb`, lacks what stands between `### BEGIN SOLUTION` and `### END SOLUTION`,
between `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS`, and the mark schemes. `make` writes it, and
lets the text itself, with its solutions, be graded like a submission: it must earn all the points that a
machine gives. `check` changes nothing, runs nothing and takes a second.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat
from chapters import BOOK, Chapter, assignments
from grade import grade_cells
from isolated import Limits
from lint import known_tags, no_machine_paths, python3_kernel, small
from markers import SOLUTION, visible
from nbformat import NotebookNode
from notebooks import from_source
from tasks import Task, cells_of

RULES = (known_tags, no_machine_paths, python3_kernel, small)
STATED = re.compile(r"^\*\*Time:\*\* .+ \*\*Points:\*\* (\d+)\.$", re.MULTILINE)


def student_version(source: Path) -> NotebookNode:
    """Return the notebook that students get; equal texts give equal notebooks.

    Raises
    ------
    ValueError
        If a marker stands without its partner.
    """
    notebook = from_source(source)
    for cell in notebook.cells:
        cell.source = visible(cell.source, code=cell.cell_type == "code")
        _lock(cell)
    return notebook


def _lock(cell: NotebookNode) -> None:
    """Let editors of notebooks keep graded cells from being deleted, and checks from being edited."""
    about = cell.metadata.get("nbgrader")
    if about is not None:
        cell.id = about["grade_id"]
        cell.metadata["deletable"] = False
        if about["locked"]:
            cell.metadata["editable"] = False


def _bare(source: Path) -> list[str]:
    """Name the cells for answers that students would get as they are, solution and all."""
    cells = [cell for cell in from_source(source).cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return [cell.metadata.nbgrader.grade_id for cell in cells if not SOLUTION.search(cell.source)]


def _content(notebook: NotebookNode) -> str:
    return str(nbformat.writes(notebook)) + "\n"


def make(assignment: Chapter) -> None:
    """Write the student version, unless the text contradicts itself."""
    Task.of(assignment.source)
    assignment.notebook.parent.mkdir(parents=True, exist_ok=True)
    assignment.notebook.write_text(_content(student_version(assignment.source)), encoding="utf-8")


def problems(assignment: Chapter) -> list[str]:
    """Return what is wrong with a text and its student version, as far as one sees without running them."""
    notebook, path = student_version(assignment.source), assignment.notebook
    found = [message for rule in RULES for message in rule(notebook)]
    found += [f"the answer {name!r} has no solution between its markers" for name in _bare(assignment.source)]
    stated, task = STATED.search(notebook.cells[0].source), Task.of(assignment.source)
    points = task.points + sum(task.by_hand.values())
    if stated is None or float(stated[1]) != points:
        found.append(f"the first cell must say **Time:** ... **Points:** {points:g}., the sum of its tasks")
    if not path.exists() or path.read_text(encoding="utf-8") != _content(notebook):
        found.append("the student version is not what its text says, run `make assignments`")
    return found


def unsolved(assignment: Chapter, limits: Limits) -> list[str]:
    """Grade the text with its solutions, and return why it does not earn all points."""
    task = Task.of(assignment.source)
    result = grade_cells(cells_of(from_source(assignment.source)), task, limits)
    if result.points == task.points:
        return []
    return [f"the solutions earn {result.points:g} of {task.points:g} points: {'; '.join(result.reasons)}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["make", "check"])
    parser.add_argument("name", nargs="?", default="", help="one assignment, such as 2_tau")
    parser.add_argument("--book", type=Path, default=BOOK, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chosen, found = assignments(options.book, options.name), list[str]()
    for each in chosen:
        if options.command == "make":
            make(each)
            found += [f"{each.name}: {problem}" for problem in unsolved(each, Limits())]
        found += [f"{each.name}: {problem}" for problem in problems(each)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(chosen)} assignments: {len(found)} problems")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
