"""What an assignment asks for, read from its text, and what was handed in, read from a notebook."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from markers import visible
from nbformat import NotebookNode
from notebooks import from_source

MOST_BYTES = 20 * 2**20
UNANSWERED = visible("### BEGIN SOLUTION\n### END SOLUTION", code=False)
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


class Cell(NamedTuple):
    """What matters of a cell that was handed in; `name` is its grade_id or empty."""

    code: bool
    text: str
    name: str

    @property
    def answers(self) -> bool:
        """Whether there are words in it that a student wrote."""
        return not self.code and self.text.strip() not in ("", UNANSWERED)


@dataclass(frozen=True)
class Check:
    """A cell that checks: points, text, what must stand before it, names that only hidden tests bind."""

    points: float
    text: str
    helpers: str
    hidden: list[str]


@dataclass
class Task:
    """An assignment: its locked cells, those of them that check, and the points of answers in words."""

    locked: dict[str, str] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    by_hand: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Path) -> Task:
        """Read an assignment's text.

        Raises
        ------
        ValueError
            If two cells share a grade_id, or a graded cell has no points.
        """
        task, names = cls(), set[str]()
        for cell in from_source(source).cells:
            if "nbgrader" in cell.metadata:
                name = cell.metadata.nbgrader.grade_id
                if name in names:
                    raise ValueError(f"{source.name}: grade_id must be unique, {name!r} stands at two cells")
                names.add(name)
                task._add(name, cell)
        return task

    def _add(self, name: str, cell: NotebookNode) -> None:
        about = cell.metadata.nbgrader
        if about.grade and not about.get("points"):
            raise ValueError(f"the graded cell {name!r} needs points")
        if about.grade and about.solution:
            self.by_hand[name] = about.points
        elif about.grade:
            hidden = sorted(bound(cell.source) - bound(visible(cell.source, code=True)))
            self.checks[name] = Check(about.points, cell.source, self.helpers, hidden)
        if about.locked:
            self.locked[name] = cell.source

    @property
    def helpers(self) -> str:
        """Imports, functions and classes of the locked cells so far, as students see them."""
        trees = [ast.parse(visible(text, code=True)) for text in self.locked.values()]
        return "\n".join(ast.unparse(node) for tree in trees for node in tree.body if isinstance(node, KEPT))

    @property
    def points(self) -> float:
        """The most that a machine gives."""
        return sum(check.points for check in self.checks.values())


def bound(text: str) -> set[str]:
    """Return the names that a cell gives a value to at its top level (and, harmlessly, a few more)."""
    found = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def cells_of(notebook: dict[str, Any]) -> list[Cell]:
    """Return the cells of a notebook, of one that was read by json too."""
    return [
        Cell(
            cell["cell_type"] == "code",
            "".join(cell["source"]),
            str(cell["metadata"].get("nbgrader", {}).get("grade_id", "")),
        )
        for cell in notebook["cells"]
    ]


def read(path: Path) -> list[Cell]:
    """Read what was handed in.

    Raises
    ------
    ValueError
        If it is not a notebook.
    """
    if path.suffix != ".ipynb":
        raise ValueError(f"a notebook, .ipynb, was expected, got {path.name}")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"the file has {path.stat().st_size:,} bytes, at most {MOST_BYTES:,}: clear outputs")
    try:
        return cells_of(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the file is not a notebook: {type(error).__name__} {error}") from error
