"""Prior-free estimates from counts: the mass of what was seen exactly l times (Good 1953).

The identity behind all of it: the expected mass of the elements seen l times among n draws is
(l + 1) / (n + 1) times the expected number of elements seen l + 1 times among n + 1 draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from longtail import _checks

FIRST_LEVELS = 10  # charges looked at whether or not a count was seen


class Interval(NamedTuple):
    """Two ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error.

    Attributes
    ----------
    value
        The estimate.
    se
        Its standard error.
    unit
        What one more event would add to `value`; it keeps intervals honest when few or no events were seen.
    most
        Largest possible value.
    unit_down
        What one more event of the opposite kind would take away, when `value` is at or near `most`.
    """

    value: float
    se: float
    unit: float
    most: float
    unit_down: float

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided confidence interval for the mass in this very sample.

        Each end allows for one event more than was seen, as the exact interval of a Poisson count does (Fay
        and Feuer 1997): the upper end for what makes up the value, the lower end for what `most` has above
        it.  Neither end is ever inside the normal interval.

        Parameters
        ----------
        level
            Nominal coverage, strictly between 0 and 1.

        Examples
        --------
        No pair among 1,000 draws does not mean that nothing sits in singletons, nor that all is unseen:

        >>> mass_seen([1] * 1000, l=1).interval().high > 0.005
        True
        >>> mass_seen([1] * 1000, l=0).interval().low < 0.995
        True
        """
        tail = (1 - _checks.chance("level", level)) / 2
        normal = -float(scipy.special.ndtri(tail)) * self.se
        gap = self.most - self.value
        low = min(self.value - normal, self.most - _upper_end(gap, self.se, self.unit_down, tail))
        high = max(self.value + normal, _upper_end(self.value, self.se, self.unit, tail))
        return Interval(max(0.0, low), min(self.most, high))


def _upper_end(value: float, se: float, unit: float, tail: float) -> float:
    """Gamma quantile with this mean and variance and one more event; exact if all events add the same."""
    mean, variance = value + unit, se**2 + unit**2
    return float(scipy.special.chdtri(2 * mean**2 / variance, tail)) / 2 * variance / mean


def occurrences(counts: ArrayLike) -> NDArray[np.int64]:
    """Phi: entry l is the number of elements seen exactly l times, for l up to the largest count.

    Parameters
    ----------
    counts
        How often each element was seen; whole numbers, zeros allowed but not needed.

    Raises
    ------
    TypeError, ValueError
        If `counts` is empty, all zero, negative or not whole.

    Examples
    --------
    >>> occurrences([3, 1, 1])
    array([0, 2, 0, 1])
    """
    return np.bincount(_checks.counts("counts", counts))


def mass_seen(counts: ArrayLike, l: int) -> Estimate:
    """Estimate the mass of the elements seen exactly `l` times: (l + 1) Phi_{l+1} / n.

    ``l=0`` is Good and Turing's unseen mass.  ``l=1`` is the mass of the singletons: what it costs to leave
    them all unfitted, before the factor 1 - 1/m for lucky guesses among m classes.

    Parameters
    ----------
    counts
        How often each element was seen, shape (k,); they must come from independent draws.
    l
        Number of occurrences, at least 0.

    Returns
    -------
    Estimate
        With the standard error of its distance from the true mass in this very sample (for ``l=0`` that of
        Esty 1983; for other l derived in the book).

    Examples
    --------
    >>> mass_seen([5, 2, 2, 1, 1, 1], l=0).value
    0.25
    """
    seen, l = _checks.counts("counts", counts), _checks.whole("l", l)
    n = float(seen.sum(dtype=np.float64))
    up, up2 = (float((seen == k).sum()) for k in (l + 1, l + 2))
    variance = (l + 1) ** 2 * up * (1 - up / n) + (l + 1) * (l + 2) * up2
    down = (2 if l == 0 else 1) / n  # a pair for l = 0, one row that is alone for the others
    return Estimate(float((l + 1) * up / n), float(np.sqrt(variance) / n), (l + 1) / n, 1.0, down)


def price(counts: ArrayLike, charge: Callable[[int], float], members: ArrayLike | None = None) -> Estimate:
    """Estimate what a learner pays that is charged by how often each element was seen.

    The price is the sum over l of charge(l) times the mass of the elements seen l times; each example tells
    what it would have cost had it been the fresh one, charge(count - 1).

    Parameters
    ----------
    counts
        How often each element was seen, shape (k,); they must come from independent draws.
    charge
        Error on an element seen l >= 0 times; for a `longtail.learners.CountLearner` it is 1 - fit(l, m).
    members
        How many of these draws belong to one group, shape (k,): then the price of that group.  The whole
        sample when left out.

    Returns
    -------
    Estimate
        With the standard error of its distance from the true price in this very sample.

    Examples
    --------
    To miss every singleton costs the mass of the singletons:

    >>> counts = [5, 2, 2, 1, 1, 1]
    >>> price(counts, lambda l: float(l == 1)).value, mass_seen(counts, l=1).value
    (0.3333333333333333, 0.3333333333333333)
    """
    c = _checks.counts("counts", counts)
    k = c if members is None else _checks.counts("members", members)
    if k.shape != c.shape or (k > c).any():
        raise ValueError(f"members must be parts of the {c.size} counts, got {k!r:.80}")
    ahead = np.arange(min(int(c.max()) + 2, FIRST_LEVELS))
    levels = np.unique(np.concatenate([ahead, c, np.maximum(c - 1, 0), np.maximum(c - 2, 0)]))
    charges = np.array([charge(int(l)) for l in levels], dtype=np.float64)
    now, before = (charges[np.searchsorted(levels, np.maximum(c - back, 0))] for back in (1, 2))
    n, most = float(k.sum()), float(charges.max())
    value = _snapped(float(k @ now) / n, most)
    variance = float(k @ (now - value) ** 2 + (k * (k - 1)) @ (now - before) ** 2)
    unit, unit_down = (_first(levels, paid) / n for paid in (charges, most - charges))
    return Estimate(value, math.sqrt(variance) / n, unit, most, unit_down)


def _snapped(value: float, most: float) -> float:
    """Take away rounding errors at the upper end, where intervals depend on whether anything is missing."""
    return most if most - value < 1e-12 * most else value


def _first(levels: NDArray[np.int64], charges: NDArray[np.float64]) -> float:
    """Charge of the rarest event: l rows of one element, each of which pays for l - 1 others."""
    charged = np.flatnonzero(charges > 0)
    return float((levels[charged[0]] + 1) * charges[charged[0]]) if charged.size else 1.0


def tau(counts: ArrayLike, l: int = 1) -> float:
    """Estimate tau_l, the mean frequency of the elements seen `l` times: (l + 1) Phi_{l+1} / (n Phi_l).

    NaN if no element was seen `l` times.

    Examples
    --------
    >>> tau([5, 2, 2, 1, 1, 1], l=1)
    0.1111111111111111
    """
    phi = occurrences(counts)
    l = _checks.whole("l", l, 1)
    seen = phi[l] if l < phi.size else 0
    return mass_seen(counts, l).value / float(seen) if seen else float("nan")
