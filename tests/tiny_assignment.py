"""A tiny assignment, and notebooks that are handed in for it: shared by the tests of the course's tools."""

import json
from pathlib import Path
from typing import Any

from assignments import student_version
from chapters import Chapter

TEXT = Path(__file__).with_suffix(".md").read_text()
SOLVED = {
    "double": "def double(x):\n    return x + x",
    "middle": "import statistics\n\ndef middle(numbers):\n    return statistics.mean(numbers)",
    "why": "A mean spreads the sum evenly.",
    "negative": "def negative(x):\n    return 0 - x",
}
DELETE = ""


def tiny_assignment(book: Path, text: str = TEXT) -> Chapter:
    """Write the text of the assignment into a book."""
    assignment = Chapter(book, "assignments/1_numbers")
    assignment.source.parent.mkdir(parents=True, exist_ok=True)
    assignment.source.write_text(text)
    return assignment


def handed_in(assignment: Chapter, answers: dict[str, str], extra: str = "") -> dict[str, Any]:
    """Return a student's notebook: answers by grade_id, an empty one deletes its cell; and an extra cell."""
    notebook: dict[str, Any] = json.loads(json.dumps(student_version(assignment.source)))
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = answers.get(name, cell["source"])
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["source"] != DELETE]
    if extra:
        added = {"cell_type": "code", "source": extra, "metadata": {}, "outputs": [], "execution_count": None}
        notebook["cells"].insert(2, {**added, "id": "extra"})
    return notebook
