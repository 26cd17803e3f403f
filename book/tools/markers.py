"""What students do not see of an assignment's cells: solutions, with their mark schemes, and hidden tests."""

from __future__ import annotations

import re


def _between(begin: str, end: str) -> re.Pattern[str]:
    """Match from a line `begin` to a line `end`; group 1 is the indentation of the first."""
    return re.compile(rf"^([ \t]*){begin}[ \t]*\n.*?^[ \t]*{end}[ \t]*$", re.DOTALL | re.MULTILINE)


SOLUTION = _between("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = _between("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
MARKER = re.compile(r"(?:BEGIN|END)\s+(?:SOLUTION|HIDDEN|MARK)")


def visible(text: str, *, code: bool) -> str:
    """Return what students see of a cell.

    Raises
    ------
    ValueError
        If a marker stands without its partner.
    """
    shown = SOLUTION.sub(_to_do if code else "YOUR ANSWER HERE", HIDDEN.sub("", text))
    if MARKER.search(shown):
        raise ValueError(f"every BEGIN needs its END on a line of its own, the cell is {text[:80]!r}")
    return shown.strip("\n")


def _to_do(solution: re.Match[str]) -> str:
    """Ask for code; only the body of a function is owed, other code is room that may stay empty."""
    indent = solution[1]
    return f"{indent}# YOUR CODE HERE" + (f"\n{indent}raise NotImplementedError" if indent else "")
