"""Audit your own data: what limits on memorization would cost, from counts of subpopulations alone.

No prior is needed: Good and Turing's identity turns counts into prices.  What is assumed: rows are
independent draws, and subpopulations are what labels depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtail import _checks
from longtail.goodturing import Estimate, price
from longtail.learners import CountLearner, fits_from, limited, private
from longtail.tables import Table, count_cells

EVERYONE = "all"
FEW_ROWS, ALONE = 200, 0.9


@dataclass(frozen=True)
class Amount:
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """What the data say of one group, or of all.

    Attributes
    ----------
    group
        Name of the group; `EVERYONE` for all rows.
    rows, subpopulations, alone
        How many rows, in how many subpopulations, and how many rows are the only one of theirs.
    prices
        Shares of fresh rows, by name: ``"unseen"``, of a subpopulation never seen; ``"seen once"``, of one
        seen once; ``"not fitting"``, wrong because singletons are not fitted; ``"gamma"`` and
        ``"epsilon"``, wrong because of these limits, if they were asked for.
    """

    group: str
    rows: int
    subpopulations: int
    alone: int
    prices: dict[str, Amount]


@dataclass(frozen=True)
class Audit:
    """The report of `audit`.

    Attributes
    ----------
    lines
        All rows first, then each group.
    classes, gamma, epsilon
        What the prices are for.
    agreement
        Chance that two rows of one subpopulation have the same label; None without labels.
    warnings
        What a reader must know before using the numbers.
    """

    lines: list[Line]
    classes: int
    gamma: float | None
    epsilon: float | None
    agreement: float | None
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as what JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        """Format the report as a table in percent, with intervals."""
        names = list(self.lines[0].prices)
        heads = ["", "rows", "subpop.", "alone", *names]
        body = [
            [line.group, f"{line.rows:,}", f"{line.subpopulations:,}", f"{line.alone:,}"]
            + [_percent(line.prices[name]) for name in names]
            for line in self.lines
        ]
        widths = [max(map(len, column)) for column in zip(heads, *body, strict=True)]
        table = [
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in [heads, *body]
        ]
        limits = f"{self.classes} classes" + "".join(
            f", {name} = {value:g}"
            for name, value in (("gamma", self.gamma), ("epsilon", self.epsilon))
            if value is not None
        )
        notes = [
            f"Percent of fresh rows, with intervals; {limits}.",
            *(f"Warning: {w}" for w in self.warnings),
        ]
        return "\n".join([*table, "", *notes])


def audit(
    table: Table,
    subpopulation: str | Sequence[str],
    group: str | Sequence[str] = (),
    label: str | None = None,
    classes: int | None = None,
    gamma: float | None = None,
    epsilon: float | None = None,
    level: float = 0.95,
) -> Audit:
    """Estimate what not memorizing would cost on these data, overall and by group.

    Parameters
    ----------
    table
        A CSV or Parquet file, a mapping of names to columns, or a polars frame.
    subpopulation
        Columns whose values together make a subpopulation.
    group
        Columns whose values together make a group, if it is to be told who pays.
    label
        Column of labels: counts the classes, and how often labels agree within a subpopulation.
    classes
        Number of equally likely labels, at least 2; as many as `label` has when left out, else 2.
    gamma
        Largest memorization score allowed, in [0, 1].
    epsilon
        Label privacy, at least 0.
    level
        Of the confidence intervals.

    Returns
    -------
    Audit
        Print it for a table.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file or a column is missing, empty, not UTF-8 or has missing values, or an argument is out
        of range.
    ImportError
        If polars is missing.

    Examples
    --------
    >>> report = audit({"word": ["a", "a", "b", "c"]}, "word")
    >>> report.lines[0].alone, report.lines[0].prices["unseen"].value
    (2, 0.5)
    """
    learners = _learners(gamma, epsilon)
    cells = count_cells(table, _names(subpopulation), _names(group), [label] if label else [])
    m = _checks.whole("classes", classes or max(2, cells.labels), 2)
    charges = {name: _extra(learner, m) for name, learner in learners.items()}
    lines = [_line(EVERYONE, cells.counts, None, charges, level)]
    for name, members in cells.by_group.items():
        lines.append(_line(name, cells.counts, members, charges, level))
    return Audit(lines, m, gamma, epsilon, cells.agreement, _warnings(lines[0], cells.agreement))


def _learners(gamma: float | None, epsilon: float | None) -> dict[str, CountLearner]:
    found = {"not fitting": fits_from(2)}
    if gamma is not None:
        found["gamma"] = limited(_checks.real("gamma", gamma, 0, 1))
    if epsilon is not None:
        found["epsilon"] = private(_checks.real("epsilon", epsilon, 0))
    return found


def _extra(learner: CountLearner, m: int) -> Callable[[int], float]:
    """Error on an element seen l times, where the best learner makes none; the unseen cost all alike."""
    return lambda l: 1 - learner.fit(l, m) if l else 0.0


def _line(
    name: str,
    counts: NDArray[np.int64],
    members: NDArray[np.int64] | None,
    charges: Mapping[str, Callable[[int], float]],
    level: float,
) -> Line:
    mine = counts if members is None else members
    inside = mine > 0
    counts, mine = counts[inside], mine[inside]
    seen = {"unseen": lambda l: float(l == 0), "seen once": lambda l: float(l == 1)}
    found = {what: price(counts, charge, mine) for what, charge in {**seen, **charges}.items()}
    amounts = {what: _amount(estimate, level) for what, estimate in found.items()}
    return Line(name, int(mine.sum()), mine.size, int(mine[counts == 1].sum()), amounts)


def _amount(estimate: Estimate, level: float) -> Amount:
    return Amount(estimate.value, *estimate.interval(level))


def _warnings(everyone: Line, agreement: float | None) -> list[str]:
    found = []
    if everyone.rows < FEW_ROWS:
        found.append(f"{everyone.rows} rows are few: read the intervals, not the estimates.")
    if everyone.alone >= ALONE * everyone.rows:
        found.append(
            f"{everyone.alone:,} of {everyone.rows:,} rows are the only one of their subpopulation: the "
            "columns are too fine to say what rows have in common, and prices rest on few pairs. "
            "Use fewer columns."
        )
    elif everyone.alone == 0:
        found.append(
            "no subpopulation was seen once: these data have no tail at this resolution, and limits on "
            "memorization cost little; finer columns may tell another story."
        )
    if agreement is not None and agreement < ALONE:
        found.append(
            f"two rows of one subpopulation have the same label with chance {agreement:.2f} only: prices "
            "assume that the subpopulation decides the label."
        )
    return found


def _names(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _percent(amount: Amount) -> str:
    if math.isnan(amount.value):
        return "?"
    return f"{100 * amount.value:.2f} [{100 * amount.low:.2f}, {100 * amount.high:.2f}]"
