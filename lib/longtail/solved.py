"""Solved worlds: small learning problems whose every price is a known fraction.

Each is a problem (`draw` makes a world) together with its exact answer, by a route that shares nothing with
`longtail.price`.  Tests and chapters hold formulas and simulations against them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from longtail import _checks
from longtail._checks import Reading, Seed
from longtail.priors import FrequencyPrior
from longtail.worlds import World, draw_world, enumerate_outcomes


@dataclass(frozen=True)
class SolvedWorld:
    """A learning problem with uniform labels and its exact answer.

    Attributes
    ----------
    name
        What it is, in words.
    n
        Sample size.
    classes
        Number of labels.
    draw
        ``draw(seed)`` makes a `World`.
    expected_counts
        E[Phi_l] for l = 0..n.
    masses
        tau_l E[Phi_l] for l = 0..n, in sum 1.
    """

    name: str
    n: int
    classes: int
    draw: Callable[[Seed], World]
    expected_counts: tuple[Fraction, ...]
    masses: tuple[Fraction, ...]

    def tau(self, l: int = 1) -> Fraction:
        """E[D(x) | x occurs l times]; an error when that cannot happen."""
        l = _checks.whole("l", l)
        if l > self.n or not self.expected_counts[l]:
            raise ValueError(f"l must be a count that can occur in {self.name}, got {l}")
        return self.masses[l] / self.expected_counts[l]

    def error(self, fit: Callable[[int, int], float | Fraction]) -> Fraction:
        """Expected error of a learner that fits what it saw l >= 1 times with chance ``fit(l, classes)``."""
        m = self.classes
        fits = [Fraction(1, m), *(Fraction(fit(l, m)) for l in range(1, self.n + 1))]
        return sum((mass * (1 - q) for mass, q in zip(self.masses, fits, strict=True)), start=Fraction(0))


def uniform_world(N: int, n: int, classes: int) -> SolvedWorld:
    """N elements of frequency 1/N: tau_l = 1/N whatever l.

    Examples
    --------
    >>> uniform_world(N=4, n=3, classes=2).tau(1)
    Fraction(1, 4)
    """
    N, n, m = _sizes(N, n, classes)
    prior = FrequencyPrior.uniform(N)
    counts = tuple(N * _binomial(n, l, Fraction(1, N)) for l in range(n + 1))
    return SolvedWorld(
        "uniform", n, m, lambda seed: draw_world(prior, m, seed), counts, tuple(c / N for c in counts)
    )


def dirichlet_world(N: int, n: int, classes: int, a: int = 1) -> SolvedWorld:
    """D drawn from Dirichlet(a, ..., a) with a whole a >= 1: tau_l = (a + l) / (N a + n), for every sample.

    Here the mean of D(x) given the whole sample is tau_l, so that the theorem is exact sample by sample.

    Examples
    --------
    >>> dirichlet_world(N=3, n=2, classes=2).tau(1)
    Fraction(2, 5)
    """
    N, n, m = _sizes(N, n, classes)
    a, rest = _checks.whole("a", a, 1), (N - 1) * a

    def draw(seed: Seed) -> World:
        rng = np.random.default_rng(seed)
        return World(rng.dirichlet(np.full(N, float(a))), rng.integers(m, size=N), m)

    ways = _multisets(N * a, n)
    counts = tuple(Fraction(N * _multisets(a, l) * _multisets(rest, n - l), ways) for l in range(n + 1))
    return SolvedWorld(
        "Dirichlet", n, m, draw, counts, tuple(c * Fraction(a + l, N * a + n) for l, c in enumerate(counts))
    )


def enumerated_world(
    values: Sequence[Fraction | int], n: int, classes: int, reading: Reading = "iid"
) -> SolvedWorld:
    """A tiny frequency prior, solved by listing every outcome; see `longtail.worlds.enumerate_outcomes`.

    Examples
    --------
    >>> float(enumerated_world([6, 3, 2], n=3, classes=2).tau(1))
    0.33086...
    """
    N, n, m = _sizes(len(values), n, classes)
    prior = FrequencyPrior([float(v) for v in values])
    counts, masses = [Fraction(0)] * (n + 1), [Fraction(0)] * (n + 1)
    for outcome in enumerate_outcomes(values, n, reading):
        for l, mean in zip(outcome.counts, outcome.posterior, strict=True):
            counts[l] += outcome.probability
            masses[l] += outcome.probability * mean
    return SolvedWorld(
        f"list of {N}", n, m, lambda seed: draw_world(prior, m, seed, reading), tuple(counts), tuple(masses)
    )


def _sizes(N: int, n: int, classes: int) -> tuple[int, int, int]:
    return _checks.whole("N", N, 1), _checks.whole("n", n, 1), _checks.whole("classes", classes, 2)


def _binomial(n: int, l: int, p: Fraction) -> Fraction:
    return math.comb(n, l) * p**l * (1 - p) ** (n - l)


def _multisets(kinds: int, size: int) -> int:
    return math.comb(kinds + size - 1, size) if kinds else int(size == 0)
