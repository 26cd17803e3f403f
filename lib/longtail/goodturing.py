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
    """

    value: float
    se: float
    unit: float

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided confidence interval for the mass in this very sample.

        The upper end is the exact one of a Poisson count, scaled to this mean and variance.  The lower end is
        the normal one: with few events the mass itself, not only its estimate, may well be zero.

        Parameters
        ----------
        level
            Nominal coverage, strictly between 0 and 1.

        Examples
        --------
        No pair among 1,000 draws does not mean that nothing sits in singletons:

        >>> mass_seen([1] * 1000, l=1).interval().high > 0.005
        True
        """
        tail = (1 - _checks.real("level", level, 0, 1)) / 2
        unit = self.se**2 / self.value if self.value and self.se else self.unit
        low = max(0.0, self.value + float(scipy.special.ndtri(tail)) * self.se)
        return Interval(
            low, min(1.0, float(scipy.special.chdtri(2 * (self.value / unit + 1), tail)) / 2 * unit)
        )


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
    phi = np.append(occurrences(counts), [0, 0]).astype(np.float64)
    n = float(np.arange(phi.size) @ phi)
    l = _checks.whole("l", l)
    up, up2 = (phi[k] if k < phi.size else 0.0 for k in (l + 1, l + 2))
    variance = (l + 1) ** 2 * up * (1 - up / n) + (l + 1) * (l + 2) * up2
    return Estimate(float((l + 1) * up / n), float(np.sqrt(variance) / n), (l + 1) / n)


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
    levels, where = np.unique(c, return_inverse=True)
    now, before = (
        np.array([charge(max(int(l) - back, 0)) for l in levels], dtype=np.float64)[where] for back in (1, 2)
    )
    n, value = float(k.sum()), float(k @ now) / float(k.sum())
    variance = k @ now**2 + (k * (k - 1)) @ (now - before) ** 2 - n * value**2
    firsts = (l * charge(l - 1) for l in range(1, int(c.max()) + 3) if charge(l - 1) > 0)
    return Estimate(float(value), math.sqrt(max(float(variance), 0.0)) / n, next(firsts, 1.0) / n)


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
