"""What a reader must know before using the numbers of an audit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from longtail.tables import Cells

if TYPE_CHECKING:
    from longtail.auditing import Line

EVERYONE = "all"
FEW_ROWS = 200
ALONE = 0.9  # share of rows that are alone, from which on columns are too fine
NO_TAIL = 0.01  # share of fresh rows that may be forgotten
DECIDED = 0.9  # agreement of labels beyond chance, as a share of what is possible
ROWS_A_LABEL = 10
COPIES = 4.0  # standard errors
TOLD = 5  # groups named in a warning


def cautions(
    lines: Sequence[Line], cells: Cells, subpopulation: Sequence[str], group: Sequence[str]
) -> list[str]:
    """Return what speaks against the numbers, as sentences.

    Parameters
    ----------
    lines
        All rows first, then each group.
    cells
        The counts behind them.
    subpopulation, group
        Names of columns.
    """
    return [
        *_few(lines),
        *_resolution(lines[0]),
        *_copies(cells.counts),
        *_groups(lines[1:], sorted(set(subpopulation) & set(group))),
        *_labels(lines[0].rows, cells),
    ]


def chance_agreement(labels: NDArray[np.int64]) -> float:
    """Chance that any two rows have the same label."""
    n = float(labels.sum())
    return float((labels * (labels - 1.0)).sum()) / (n * (n - 1))


def _few(lines: Sequence[Line]) -> Iterator[str]:
    everyone, *groups = lines
    small = [f"{line.group} ({line.rows:,})" for line in groups if line.rows < FEW_ROWS]
    if everyone.rows < FEW_ROWS:
        yield f"{everyone.rows} rows are few: read the intervals, not the estimates."
    elif small:
        more = ", ..." if len(small) > TOLD else ""
        yield f"few rows in {', '.join(small[:TOLD])}{more}: read their intervals, not the estimates."


def _resolution(everyone: Line) -> Iterator[str]:
    if everyone.alone >= ALONE * everyone.rows:
        yield (
            f"{everyone.alone:,} of {everyone.rows:,} rows are the only one of their subpopulation: the "
            "columns are too fine to say what rows have in common, and prices rest on few pairs. "
            "Use fewer columns."
        )
    elif all(everyone.prices[name].high < NO_TAIL for name in ("unseen", "seen once")):
        yield (
            f"less than {NO_TAIL:.0%} of fresh rows are of a subpopulation never seen, and less than "
            f"{NO_TAIL:.0%} of one seen once: these data have no tail at this resolution, and not fitting "
            "singletons costs next to nothing; finer columns may tell another story."
        )


def _copies(counts: NDArray[np.int64]) -> Iterator[str]:
    """Independent draws make l! Phi_l nearly log-convex in l, by the Cauchy-Schwarz inequality."""
    phi = np.bincount(np.minimum(counts, 6), minlength=7)[1:6] + 0.5  # no logarithm of zero
    log = np.log(phi * [math.factorial(l) for l in range(1, 6)])
    excess = 2 * log[1:-1] - log[:-2] - log[2:]
    se = np.sqrt(4 / phi[1:-1] + 1 / phi[:-2] + 1 / phi[2:])
    worst = int((excess / se).argmax())
    if excess[worst] > COPIES * se[worst]:
        yield (
            f"more subpopulations were seen {worst + 2} times than independent rows allow, beside those seen "
            f"{worst + 1} and {worst + 3} times: rows may be copies of each other, which hides the tail. "
            "Remove copies first."
        )


def _groups(groups: Sequence[Line], inside: list[str]) -> Iterator[str]:
    if inside:
        yield (
            f"group and subpopulation share {', '.join(map(repr, inside))}: groups that differ there share "
            "no subpopulation, and small ones look exposed by their size alone."
        )
    if any(line.group == EVERYONE for line in groups):
        yield f"a group is called {EVERYONE!r} too: the first line so called is all rows."


def _labels(rows: int, cells: Cells) -> Iterator[str]:
    if ROWS_A_LABEL * cells.labels.size > rows:
        yield f"label has {cells.labels.size:,} values in {rows:,} rows: it is hardly a class."
    if cells.agreement is None or not cells.labels.size:
        return
    chance = chance_agreement(cells.labels)
    if cells.agreement - chance < DECIDED * (1 - chance):
        yield (
            f"two rows of one subpopulation have the same label with chance {cells.agreement:.2f} only, any "
            f"two rows with {chance:.2f}: prices assume that the subpopulation decides the label."
        )
