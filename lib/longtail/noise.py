"""Random classification noise: what a label is worth when it may be wrong (Feldman 2020, section 2.3).

Each time an element is drawn, its label is the true one with probability kappa and uniform over the m classes
otherwise.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlogy

from longtail import _checks


def label_posterior(votes: ArrayLike, kappa: float) -> NDArray[np.float64]:
    """Law of the true label given how often each label was seen, for a uniform prior over labels.

    Parameters
    ----------
    votes
        How often each of the m >= 2 labels was seen on the element, shape (m,); whole numbers.
    kappa
        Chance that a label is copied rather than drawn at random, in [0, 1].

    Returns
    -------
    ndarray, shape (m,)
        Probabilities.

    Raises
    ------
    ValueError
        If kappa is 1 and two labels were seen: without noise that cannot happen.

    Examples
    --------
    >>> label_posterior([2, 1, 0], kappa=0.7).round(3)
    array([0.877, 0.11 , 0.014])
    """
    seen = _checks.vector("votes", votes)
    if seen.size < 2 or (seen != np.floor(seen)).any():
        raise ValueError(f"votes must be whole numbers for at least 2 labels, got {seen}")
    if _checks.real("kappa", kappa, 0, 1) == 1:
        if np.count_nonzero(seen) > 1:
            raise ValueError(f"votes must agree when kappa is 1, got {seen}")
        weights = (seen == seen.max()).astype(float)
    else:
        right, wrong = _vote_chances(kappa, seen.size)
        weights = np.exp((seen - seen.max()) * math.log(right / wrong))
    return np.asarray(weights / weights.sum())


def label_confidence(votes: ArrayLike, label: int, kappa: float) -> float:
    """conf(S, i, F): posterior chance that `label` is true, minus that of the likeliest other label.

    For a singleton it is kappa itself, for an outvoted label it is negative (Feldman 2020, Theorem 2.4).

    Parameters
    ----------
    votes, kappa
        As in `label_posterior`.
    label
        Index of the label, in ``range(len(votes))``.

    Examples
    --------
    >>> round(label_confidence([1, 0, 0, 0], label=0, kappa=0.3), 9)
    0.3
    """
    posterior = label_posterior(votes, kappa)
    label = _checks.whole("label", label)
    if label >= posterior.size:
        raise ValueError(f"label must be below {posterior.size}, the number of votes, got {label}")
    return float(posterior[label] - np.delete(posterior, label).max())


def majority_accuracy(copies: int, kappa: float, classes: int) -> float:
    """Chance that the label seen most often among `copies` draws of one element is true; ties are drawn.

    Exact, by summing over the number of votes for the true label and the number of labels tied with it.
    ``copies=1`` is what memorizing one label gives: kappa + (1 - kappa) / m.

    Examples
    --------
    >>> [round(majority_accuracy(l, kappa=0.5, classes=10), 4) for l in (1, 2, 3)]
    [0.55, 0.55, 0.6738]
    """
    l, m = _checks.whole("copies", copies, 1), _checks.whole("classes", classes, 2)
    right, wrong = _vote_chances(_checks.real("kappa", kappa, 0, 1), m)
    # Votes of independent Poisson numbers, given that there are l in all, are multinomial: no factorials.
    votes_right, votes_wrong = _poisson(l * right, l), _poisson(l * wrong, l)
    total = 0.0
    for votes in range(1, l + 1):
        fewer = np.where(np.arange(l + 1) < votes, votes_wrong, 0)
        for ties in range(min(m - 1, (l - votes) // votes) + 1):
            others = _series_power(fewer, m - 1 - ties)[l - votes - ties * votes]
            tied = math.comb(m - 1, ties) * votes_wrong[votes] ** ties
            total += votes_right[votes] * tied * others / (ties + 1)
    return float(total / _poisson(l, l)[l])


def _vote_chances(kappa: float, m: int) -> tuple[float, float]:
    return kappa + (1 - kappa) / m, (1 - kappa) / m


def _poisson(mean: float, largest: int) -> NDArray[np.float64]:
    """Probabilities of 0..largest."""
    k = np.arange(largest + 1)
    return np.asarray(np.exp(xlogy(k, mean) - gammaln(k + 1) - mean))


def _series_power(series: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    """A power series to a whole power, cut off at the length of `series`."""
    result = np.zeros_like(series)
    result[0] = 1
    for _ in range(exponent):
        result = np.convolve(result, series)[: series.size]
    return result
