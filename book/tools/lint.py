"""House rules for notebooks, each a small function that yields what it finds.

    python book/tools/lint.py [NAME]

These are the things that nbval and Sphinx let pass: a misspelt tag is an unknown tag, a cell without an
execution count is compared with nothing, a warning is an output like any other. `structure` adds the rules
about what a chapter must contain.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from chapters import BOOK, Chapter, chapters
from nbformat import NotebookNode
from structure import RULES as STRUCTURE_RULES

TAGS = {
    "nbval-ignore-output",  # trained networks: the cell asserts a range, its output is not compared
    "hide-input", "hide-output", "hide-cell",  # folded, one click away
    "remove-input", "remove-cell",  # set-up that would only distract; still executed and checked
    "full-width", "margin",  # sphinx-book-theme's places
}  # fmt: skip
FREE_PARTS = ("", "reference")  # the introduction and the reference have a form of their own
CELL_LINES = 20
NOTEBOOK_BYTES = 1_000_000
OTHER_PICTURES = {"image/jpeg", "image/svg+xml"}
IMAGE_BYTES = 250_000  # of base64; a two-panel figure at 110 dpi has about 110 kB
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:work|home|tmp|root|Users|opt|var|mnt|usr)/[\w.]|\b[A-Z]:\\Users|site-packages"
)

Rule = Callable[[NotebookNode], Iterator[str]]


def _code(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Number the code cells as nbval does, from 0."""
    return enumerate(cell for cell in notebook.cells if cell.cell_type == "code")


def _outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((number, output) for number, cell in _code(notebook) for output in cell.outputs)


def known_tags(notebook: NotebookNode) -> Iterator[str]:
    """Only tags that mean something here."""
    for cell in notebook.cells:
        for tag in sorted(set(cell.metadata.get("tags", [])) - TAGS):
            yield f"unknown tag {tag!r}; known are {', '.join(sorted(TAGS))}"


def executed_in_order(notebook: NotebookNode) -> Iterator[str]:
    """Every code cell has run, from 1 to k."""
    counts = [cell.execution_count for _, cell in _code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts must be 1..{len(counts)} in order, found {counts}"


def no_empty_code(notebook: NotebookNode) -> Iterator[str]:
    """No code cell is blank."""
    for number, cell in _code(notebook):
        if not cell.source.strip():
            yield f"cell {number} is empty"


def quiet(notebook: NotebookNode) -> Iterator[str]:
    """No warnings and no errors in what readers see."""
    for number, output in _outputs(notebook):
        if output.output_type == "error":
            yield f"cell {number} ends in an error: {output.ename}"
        elif output.get("name") == "stderr":
            yield f"cell {number} writes to stderr: {output.text.strip()[:100]!r}"


def no_machine_paths(notebook: NotebookNode) -> Iterator[str]:
    """Nothing that names somebody's computer."""
    for index, cell in enumerate(notebook.cells):
        outputs = [_without_images(output) for output in cell.get("outputs", [])]
        found = MACHINE_PATH.search(cell.source) or MACHINE_PATH.search("\n".join(outputs))
        if found:
            yield f"cell {index} of all cells names a path of a machine: {found.group()!r}"


def _without_images(output: NotebookNode) -> str:
    """Return all the text of an output, one string a line."""
    data = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/p")}
    plain = [output.get("text", ""), *output.get("traceback", [])]
    return "\n".join([*plain, *(str(value) for value in data.values())])


def small(notebook: NotebookNode) -> Iterator[str]:
    """Notebooks and images that a browser and git bear."""
    size = len(nbformat.writes(notebook))
    if size > NOTEBOOK_BYTES:
        yield f"the notebook has {size:,} bytes, at most {NOTEBOOK_BYTES:,}"
    for number, output in _outputs(notebook):
        for kind, value in output.get("data", {}).items():
            if kind.startswith("image/") and len(value) > IMAGE_BYTES:
                yield f"cell {number} has an image of {len(value):,} bytes, at most {IMAGE_BYTES:,}"


def python3_kernel(notebook: NotebookNode) -> Iterator[str]:
    """The kernel that every reader has."""
    name = notebook.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"the kernel must be python3, found {name!r}"


def described_figures(notebook: NotebookNode) -> Iterator[str]:
    """A cell shows one picture at most; it has a name, a caption and a text for those who do not see it."""
    for number, cell in _code(notebook):
        pictures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        if pictures or "figure" in cell.metadata.get("mystnb", {}):
            yield from (f"cell {number} {problem}" for problem in _figure_problems(cell, pictures))
        for kind in {kind for output in cell.outputs for kind in output.get("data", {})} & OTHER_PICTURES:
            yield f"cell {number} shows a picture as {kind}: only png is compared by its pixels"


def _figure_problems(cell: NotebookNode, pictures: int) -> Iterator[str]:
    settings = cell.metadata.get("mystnb", {})
    figure = settings.get("figure", {})
    if pictures != 1:
        yield f"shows {pictures} pictures: one figure a cell"
    if not str(figure.get("name", "")).startswith("fig-"):
        yield "shows a figure without `mystnb: figure: name: fig-...`"
    if not figure.get("caption"):
        yield "shows a figure without `mystnb: figure: caption:`"
    if not settings.get("image", {}).get("alt"):
        yield "shows a figure without `mystnb: image: alt:`"


def short_cells(notebook: NotebookNode) -> Iterator[str]:
    """One idea a cell."""
    for number, cell in _code(notebook):
        lines = len(cell.source.splitlines())
        if lines > CELL_LINES:
            yield f"cell {number} has {lines} lines, at most {CELL_LINES}"


RULES: tuple[Rule, ...] = (
    known_tags, executed_in_order, no_empty_code, quiet, no_machine_paths, small, python3_kernel,
    described_figures, short_cells,
)  # fmt: skip


def problems(chapter: Chapter) -> list[str]:
    """Return everything that the rules say about a chapter's notebook."""
    if not chapter.notebook.exists():
        return ["there is no notebook yet, run `make sync`"]
    notebook = nbformat.read(chapter.notebook, as_version=4)
    found = [message for rule in RULES for message in rule(notebook)]
    if chapter.part not in FREE_PARTS:
        found += [message for rule in STRUCTURE_RULES for message in rule(notebook)]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", nargs="?", default="", help="one chapter, such as model/sampling")
    parser.add_argument("--book", type=Path, default=BOOK, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chosen = chapters(options.book, options.name)
    found = [f"{chapter.name}: {problem}" for chapter in chosen for problem in problems(chapter)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(chosen)} chapters: {len(found)} problems")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
