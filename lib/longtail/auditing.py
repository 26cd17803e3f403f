"""Audit your own data: what limits on memorization would cost, from counts of subpopulations alone.

No prior is needed: Good and Turing's identity turns counts into prices.  What is assumed: rows are
independent draws, and subpopulations are what labels depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import Any

from longtail import _checks
from longtail.cautions import EVERYONE, cautions, chance_agreement
from longtail.goodturing import Estimate, price
from longtail.learners import CountLearner, fits_from, limited, private
from longtail.tables import Members, Table, count_cells

COLUMNS = 80  # of text: what fits beside a margin on a screen


@dataclass(frozen=True)
class Amount:
    """An estimate with its standard error and confidence interval."""

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """What the data say of one group, or of all.

    Attributes
    ----------
    group
        Name of the group; ``"all"`` for all rows.
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
    subpopulation, group, label
        The columns that were asked for.
    classes, gamma, epsilon
        What the prices are for.
    level
        Of the confidence intervals.
    agreement, chance_agreement
        Chance that two rows of one subpopulation, or any two rows, have the same label; None without labels.
    warnings
        What a reader must know before using the numbers.
    """

    lines: list[Line]
    subpopulation: list[str]
    group: list[str]
    label: str | None
    classes: int
    gamma: float | None
    epsilon: float | None
    level: float
    agreement: float | None
    chance_agreement: float | None
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as what JSON can hold: an infinite epsilon as a word."""
        return {**asdict(self), "epsilon": "inf" if self.epsilon == math.inf else self.epsilon}

    def __str__(self) -> str:
        """Format the report as a table in percent, intervals below their estimates."""
        names = list(self.lines[0].prices)
        table = [["", "rows", "subpop.", "alone", *names]]
        for line in self.lines:
            amounts = [line.prices[name] for name in names]
            counts = [f"{count:,}" for count in (line.rows, line.subpopulations, line.alone)]
            table.append([line.group, *counts, *(f"{100 * a.value:.2f}" for a in amounts)])
            table.append([""] * 4 + [f"{100 * a.low:.2f}–{100 * a.high:.2f}" for a in amounts])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        limits = f"{self.classes} classes" + "".join(
            f", {name} = {value:g}"
            for name, value in (("gamma", self.gamma), ("epsilon", self.epsilon))
            if value is not None
        )
        notes = [
            f"In percent of fresh rows, {100 * self.level:g} % intervals below; {limits}.",
            *(f"Warning: {w}" for w in self.warnings),
        ]
        rows = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in table]
        return "\n".join([*rows, "", *(fill(note, COLUMNS) for note in notes)])


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
        A CSV file (tabs if its name ends in .tsv), a Parquet file, a mapping of names to columns, or a frame
        of polars or pandas.
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
        Of the confidence intervals, strictly between 0 and 1.

    Returns
    -------
    Audit
        Print it for a table.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file or a column is missing, empty, not UTF-8, has one value only or missing values, or an
        argument is out of range.
    ImportError
        If polars is missing.

    Examples
    --------
    >>> report = audit({"word": ["a", "a", "b", "c"]}, "word")
    >>> report.lines[0].alone, report.lines[0].prices["unseen"].value
    (2, 0.5)
    """
    learners, level = _learners(gamma, epsilon), _checks.chance("level", level)
    asked = None if classes is None else _checks.whole("classes", classes, 2)
    parts, groups = _names("subpopulation", subpopulation), _names("group", group)
    cells = count_cells(table, parts, groups, _names("label", label or ()))
    m = asked or max(2, cells.labels.size)
    charges = {name: _extra(learner, m) for name, learner in learners.items()}
    everyone = _line(EVERYONE, Members(cells.counts, cells.counts), charges, level)
    lines = [everyone, *(_line(name, of, charges, level) for name, of in cells.by_group.items())]
    by_chance = chance_agreement(cells.labels) if label else None
    warnings = cautions(lines, cells, parts, groups)
    return Audit(
        lines, parts, groups, label, m, gamma, epsilon, level, cells.agreement, by_chance, warnings
    )  # fmt: skip


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


def _line(name: str, of: Members, charges: Mapping[str, Callable[[int], float]], level: float) -> Line:
    seen = {"unseen": lambda l: float(l == 0), "seen once": lambda l: float(l == 1)}
    found = {what: price(of.counts, charge, of.members) for what, charge in {**seen, **charges}.items()}
    amounts = {what: _amount(estimate, level) for what, estimate in found.items()}
    alone = int(of.members[of.counts == 1].sum())
    return Line(name, int(of.members.sum()), of.members.size, alone, amounts)


def _amount(estimate: Estimate, level: float) -> Amount:
    return Amount(estimate.value, estimate.se, *estimate.interval(level))


def _names(argument: str, columns: str | Sequence[str]) -> list[str]:
    names = [columns] if isinstance(columns, str) else columns
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be names of columns, got {columns!r:.80}")
    return list(dict.fromkeys(names))
