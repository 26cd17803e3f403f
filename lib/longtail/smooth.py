"""Named priors of any length: frequencies by formula, sums by `longtail.series`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from longtail import series
from longtail.measures import Measure
from longtail.priors import HUGE, Array, FrequencyPrior, check_listable

ROUNDING = 1e-12  # frequencies so close, relatively, to an end of an interval count as equal to it


class SmoothPrior(FrequencyPrior):
    """A named prior that keeps no list: what `FrequencyPrior.zipf` and its like return for many elements.

    It answers like the list would.  `values`, `multiplicities`, `frequencies` and `sample` make the list when
    asked; everything else costs the same at any N.

    Parameters
    ----------
    stretches
        The values by rank, see `longtail.series`; the largest is the first of the first stretch.

    Raises
    ------
    MemoryError
        If a list is asked for that would take more than 1 GB.
    """

    _scale = 1.0  # values are divided by the largest

    def __init__(self, stretches: list[series.Stretch]) -> None:
        self._named_stretches = stretches
        self._stretches = series.floored(stretches)
        self.N = sum(s.last for s in stretches)
        others = [replace(self._stretches[0], first=2), *self._stretches[1:]]
        self._rest = math.fsum(_total(s) for s in others if s.first <= s.last)
        self._total = self._rest + 1.0

    def __repr__(self) -> str:
        ends = [np.array([s.first, s.last]) - s.shift for s in self._stretches]
        least = min(s.log(y).min() for s, y in zip(self._stretches, ends, strict=True))
        return f"FrequencyPrior(N={self.N}, values from 1 down to {math.exp(least):.6g})"

    @cached_property
    def values(self) -> Array:  # type: ignore[override]
        """The values, largest first."""
        check_listable(self.N)
        values = -np.sort(-series.listed(self._named_stretches))
        values.flags.writeable = False
        return values

    @cached_property
    def multiplicities(self) -> NDArray[np.int64]:  # type: ignore[override]
        """How often each value stands in the list, which is once."""
        check_listable(self.N)
        return np.broadcast_to(np.int64(1), self.N)

    def _odds_of(self, logs: Array) -> Array:
        values = np.exp(logs)
        others = np.where(values == 1, max(self._rest, 1 / HUGE), self._total - values)
        return _ratio(values, others)

    def odds(self, n: int, l: int) -> Iterator[Measure]:
        """A quadrature rule for the frequencies, see `FrequencyPrior.odds`."""
        for stretch in self._stretches:
            logs, weights = series.rule(stretch, n, l, self._odds_of)
            if logs.size:
                yield self._odds_of(logs), weights

    @property
    def _single(self) -> Measure:
        rules = [series.rule(s, 0, 0, self._odds_of) for s in self._stretches]
        logs, weights = (np.concatenate(parts) for parts in zip(*rules, strict=True))
        return np.exp(logs), weights / self.N

    def _between(self, low: float, high: float, rest: float | None = None) -> float:
        def share(logs: Array) -> Array:
            values = np.exp(logs)
            return _ratio(values, self._total if rest is None else values + rest)

        low, high = low * (1 - ROUNDING), high * (1 + ROUNDING)
        parts = [s.between(low, high, share) for s in self._stretches]
        return math.fsum(_total(part, share) for part in parts if part)


def _ratio(values: Array, whole: Array | float) -> Array:
    with np.errstate(under="ignore"):  # 1e-300 beside a total of 1e15 is meant to vanish
        return np.asarray(values / whole)


def _total(stretch: series.Stretch, value: series.Curve = np.exp) -> float:
    """Sum over a stretch of a function that grows like the value."""
    logs, weights = series.rule(stretch, 1, 1, value)
    return float(value(logs) @ weights)
