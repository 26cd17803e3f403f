"""From tails to bounds: the weight near frequency 1/n decides tau_1 (Feldman 2020, section 2.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from longtail import _checks
from longtail._checks import Reading
from longtail.priors import FrequencyPrior


class TailBound(NamedTuple):
    """A lower bound on tau_1 and the interval of frequencies that gives it."""

    bound: float
    low: float
    high: float


def tail_constant(n: int, low: float, high: float) -> float:
    """Sharp constant c of the interval ``[low, high]``: tau_1 >= (c / n) weight([low, high]) for every prior.

    It is n times the least value of a(1-a)^(n-1) on the interval, which lies at one of its ends.

    Parameters
    ----------
    n
        Sample size, at least 1.
    low, high
        Ends of the interval, 0 <= low <= high <= 1.

    Examples
    --------
    On the paper's interval it falls towards exp(-1/3) / 3 = 0.2388 as n grows:

    >>> n = 10**9
    >>> round(tail_constant(n, 1 / (3 * n), 2 / n), 4)
    0.2388
    """
    n = _checks.whole("n", n, 1)
    low = _checks.real("low", low, 0, 1)
    high = _checks.real("high", high, low, 1)
    return n * min(_once(low, n), _once(high, n))


def tail_lower_bound(
    prior: FrequencyPrior,
    n: int,
    low: float | None = None,
    high: float | None = None,
    tight: bool = True,
    reading: Reading = "fixed",
) -> float:
    """Bound tau_1 from below by the weight of an interval of frequencies (Feldman 2020, Lemma 2.5).

    tau_1 >= (c / n) weight([low, high]), with the sharp c of `tail_constant` or, for ``tight=False``, the
    paper's 1/5 for its interval [1/(3n), 2/n], which needs n >= 3.

    Parameters
    ----------
    prior, n, reading
        As in `longtail.tau`.
    low, high
        The interval; the paper's when left out.
    tight
        The sharp constant (default) or the paper's.

    Examples
    --------
    >>> n = 50_000
    >>> round(n * tail_lower_bound(FrequencyPrior.zipf(n), n), 4)
    0.0376
    """
    n = _checks.whole("n", n, 1)
    if not tight and (low is not None or high is not None or n < 3):
        raise ValueError(f"tight=False is for the paper's interval and n >= 3, got [{low}, {high}], n = {n}")
    low = 1 / (3 * n) if low is None else low
    high = min(1.0, 2 / n) if high is None else high
    constant = tail_constant(n, low, high) if tight else 0.2
    return constant / n * prior.weight(low, high, reading)


def best_interval(prior: FrequencyPrior, n: int) -> TailBound:
    """Interval of frequencies that gives the largest `tail_lower_bound` in the fixed reading.

    The best intervals are level sets of a(1-a)^(n-1), so that one pass over the sorted list is enough.

    Examples
    --------
    >>> n = 50_000
    >>> best = best_interval(FrequencyPrior.zipf(n), n)
    >>> round(n * best.bound, 4), round(n * best.low, 2), round(n * best.high, 2)
    (0.0403, 0.29, 2.41)
    """
    n, alpha = _checks.whole("n", n, 1), prior.frequencies
    with np.errstate(divide="ignore", under="ignore"):
        levels = alpha * np.exp((n - 1) * np.log1p(-alpha)) if n > 1 else alpha
    order = np.argsort(-levels, kind="stable")
    bounds = levels[order] * np.cumsum((alpha * prior.multiplicities)[order])
    best = int(bounds.argmax())
    inside = alpha[order[: best + 1]]
    return TailBound(float(bounds[best]), float(inside.min()), float(inside.max()))


def no_tail_upper_bound(prior: FrequencyPrior, n: int, theta: float, reading: Reading = "fixed") -> float:
    """Upper bound 2 theta on tau_1 for a prior with nothing between theta and t/n (Feldman 2020, Lemma 2.6).

    Here beta = weight([0, theta]) and t = ln(1 / (theta beta)) + 2.

    Parameters
    ----------
    prior, n, reading
        As in `longtail.tau`.
    theta
        At most 1/(2n), with some weight below it and none in [theta, t/n].

    Raises
    ------
    ValueError
        If one of these hypotheses fails; the message says which.

    Examples
    --------
    >>> prior = FrequencyPrior([0.1, 1e-6], multiplicities=[9, 100_000])
    >>> no_tail_upper_bound(prior, 1000, theta=2e-6)
    4e-06
    """
    n = _checks.whole("n", n, 1)
    theta = _checks.real("theta", theta, 0, 1 / (2 * n))
    beta = prior.weight(0, theta, reading)
    if theta == 0 or beta == 0:
        raise ValueError(f"theta must leave some weight in [0, theta], got theta = {theta:g}, weight 0")
    gap = (math.log(1 / (theta * beta)) + 2) / n
    between = prior.weight(theta, max(theta, gap), reading)
    if between > 0:
        raise ValueError(
            f"theta must leave no weight in [theta, t/n] = [{theta:g}, {gap:g}], got weight {between:g}"
        )
    return 2 * theta


def _once(alpha: float, n: int) -> float:
    """Chance to be drawn exactly once, divided by n: alpha (1 - alpha)^(n - 1)."""
    if alpha == 1:
        return float(n == 1)
    return alpha * math.exp((n - 1) * math.log1p(-alpha))
