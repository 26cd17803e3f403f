"""Learners on the discrete domain: each maps a sample to a label for every element.

On an unstructured domain a learner can only decide what to answer where it has seen a label, and guess
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from longtail import _checks
from longtail.worlds import UNSEEN, Sample

Learner: TypeAlias = Callable[[Sample, np.random.Generator], NDArray[np.int64]]


def memorizer(sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
    """Answer the label where one was seen and guess elsewhere: optimal for noiseless uniform labels."""
    return np.where(sample.labels == UNSEEN, _guesses(sample, rng), sample.labels)


def fits_from(least: int) -> Learner:
    """Learner that memorizes what it saw at least `least` times and guesses on everything else.

    ``fits_from(1)`` is the memorizer, ``fits_from(2)`` leaves every singleton unfitted.

    Examples
    --------
    >>> from longtail.worlds import Sample
    >>> sample = Sample(np.array([2, 1]), np.array([7, 3]), classes=10)
    >>> fits_from(2)(sample, np.random.default_rng(0))
    array([7, 6])
    """
    least = _checks.whole("least", least, 1)

    def learn(sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
        return np.where(sample.counts < least, _guesses(sample, rng), sample.labels)

    return learn


def fits_singletons_with(probability: float) -> Learner:
    """Learner that fits each singleton with a given probability, and memorizes what it saw more often.

    Where it does not fit it answers one of the other labels, all alike.  With m classes,
    ``probability = 1/m + gamma`` memorizes no singleton by more than gamma and attains the bound for that.

    Parameters
    ----------
    probability
        Chance to answer a singleton's own label, in [0, 1].
    """
    probability = _checks.real("probability", probability, 0, 1)

    def learn(sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
        h = memorizer(sample, rng)
        missed = (sample.counts == 1) & (rng.random(h.size) >= probability)
        h[missed] = (h[missed] + rng.integers(1, sample.classes, size=missed.sum())) % sample.classes
        return h

    return learn


def _guesses(sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(sample.classes, size=sample.labels.size)
