"""Make the notebooks from the texts, and prove that they are in step.

    python book/tools/notebooks.py sync [--force] [NAME]
    python book/tools/notebooks.py check [NAME]

`sync` rewrites only what is out of date: where the text around the code changed, outputs are kept; where
any code changed, the whole notebook runs again from a fresh kernel in its own folder. `check` changes
nothing and takes seconds. Both compare notebooks cell by cell, never files byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from chapters import BOOK, Chapter, chapters, orphans
from kernels import AsyncChapterKernelManager, environment
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_SECONDS = 300
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def from_source(source: Path) -> NotebookNode:
    """Return the notebook of a MyST text, without outputs; equal texts give equal notebooks."""
    notebook: NotebookNode = jupytext.read(source, fmt="md:myst")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    _name_cells(notebook)
    return notebook


def _name_cells(notebook: NotebookNode) -> None:
    """Name every cell by the hash of what it holds, so that rewriting one changes no other's id."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel that starts in `folder`; nothing that a clock says is kept."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=AsyncChapterKernelManager,
        timeout=CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment())
    notebook.metadata = nbformat.from_dict(METADATA)


def cells(notebook: NotebookNode) -> list[Any]:
    """Return what a reader can see of every cell, except its outputs."""
    return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def code(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def has_run(notebook: NotebookNode) -> bool:
    """Tell whether every code cell was executed, in order and without gaps."""
    return [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


def read(chapter: Chapter) -> NotebookNode | None:
    """Return the notebook as it is on disk, or None."""
    return nbformat.read(chapter.notebook, as_version=4) if chapter.notebook.exists() else None


def _keep_outputs(new: NotebookNode, old: NotebookNode) -> bool:
    """Copy the outputs of `old` where its code is that of `new`; tell whether that could be done."""
    same = [cell.source for cell in code(new)] == [cell.source for cell in code(old)]
    if not (same and has_run(old)):
        return False
    for target, origin in zip(code(new), code(old), strict=True):
        target.outputs, target.execution_count = origin.outputs, origin.execution_count
    return True


def sync(chapter: Chapter, *, force: bool = False) -> str:
    """Bring the notebook in step with its text and say what was done."""
    new, old = from_source(chapter.source), read(chapter)
    if not force and not _differences(old, new):
        return "in step"
    chapter.notebook.parent.mkdir(parents=True, exist_ok=True)
    kept = old is not None and not force and _keep_outputs(new, old)
    start = time.perf_counter()
    if not kept:
        execute(new, chapter.notebook.parent)
    nbformat.write(new, chapter.notebook)
    return "text changed, outputs kept" if kept else f"ran in {time.perf_counter() - start:.1f} s"


def problems(chapter: Chapter) -> list[str]:
    """Return what is wrong between a text and its notebook; an empty list means that they are in step."""
    return _differences(read(chapter), from_source(chapter.source))


def _differences(have: NotebookNode | None, want: NotebookNode) -> list[str]:
    if have is None:
        return ["there is no notebook yet"]
    found = []
    if cells(have) != cells(want) or have.metadata != METADATA:
        found.append("the notebook is not what its text says")
    if not has_run(have):
        found.append("a code cell has not been run, or not in order")
    return found


def _sync_all(chosen: list[Chapter], force: bool) -> int:
    failed = 0
    for chapter in chosen:
        try:
            print(f"{chapter.name}: {sync(chapter, force=force)}", flush=True)
        except (CellExecutionError, CellTimeoutError) as error:
            failed += 1
            message = COLOURS.sub("", str(error))
            print(f"{chapter.name}: a cell failed; the notebook was left as it was\n{message}", flush=True)
    return failed


def _check_all(chosen: list[Chapter], book: Path) -> int:
    found = [f"{chapter.name}: {problem}" for chapter in chosen for problem in problems(chapter)]
    found += [f"{path.relative_to(book)}: no text in src makes this notebook" for path in orphans(book)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(chosen)} chapters: {len(found)} out of step" + (", run `make sync`" if found else ""))
    return len(found)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["sync", "check"])
    parser.add_argument("name", nargs="?", default="", help="one chapter, such as model/sampling")
    parser.add_argument("--force", action="store_true", help="run again even where nothing changed")
    parser.add_argument("--book", type=Path, default=BOOK, help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    chosen = chapters(options.book, options.name)
    if options.command == "sync":
        return int(_sync_all(chosen, options.force) > 0)
    return int(_check_all(chosen, options.book) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
