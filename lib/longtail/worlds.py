"""Worlds to learn in: frequencies D, labels f, samples; and tiny worlds solved exactly."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from longtail import _checks
from longtail._checks import Reading, Seed
from longtail.priors import FrequencyPrior

UNSEEN = -1


@dataclass(frozen=True)
class Sample:
    """What a learner sees: counts of the N elements, and labels of those that were seen.

    Attributes
    ----------
    counts
        Occurrences of each element, shape (N,).
    labels
        Label of each element, `UNSEEN` where the count is zero, shape (N,).
    classes
        Number of labels.
    """

    counts: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int


@dataclass(frozen=True)
class World:
    """Frequencies and labels of N elements (Feldman 2020, section 2).

    Attributes
    ----------
    D
        Frequencies, shape (N,), summing to one.
    f
        Labels in ``range(classes)``, shape (N,).
    classes
        Number of labels.
    """

    D: NDArray[np.float64]
    f: NDArray[np.int64]
    classes: int

    def sample(self, n: int, seed: Seed = None) -> Sample:
        """Draw n labelled examples with replacement."""
        counts = np.random.default_rng(seed).multinomial(_checks.whole("n", n, 1), self.D)
        return Sample(counts, np.where(counts > 0, self.f, UNSEEN), self.classes)

    def error(self, h: NDArray[np.int64]) -> float:
        """Error of the classifier that answers ``h[x]``: the mass where it differs from f."""
        return float(self.D[h != self.f].sum())

    def errn(self, h: NDArray[np.int64], sample: Sample, l: int = 1) -> int:
        """Number of elements seen exactly `l` times whose label `h` gets wrong: errn_S(h, l)."""
        return int(np.count_nonzero((sample.counts == l) & (h != self.f)))


def draw_world(prior: FrequencyPrior, classes: int, seed: Seed = None, reading: Reading = "fixed") -> World:
    """Draw a world: frequencies from the prior, labels independent and uniform.

    Examples
    --------
    >>> world = draw_world(FrequencyPrior.zipf(1000), classes=10, seed=0)
    >>> sample = world.sample(500, seed=1)
    >>> int(sample.counts.sum()), world.error(world.f)
    (500, 0.0)
    """
    classes = _checks.whole("classes", classes, 2)
    rng = np.random.default_rng(seed)
    D = prior.sample(rng, reading)
    return World(D, rng.integers(classes, size=D.size), classes)


@dataclass(frozen=True)
class Outcome:
    """One possible vector of counts in a tiny world, with everything about it exact.

    Attributes
    ----------
    counts
        Occurrences of each element.
    probability
        Its probability over the draw of the world and of the sample.
    posterior
        E[D(x) | counts] for every element x.
    """

    counts: tuple[int, ...]
    probability: Fraction
    posterior: tuple[Fraction, ...]


def enumerate_outcomes(values: Sequence[Fraction | int], n: int, reading: Reading = "iid") -> list[Outcome]:
    """Enumerate every vector of counts in a tiny world, in exact fractions.

    Parameters
    ----------
    values
        The prior's list of N positive rationals; keep N and `n` at about five or less, the work grows like
        ``N**(N + n)``.
    n
        Sample size, at least 1.
    reading
        ``"iid"``: each element draws its value from the list; ``"fixed"``: the list in random order.

    Returns
    -------
    list of Outcome
        In lexicographic order of the counts; the probabilities sum to one.

    Examples
    --------
    >>> world = enumerate_outcomes([Fraction(1), Fraction(1, 2), Fraction(1, 3)], n=3)
    >>> [f"{float(o.posterior[0]):.6f}" for o in world if o.counts in {(1, 1, 1), (1, 2, 0)}]
    ['0.333333', '0.328800']
    """
    n, exact = _checks.whole("n", n, 1), [Fraction(v) for v in values]
    if not exact or min(exact) <= 0:
        raise ValueError(f"values must be positive rationals, got {list(values)}")
    if _checks.reading(reading) == "iid":
        draws = Counter(itertools.product(exact, repeat=len(exact)))
    else:
        draws = Counter(itertools.permutations(exact))
    joint: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    moment: dict[tuple[int, ...], list[Fraction]] = defaultdict(lambda: [Fraction(0)] * len(exact))
    for draw, times in draws.items():
        D = [v / sum(draw) for v in draw]
        for counts in compositions(n, len(D)):
            p = Fraction(times, draws.total()) * _multinomial_probability(counts, D)
            joint[counts] += p
            moment[counts] = [m + p * d for m, d in zip(moment[counts], D, strict=True)]
    return [Outcome(c, joint[c], tuple(m / joint[c] for m in moment[c])) for c in sorted(joint)]


def compositions(n: int, parts: int) -> list[tuple[int, ...]]:
    """All tuples of `parts` non-negative integers that sum to `n`.

    Examples
    --------
    >>> compositions(2, 2)
    [(0, 2), (1, 1), (2, 0)]
    """
    if parts == 1:
        return [(n,)]
    return [(k, *rest) for k in range(n + 1) for rest in compositions(n - k, parts - 1)]


def _multinomial_probability(counts: tuple[int, ...], D: Sequence[Fraction]) -> Fraction:
    ways = math.factorial(sum(counts)) // math.prod(map(math.factorial, counts))
    return ways * math.prod((d**c for d, c in zip(D, counts, strict=True)), start=Fraction(1))
