"""Mixtures of subpopulations: points never repeat, learners are coupled to them (Feldman 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from tqdm import tqdm

from longtail import _checks
from longtail._checks import Seed
from longtail.worlds import World

Points: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Classifier: TypeAlias = Callable[[Points], Labels]
PointLearner: TypeAlias = Callable[[Points, Labels], Classifier]


class MixtureSample(NamedTuple):
    """Labelled points and the subpopulation that each came from, which a learner does not see.

    Attributes
    ----------
    x
        Points, shape (n, d).
    y
        Labels, shape (n,).
    subpopulation
        Indices into the world, shape (n,).
    """

    x: Points
    y: Labels
    subpopulation: NDArray[np.int64]


@dataclass(frozen=True)
class Mixture:
    """A world whose elements are subpopulations: clouds of points around centres.

    Attributes
    ----------
    world
        Frequencies and labels of the N subpopulations.
    centres
        Shape (N, d).
    spread
        Root mean square distance of a point from its centre, before a spherical mixture is normalised.
    spherical
        Whether points are scaled to length one.
    """

    world: World
    centres: Points
    spread: float
    spherical: bool

    def points(self, subpopulation: NDArray[np.int64], seed: Seed = None) -> Points:
        """Draw one fresh point of each subpopulation named, shape (k, d)."""
        rng, d = np.random.default_rng(seed), self.centres.shape[1]
        noise = rng.standard_normal((len(subpopulation), d)) * (self.spread / np.sqrt(d))
        x = self.centres[subpopulation] + noise
        return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True) if self.spherical else x)

    def sample(self, n: int, seed: Seed = None) -> MixtureSample:
        """Draw n labelled points."""
        rng = np.random.default_rng(seed)
        which = rng.choice(self.world.D.size, size=_checks.whole("n", n, 1), p=self.world.D)
        return MixtureSample(self.points(which, rng), self.world.f[which], which)

    def error(self, h: Classifier, points: int, seed: Seed = None) -> float:
        """Error of a classifier on fresh points, estimated from `points` of them."""
        x, y, _ = self.sample(_checks.whole("points", points, 1), seed)
        return float(np.mean(h(x) != y))


def gaussian_mixture(world: World, d: int, spread: float, seed: Seed = None) -> Mixture:
    """Gaussian clouds around Gaussian centres, all centres about one from the origin.

    Parameters
    ----------
    world
        Frequencies and labels of the subpopulations.
    d
        Dimension, at least 1.
    spread
        Root mean square distance of a point from its centre; centres are about sqrt(2) apart.

    Examples
    --------
    >>> from longtail.worlds import draw_world
    >>> from longtail import FrequencyPrior
    >>> mixture = gaussian_mixture(draw_world(FrequencyPrior.zipf(9), 2, seed=0), d=20, spread=0.1, seed=1)
    >>> mixture.sample(5, seed=2).x.shape
    (5, 20)
    """
    spread = _checks.real("spread", spread, 0)
    centres = np.random.default_rng(seed).standard_normal((world.D.size, _checks.whole("d", d, 1)))
    return Mixture(world, centres / np.sqrt(d), spread, spherical=False)


def spherical_mixture(world: World, d: int, cosine: float, seed: Seed = None) -> Mixture:
    """Unit vectors: two points of a subpopulation have a scalar product of about `cosine`, others about 0.

    Parameters
    ----------
    world, d
        As in `gaussian_mixture`.
    cosine
        Typical scalar product within a subpopulation (tau^2 in the book), in (0, 1].
    """
    if _checks.real("cosine", cosine, 0, 1) == 0:
        raise ValueError("cosine must lie in (0, 1], got 0")
    centres = np.random.default_rng(seed).standard_normal((world.D.size, _checks.whole("d", d, 1)))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return Mixture(world, centres, np.sqrt(1 / cosine - 1), spherical=True)


def nearest_neighbour(x: Points, y: Labels) -> Classifier:
    """1-nearest-neighbour, the archetype of a local learner: coupled as long as clouds do not overlap."""
    return lambda fresh: y[cdist(fresh, x, "sqeuclidean").argmin(axis=1)]


@dataclass(frozen=True)
class Coupling:
    """Estimated coupling of a learner: how often a fresh point is answered like the training point.

    Attributes
    ----------
    value
        lambda_l for l = 1..L, shape (L,); NaN where no subpopulation was seen l times.
    se
        Its standard error over samples, shape (L,); NaN with fewer than two samples that tell.
    pairs
        How many pairs of a training point and a fresh one were compared, shape (L,).
    """

    value: Points
    se: Points
    pairs: NDArray[np.int64]


def coupling(
    learner: PointLearner,
    mixture: Callable[[np.random.Generator], Mixture],
    n: int,
    samples: int = 20,
    largest: int = 3,
    fresh: int = 4,
    seed: int = 0,
) -> Coupling:
    """Estimate how strongly a deterministic learner is coupled to subpopulations (Feldman 2020, section 3).

    lambda_l is the mean, over training points x whose subpopulation has l points in the sample, of the chance
    that a fresh point of the same subpopulation is answered as x is.  For one training point and a
    deterministic h this chance is 1 - TV(law of h(x), law of h(x')).

    Parameters
    ----------
    learner
        ``learner(x, y)`` returns a classifier.
    mixture
        Draws a mixture from a generator; one for each sample.
    n
        Sample size.
    samples
        Number of mixtures and samples, at least 2.
    largest
        Largest l.
    fresh
        Fresh points for each training point.
    seed
        Sample k has its own stream, so that fewer samples are a part of more.

    Returns
    -------
    Coupling
    """
    sizes = {"n": n, "largest": largest, "fresh": fresh}
    n, largest, fresh = (_checks.whole(name, size, 1) for name, size in sizes.items())
    streams = np.random.SeedSequence(_checks.whole("seed", seed)).spawn(_checks.whole("samples", samples, 2))
    totals = np.zeros((len(streams), 2, largest))
    for k, stream in enumerate(tqdm(streams, desc="coupling", leave=False, disable=None)):
        rng = np.random.default_rng(stream)
        drawn = mixture(rng)
        sample = drawn.sample(n, rng)
        h = learner(sample.x, sample.y)
        l = np.bincount(sample.subpopulation)[sample.subpopulation]
        chosen = np.flatnonzero(l <= largest)
        again = np.repeat(sample.subpopulation[chosen], fresh)
        same = h(drawn.points(again, rng)) == np.repeat(h(sample.x[chosen]), fresh)
        for row, weights in enumerate((same.astype(float), np.ones(same.size))):
            totals[k, row] = np.bincount(np.repeat(l[chosen], fresh), weights, largest + 1)[1:]
    return Coupling(*_ratio(totals[:, 0], totals[:, 1]), totals[:, 1].sum(axis=0).astype(np.int64))


def _ratio(agree: Points, pairs: Points) -> tuple[Points, Points]:
    """Ratio of sums over samples, with the standard error of a ratio estimator."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = agree.sum(axis=0) / pairs.sum(axis=0)
        spread = ((agree - value * pairs) ** 2).sum(axis=0) / (len(pairs) - 1) * len(pairs)
        se = np.where((pairs > 0).sum(axis=0) > 1, np.sqrt(spread) / pairs.sum(axis=0), np.nan)
    return value, se
