"""Grade a folder of notebooks that were handed in.

    python book/tools/grade.py ASSIGNMENT FOLDER [--csv FILE] [--seconds S] [--mib M]

The table has a row for each file: its points and the most that a machine gives, a column for each graded
cell, and the reasons. Answers in words are marked by hand.

The cells that check are taken from the assignment's text, hidden tests included, wherever the submission
has a cell of that `grade_id`; what the submission has in it counts for nothing. A check that is missing
earns nothing. Each submission runs from top to bottom in a kernel of its own (`isolated` says how far that
protects you), and a check earns its points at once when the kernel says that it ran without error. After
each check comes a cell that *must* fail: a kernel that reports success there has been tampered with, and
the check does not count. Before each check, libraries and what locked cells made are put back (`guard`). A
submission that knows this program can still deceive it from within its process; reading the code finds
that out.
"""

from __future__ import annotations

import argparse
import csv
import secrets
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from chapters import BOOK, assignments
from isolated import Ended, Isolated, Limits, namespaces
from tasks import Cell, Check, Task, bound, read

REASON_LENGTH = 300
NETWORK_WARNING = """\
grade: this system lets nobody make namespaces. The network is closed to Python's own sockets only, programs
that a submission starts can reach it. Grade where there is none, or where `unshare -U -n true` works."""


@dataclass
class Result:
    """What a submission has earned, cell by cell, which words it has, and why not more."""

    earned: dict[str, float] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """The sum."""
        return sum(self.earned.values())


def grade(path: Path, task: Task, limits: Limits) -> Result:
    """Grade one file; whatever is wrong with it is said in the result."""
    try:
        cells = read(path)
    except (ValueError, OSError) as error:
        return Result(dict.fromkeys(task.checks, 0.0), set(), [one_line(f"{error}")])
    return grade_cells(cells, task, limits)


def grade_cells(cells: list[Cell], task: Task, limits: Limits) -> Result:
    """Run the cells of a submission and note what they earn, until the end or until the kernel is gone."""
    words = {cell.name for cell in cells if cell.answers} & task.by_hand.keys()
    result = Result(dict.fromkeys(task.checks, 0.0), words, [])
    names = {cell.name for cell in cells}
    result.reasons += [f"{n}: the cell is missing" for n in (*task.locked, *task.by_hand) if n not in names]
    here = "no cell was run"
    try:
        with Isolated(limits) as room:
            room.begin(task.helpers)
            for here, cell in _counted(cells, task, result):
                problem = _run(room, cell, task, result)
                result.reasons += [f"{here}: {problem}"] * bool(problem)
    except Exception as error:  # whatever a submission does to its kernel, the others get their turn
        why = f"{error}" if isinstance(error, Ended) else repr(error)
        result.reasons.append(f"{here}: {one_line(why)}; what follows was not run")
    return result


def _counted(cells: list[Cell], task: Task, result: Result) -> Iterator[tuple[str, Cell]]:
    """Yield the cells that run, with their place; a locked one runs once, whatever became of its type."""
    done = set[str]()
    for number, cell in enumerate(cells, start=1):
        here = f"cell {number} {cell.name}".rstrip()
        if cell.name in done:
            result.reasons.append(f"{here}: a copy, only the first one counts")
        elif cell.code or cell.name in task.locked:
            yield here, cell
        done |= {cell.name} & task.locked.keys()


def _run(room: Isolated, cell: Cell, task: Task, result: Result) -> str:
    """Run one cell, a locked one as the assignment has it; return what went wrong."""
    if cell.name in task.checks:
        check = task.checks[cell.name]
        problem = _check(room, check)
        result.earned[cell.name] = 0.0 if problem else check.points
    elif cell.name in task.locked:
        text = task.locked[cell.name]
        problem = room.run(text) or room.guard(f"keep({sorted(bound(text))!r})")
    else:
        problem = room.run(cell.text)
    return one_line(problem)


def _check(room: Isolated, check: Check) -> str:
    """Return why a check fails, nothing if it passes."""
    secret = secrets.token_hex(8)
    problem = room.guard(f"before({check.helpers!r}, {check.hidden!r})") or room.run(check.text)
    lie = room.run(f"assert {secret!r} == {secret[::-1] + '!'!r}, {secret!r}")
    problem = problem or room.guard("after()")
    return problem or ("" if secret in lie else "the kernel does not report failures any more: tampered with")


def one_line(text: str) -> str:
    """Return a text as a table can hold it: short, without line breaks and halves of characters."""
    return " ".join(text[:REASON_LENGTH].encode("utf-8", "backslashreplace").decode().split())


def row(name: str, task: Task, result: Result) -> dict[str, str]:
    """Return a line of the table."""
    hand = {n: f"by hand ({p:g})" if n in result.answered else "no answer" for n, p in task.by_hand.items()}
    marks = {name: f"{points:g}" for name, points in result.earned.items()}
    sums = {"submission": one_line(name), "points": f"{result.points:g}", "max": f"{task.points:g}"}
    return {**sums, **marks, **hand, "reason": "; ".join(result.reasons)}


def submissions(folder: Path, table: Path | None) -> list[Path]:
    """Return the files of a folder and of the folders in it, except hidden ones and the table.

    Raises
    ------
    SystemExit
        If there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise SystemExit(f"the folder of submissions must be a folder, got {str(folder)!r}")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _hidden(path, folder)]
    found = [path for path in files if table is None or path.resolve() != table.resolve()]
    if not found:
        raise SystemExit(f"the folder of submissions {str(folder)!r} holds no file")
    return found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def write(files: list[Path], folder: Path, task: Task, limits: Limits, target: TextIO) -> None:
    """Grade files and write their table line by line, so that an interrupted run keeps what it has done."""
    columns = ["submission", "points", "max", *task.checks, *task.by_hand, "reason"]
    writer = csv.DictWriter(target, columns, lineterminator="\n")
    writer.writeheader()
    for number, path in enumerate(files, start=1):
        line = row(path.relative_to(folder).as_posix(), task, grade(path, task, limits))
        writer.writerow(line)
        target.flush()
        progress = f"grade: {number} of {len(files)}, {line['submission']}: {line['points']} of {line['max']}"
        print(progress, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("assignment", help="its name, such as 2_tau")
    parser.add_argument("folder", type=Path, help="where the submissions are")
    parser.add_argument("--csv", type=Path, help="write the table here instead of on the screen")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="most time for one submission")
    parser.add_argument("--mib", type=int, default=Limits.mib, help="most memory for one submission")
    parser.add_argument("--book", type=Path, default=BOOK, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    task = Task.of(assignments(options.book, options.assignment or " ")[0].source)
    files = submissions(options.folder, options.csv)
    if not namespaces():
        print(NETWORK_WARNING, file=sys.stderr)
    target = options.csv.open("w", encoding="utf-8", newline="") if options.csv else nullcontext(sys.stdout)
    with target as table:
        write(files, options.folder, task, Limits(options.seconds, options.mib), table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
