"""Plant what experiments should find: subpopulation sizes from a known prior, and wrong labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from longtail import _checks
from longtail._checks import Seed
from longtail.priors import FrequencyPrior


class Planted(NamedTuple):
    """Examples chosen such that their subpopulations have a long tail.

    Attributes
    ----------
    chosen
        Numbers of the examples, shape (n,), without repetition.
    counts
        How many examples each subpopulation has among them, shape (N,).
    D
        The frequencies that the counts were drawn from, shape (N,).
    """

    chosen: NDArray[np.int64]
    counts: NDArray[np.int64]
    D: NDArray[np.float64]


class Flipped(NamedTuple):
    """Labels of which some are wrong, and which.

    Attributes
    ----------
    labels
        Shape (n,).
    wrong
        Whether a label differs from the true one, shape (n,).
    """

    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_]


def plant_sizes(subpopulation: ArrayLike, prior: FrequencyPrior, n: int, seed: Seed = None) -> Planted:
    """Choose n examples whose subpopulations are as frequent as a prior says, in random order.

    Which subpopulation becomes rare is drawn at random, so that rarity says nothing about what it looks like.

    Parameters
    ----------
    subpopulation
        Subpopulation of each example of a pool, whole numbers in ``range(N)``, shape (pool,).
    prior
        A prior over N subpopulations, in the fixed reading.
    n
        How many to choose.
    seed
        A seed or generator.

    Raises
    ------
    ValueError
        If a subpopulation has fewer examples in the pool than the draw asks for: nothing is drawn twice.

    Examples
    --------
    >>> pool = np.repeat(np.arange(5), 100)
    >>> planted = plant_sizes(pool, FrequencyPrior.zipf(5), n=50, seed=0)
    >>> int(planted.counts.sum()), len(set(planted.chosen))
    (50, 50)
    """
    pool, n = _checks.labels("subpopulation", subpopulation, prior.N), _checks.whole("n", n, 1)
    rng = np.random.default_rng(seed)
    D = prior.sample(rng)
    counts, held = rng.multinomial(n, D), np.bincount(pool, minlength=prior.N)
    if (counts > held).any():
        worst = int((counts - held).argmax())
        raise ValueError(
            f"n = {n} asks for {counts[worst]} examples of subpopulation {worst}, the pool has {held[worst]}"
        )
    order = rng.permutation(pool.size)
    order = order[np.argsort(pool[order], kind="stable")]  # by subpopulation, each in random order
    rank = np.arange(pool.size) - np.repeat(np.cumsum(held) - held, held)
    return Planted(rng.permutation(order[rank < np.repeat(counts, held)]), counts, D)


def flip_labels(labels: ArrayLike, classes: int, share: float, seed: Seed = None) -> Flipped:
    """Replace the labels of a share of the examples, drawn at random, by one of the other labels.

    Parameters
    ----------
    labels
        True labels in ``range(classes)``, shape (n,).
    classes
        Number of labels, at least 2.
    share
        Share of labels made wrong, in [0, 1], rounded to whole examples.
    seed
        A seed or generator.

    Examples
    --------
    >>> flip_labels([0, 1, 2, 0], classes=3, share=0.5, seed=0)
    Flipped(labels=array([0, 1, 0, 1]), wrong=array([False, False,  True,  True]))
    """
    m = _checks.whole("classes", classes, 2)
    true = _checks.labels("labels", labels, m)
    rng, wrong = np.random.default_rng(seed), np.zeros(true.size, dtype=bool)
    size = round(_checks.real("share", share, 0, 1) * true.size)
    wrong[rng.choice(true.size, size, replace=False)] = True
    return Flipped(np.where(wrong, (true + rng.integers(1, m, size=true.size)) % m, true), wrong)
