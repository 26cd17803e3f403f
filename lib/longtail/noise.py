"""Random classification noise: what a label is worth when it may be wrong (Feldman 2020, section 2.3).

Each time an element is drawn, its label is the true one with probability kappa and uniform over the m classes
otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from longtail import _checks
from longtail._checks import Seed
from longtail.price import _log_binomial
from longtail.worlds import World


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


def noisy_votes(world: World, n: int, kappa: float, seed: Seed = None) -> NDArray[np.int64]:
    """Draw n noisy examples and count the labels of each element.

    Returns
    -------
    ndarray, shape (N, m)
        How often each label was seen on each element.

    Examples
    --------
    >>> world = World(np.array([0.7, 0.3]), np.array([2, 0]), classes=3)
    >>> noisy_votes(world, 10, kappa=1, seed=0)
    array([[0, 0, 7],
           [3, 0, 0]])
    """
    rng, n = np.random.default_rng(seed), _checks.whole("n", n, 1)
    right, wrong = _vote_chances(_checks.real("kappa", kappa, 0, 1), world.classes)
    shown = wrong + (right - wrong) * np.eye(world.classes)[world.f]
    return np.asarray(rng.multinomial(rng.multinomial(n, world.D), shown))


def copier(votes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Memorizer that believes everything: repeats one of the labels it saw, and guesses where it saw none."""
    seen = np.where(votes.sum(-1, keepdims=True) == 0, 1, votes)
    ballot = rng.random(votes.shape[:-1]) * seen.sum(-1)
    return np.asarray((seen.cumsum(-1) > ballot[..., None]).argmax(-1))


def majority(votes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Answer the label seen most often and draw ties: Bayes-optimal for uniform labels and 0 < kappa."""
    return np.asarray((votes + rng.random(votes.shape)).argmax(-1))


def bayes_optimal(kappa: float, rho: ArrayLike) -> Callable[..., NDArray[np.int64]]:
    """Learner that answers the label with the largest posterior when labels are drawn from `rho`.

    For a uniform `rho` it is `majority`; else it weighs the votes against what was likely beforehand.

    Parameters
    ----------
    kappa
        Chance that a label is copied rather than drawn at random, in [0, 1).
    rho
        Law of the true labels, shape (m,), positive.

    Returns
    -------
    callable
        ``learn(votes, rng)``, as `majority`.

    Examples
    --------
    One vote in four classes with kappa = 0.1 cannot outweigh a prior of a half:

    >>> learn = bayes_optimal(0.1, [0.5, 0.2, 0.2, 0.1])
    >>> learn(np.array([[0, 0, 0, 1]]), np.random.default_rng(0))
    array([0])
    """
    prior = _checks.vector("rho", rho)
    if prior.size < 2 or not (prior > 0).all():
        raise ValueError(f"rho must be positive for at least 2 labels, got {prior}")
    if _checks.real("kappa", kappa, 0, 1) == 1:
        raise ValueError("kappa must be below 1 (without noise one label says it all), got 1")
    right, wrong = _vote_chances(kappa, prior.size)

    def learn(votes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        score = votes * math.log(right / wrong) + np.log(prior)
        best = np.isclose(score, score.max(-1, keepdims=True), rtol=0, atol=1e-9)  # rounding makes no ties
        return majority(best.astype(np.int64), rng)

    return learn


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
            tied = math.exp(_log_binomial(m - 1, ties) + scipy.special.xlogy(ties, votes_wrong[votes]))
            total += votes_right[votes] * tied * others / (ties + 1)
    return float(total / _poisson(l, l)[l])


def _vote_chances(kappa: float, m: int) -> tuple[float, float]:
    return kappa + (1 - kappa) / m, (1 - kappa) / m


def _poisson(mean: float, largest: int) -> NDArray[np.float64]:
    """Probabilities of 0..largest."""
    k = np.arange(largest + 1)
    return np.asarray(np.exp(scipy.special.xlogy(k, mean) - scipy.special.gammaln(k + 1) - mean))


def _series_power(series: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    """A power series to a whole power, cut off at the length of `series`."""
    result = np.zeros_like(series)
    result[0] = 1
    for _ in range(exponent):
        result = np.convolve(result, series)[: series.size]
    return result
