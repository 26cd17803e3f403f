"""The law of a sum of independent draws, as a small discrete measure.

In the iid reading of a prior every element draws its value from the list and is divided by the sum of all;
to know one frequency one needs the law of the sum of the *others*.  It has no closed form, but whatever we
average over it is smooth on a logarithmic scale.  So we keep the law as a discrete measure, double the number
of draws again and again, and after each step replace the atoms of every short logarithmic bin by a Gauss rule
that has the same moments.  Bins that hold only a few atoms stay as they are: small problems come out exact.
The appendix of the book on numerics bounds the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from longtail.measures import NEGLIGIBLE, ORDER, WIDTH, Array, Measure, compress, groups, join, rule

LITTLE = 1e-26  # groups of pairs that add less than this share are left out
SMALL = 0.1  # n values of this share of the sum hardly change (1 - D)^n
OUTER = 1 << 16  # so many pairs of atoms are made without asking which of them are far apart


def convolve(p: Measure, q: Measure, low: float = 0.0, width: float = WIDTH) -> Measure:
    """Law of the sum of two independent variables with laws `p` and `q`, compressed."""
    if p[0].size * q[0].size <= OUTER:
        return compress(*_sums(p, q), low, width)
    parts = [_sums(a, b) for a, b in _near(p, q)]
    atoms, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return compress(atoms, weights, low, width)


def _sums(p: Measure, q: Measure) -> Measure:
    return np.add.outer(p[0], q[0]).ravel(), np.multiply.outer(p[1], q[1]).ravel()


def _near(p: Measure, q: Measure) -> list[tuple[Measure, Measure]]:
    """Pairs of parts of `p` and `q` that together stand for all pairs of atoms.

    An atom meets those of its own group and of the one below; what is smaller meets it as one Gauss rule.
    """
    pairs = []
    below_p = below_q = far_p = far_q = (np.empty(0), np.empty(0))
    for own_p, own_q in zip(*(groups(measure, p, q) for measure in (p, q)), strict=True):
        pairs += [(own_p, join(own_q, join(below_q, far_q))), (own_q, join(below_p, far_p))]
        far_p, far_q = rule(join(far_p, below_p)), rule(join(far_q, below_q))
        below_p, below_q = own_p, own_q
    return pairs


def law_of_sum(single: Measure, draws: int, width: float = WIDTH) -> Measure:
    """Law of the sum of `draws` >= 1 independent copies of `single`, by repeated doubling.

    Parameters
    ----------
    single
        Law of one copy: atoms and probabilities.
    draws
        Number of copies; the cost grows with its logarithm.
    width
        Of the bins, in units of log.

    Returns
    -------
    Measure
        A discrete law for averages of functions that are smooth in the logarithm.

    Examples
    --------
    A fair coin worth 1 or 2, thrown three times:

    >>> total, probability = law_of_sum((np.array([1.0, 2.0]), np.array([0.5, 0.5])), 3)
    >>> round(float(total @ probability), 9), round(float(probability[total < 3.5].sum()), 9)
    (4.5, 0.125)
    """
    single, done = compress(*_law(single), width=width), 1
    least = least_sum(single, draws)

    def low() -> float:
        """Half of a bin at the least sum, less for small parts of it: there are many of those."""
        part = math.tanh(width / 2) * math.pow(done / draws, 1 / (2 * ORDER - 1))
        return 2 * least * part / (1 + part) * math.exp(-width)  # the bin ends at the next edge

    law = base = compress(*single, low(), width)
    for bit in f"{draws:b}"[1:]:
        done *= 2
        law = _law(convolve(law, law, low(), width))
        if bit == "1":
            done += 1
            law = _law(convolve(law, base, low(), width))
    return law


def _law(measure: Measure) -> Measure:
    """Scale to probabilities: each doubling doubles what rounding has done to their sum."""
    return measure[0], measure[1] / measure[1].sum()


def least_sum(single: Measure, draws: int) -> float:
    """A number that the sum stays below with a chance of less than `NEGLIGIBLE`, by Chernoff's bound.

    Any t > 0 gives one, (log E[exp(-t sum)] - log chance) / -t; a few are tried.
    """
    atoms, p = _law(single)
    chance, best = -math.log(NEGLIGIBLE), 0.0

    def exponent(t: float) -> float:
        with np.errstate(under="ignore", divide="ignore"):
            return float(-draws * np.log1p(max(-1.0, float(np.expm1(-t * atoms) @ p))))

    for wanted in chance * np.array([1.5, 3.0, 10.0, 100.0]):
        low, high = math.log(1e-3 / atoms.max() / draws), math.log(1e3 / atoms.min())
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (low, middle) if exponent(math.exp(middle)) > wanted else (middle, high)
        t = math.exp(low)
        best = max(best, (exponent(t) - chance) / t)
    return best


# -- one value beside the sum of the others ----------------------------------------------------------------


def quotients(values: Measure, sums: Measure, n: int, l: int) -> Iterator[Measure]:
    """Law of the odds D / (1 - D) = value / sum, for the averages of D^l (1-D)^(n-l) and of D times it.

    Groups of pairs that add less than `LITTLE` of another one are left out, and values so small that n of
    them hardly count beside the sum go together as one Gauss rule.

    Parameters
    ----------
    values, sums
        Two independent laws, sorted.
    n, l
        Whole numbers, 0 <= l <= n.

    Yields
    ------
    odds, weights
        Shape (k,) each.
    """
    own, beside = ([g for g in groups(law) if g[0].size] for law in (values, sums))
    small = [(np.empty(0), np.empty(0))]
    for group in own:
        small.append(rule(join(small[-1], group)))
    matters = _matter(own, beside, n, l)
    tops = np.array([g[0][-1] for g in own])
    for (s, q), kept in zip(beside, matters.T, strict=True):
        k = int(np.searchsorted(tops, s[0] * SMALL / n)) if kept.any() else 0
        chosen = [
            small[k] if kept[:k].any() else small[0],
            *(own[i] for i in range(k, len(own)) if kept[i]),
        ]
        v, p = (np.concatenate(part) for part in zip(*chosen, strict=True))
        if v.size:
            yield np.divide.outer(v, s).ravel(), np.multiply.outer(p, q).ravel()


def _matter(p: list[Measure], q: list[Measure], n: int, l: int) -> NDArray[np.bool_]:
    """Which pairs of groups can matter for one of the two averages, shape (len(p), len(q))."""
    ends = [np.log([(x[0], x[-1]) for x, _ in parts]) for parts in (p, q)]
    low = np.subtract.outer(ends[0][:, 0], ends[1][:, 1])
    high = np.subtract.outer(ends[0][:, 1], ends[1][:, 0])
    masses = [np.log([w.sum() for _, w in parts]) for parts in (p, q)]
    both, matters = np.add.outer(*masses), np.zeros(low.shape, dtype=bool)
    for k in (l, l + 1):  # the average of D^k (1 - D)^(n - l), concave in the log of the odds

        def term(x: Array, k: int = k) -> Array:
            return np.asarray(k * x - (n + k - l) * np.logaddexp(0, x) + both)

        peak = math.log(k / (n - l)) if k > 0 and l < n else (math.inf if k else -math.inf)
        least = np.minimum(term(low), term(high)).max()
        matters |= term(np.clip(peak, low, high)) >= least + math.log(LITTLE)
    return matters
