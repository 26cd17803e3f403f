"""Learners on the discrete domain: each maps a sample to a label for every element.

On an unstructured domain a learner can only decide what to answer where it has seen a label, and guess
elsewhere.  The learners here go by how often an element was seen, and their error is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from longtail import _checks
from longtail._checks import Reading
from longtail.limits import limited_fit, private_fit
from longtail.price import mass_seen, optimal_error
from longtail.priors import FrequencyPrior
from longtail.worlds import UNSEEN, Sample

Fit: TypeAlias = Callable[[int, int], float]
Learner: TypeAlias = Callable[[Sample, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class CountLearner:
    """Learner whose chance to answer an element's label depends on how often the element was seen.

    Where it does not fit it answers one of the other labels, all alike; on what was never seen it guesses.
    Called with a sample and a generator it returns a label for every element.

    Attributes
    ----------
    fit
        ``fit(l, m)``: chance to answer the label of an element seen l >= 1 times among m classes; it must not
        fall as l grows.
    """

    fit: Fit

    def __call__(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return a label for every element, shape (N,)."""
        h = np.where(
            sample.labels == UNSEEN, rng.integers(sample.classes, size=sample.labels.size), sample.labels
        )
        counts, where = np.unique(sample.counts, return_inverse=True)
        chance = np.array([self.fit(int(l), sample.classes) if l else 1.0 for l in counts])[where]
        if (chance < 1).any():
            missed = rng.random(h.size) >= chance
            h[missed] = (h[missed] + rng.integers(1, sample.classes, size=missed.sum())) % sample.classes
        return np.asarray(h)

    def memorization(self, l: int, classes: int) -> float:
        """Memorization score of each copy of an element seen `l` >= 1 times: fit(l) - fit(l - 1)."""
        l, m = _checks.whole("l", l, 1), _checks.whole("classes", classes, 2)
        return self.fit(l, m) - (self.fit(l - 1, m) if l > 1 else 1 / m)

    def error(self, prior: FrequencyPrior, n: int, classes: int, reading: Reading = "fixed") -> float:
        """Expected error over world, sample and answers: the sum over l of tau_l E[Phi_l] (1 - fit(l)).

        Exact for uniform labels (the identity behind Feldman 2020, Theorem 2.3).

        Parameters
        ----------
        prior, n, reading
            As in `longtail.tau`.
        classes
            Number of equally likely labels, at least 2.

        Examples
        --------
        >>> zipf = FrequencyPrior.zipf(5_000)
        >>> round(memorizer.error(zipf, 10_000, classes=10), 6)
        0.113382
        """
        n = _checks.whole("n", n, 1)
        total, rest = optimal_error(prior, n, classes, reading), 1 - mass_seen(prior, n, 0, reading)
        settled = self.fit(n, classes)  # the fit of what was seen often
        for l in range(1, n + 1):
            fit = self.fit(l, classes)
            if settled - fit < 1e-15:
                break
            mass = mass_seen(prior, n, l, reading)
            total, rest = total + mass * (1 - fit), rest - mass
        return total + max(rest, 0.0) * (1 - settled)


memorizer = CountLearner(lambda l, m: 1.0)
"""The learner that answers the label where one was seen and guesses elsewhere, optimal without noise."""


def fits_from(least: int) -> CountLearner:
    """Learner that memorizes what it saw at least `least` times and guesses on everything else.

    ``fits_from(1)`` is the memorizer, ``fits_from(2)`` leaves every singleton unfitted.

    Examples
    --------
    >>> fits_from(2).fit(1, 10), fits_from(2).fit(2, 10)
    (0.1, 1.0)
    """
    least = _checks.whole("least", least, 1)
    return CountLearner(lambda l, m: 1.0 if l >= least else 1 / m)


def fits_singletons_with(probability: float) -> CountLearner:
    """Learner that fits each singleton with a given probability, and memorizes what it saw more often.

    With m classes, ``probability = 1/m + gamma`` memorizes no singleton by more than gamma and attains the
    bound for that; the pairs it memorizes by 1 - probability.

    Parameters
    ----------
    probability
        Chance to answer a singleton's own label, in [0, 1].
    """
    probability = _checks.real("probability", probability, 0, 1)
    return CountLearner(lambda l, m: 1.0 if l > 1 else probability)


def limited(gamma: float) -> CountLearner:
    """Learner that memorizes no example at all by more than gamma, and fits as well as that allows.

    Its fit climbs by gamma with every copy, see `longtail.limits.limited_fit`.
    """
    gamma = _checks.real("gamma", gamma, 0, 1)
    return CountLearner(lambda l, m: limited_fit(l, m, gamma))


def randomized_response(epsilon: float) -> CountLearner:
    """Learner that keeps one label of each element and reports it by randomized response.

    Epsilon-label-private on every example; on singletons no private learner does better.

    Parameters
    ----------
    epsilon
        Privacy parameter, non-negative, infinity allowed.
    """
    epsilon = _checks.real("epsilon", epsilon, 0)
    return CountLearner(lambda l, m: private_fit(1, m, epsilon))


def private(epsilon: float) -> CountLearner:
    """Learner that meets the bound `longtail.limits.private_fit` for each count.

    No epsilon-label-private learner has a smaller error; `private_fit` says where it is known to be private.
    """
    epsilon = _checks.real("epsilon", epsilon, 0)
    return CountLearner(lambda l, m: private_fit(l, m, epsilon))
