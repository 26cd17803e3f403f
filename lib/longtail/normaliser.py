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

Array = NDArray[np.float64]
Measure = tuple[Array, Array]  # atoms > 0 and their weights > 0, both of shape (k,)

WIDTH = 0.25  # of a bin, in units of log: a function smooth on the scale of 1 is nearly a polynomial there
ORDER = 8  # nodes a bin: polynomials up to degree 15 are exact
GROUP = 2.0  # a sum of two atoms so far apart, in log, varies little with the smaller one
NEGLIGIBLE = 1e-20  # probabilities below this are dropped, and so are sums that are smaller as rarely
LITTLE = 1e-26  # groups of pairs that add less than this share are left out
SMALL = 0.1  # n values of this share of the sum hardly change (1 - D)^n
OUTER = 1 << 16  # so many pairs of atoms are made without asking which of them are far apart


def gauss_rule(atoms: Array, weights: Array, order: int = ORDER) -> Measure:
    """Gauss quadrature of a discrete measure by Lanczos (Golub and Welsch 1969).

    Parameters
    ----------
    atoms, weights
        The measure, shape (k,) each; weights positive.
    order
        Number of nodes wanted; fewer come back when the atoms hold fewer distinct values.

    Returns
    -------
    nodes, weights
        A measure of at most `order` nodes that integrates polynomials up to degree ``2 * order - 1`` alike.

    Examples
    --------
    >>> gauss_rule(np.array([1.0, 2.0, 3.0]), np.ones(3), order=2)[0].round(4)
    array([1.1835, 2.8165])
    """
    return _gauss_rules(atoms, weights, np.array([0]), order)


def _gauss_rules(atoms: Array, weights: Array, starts: NDArray[np.int64], order: int) -> Measure:
    """Gauss rules of all segments ``starts[i]:starts[i + 1]`` at once."""
    sizes = np.diff(np.append(starts, atoms.size))
    mass = np.add.reduceat(weights, starts)
    centre = np.add.reduceat(weights * atoms, starts) / mass
    radius = np.maximum.reduceat(np.abs(atoms - np.repeat(centre, sizes)), starts)
    radius = np.where(radius > 1e-14 * centre, radius, np.inf)  # one value, up to rounding
    t = (atoms - np.repeat(centre, sizes)) / np.repeat(radius, sizes)
    jacobi = np.zeros((starts.size, order, order))
    last, v = np.zeros_like(t), np.sqrt(weights / np.repeat(mass, sizes))
    norm = np.zeros(starts.size)
    for k in range(order):  # Lanczos; Gauss rules do not suffer when it loses orthogonality
        u = t * v
        jacobi[:, k, k] = np.add.reduceat(u * v, starts)
        if k + 1 == order:
            break
        u -= np.repeat(jacobi[:, k, k], sizes) * v + np.repeat(norm, sizes) * last
        norm = np.sqrt(np.add.reduceat(u * u, starts))
        norm[norm < 1e-13] = 0  # no more values: what follows has weight zero
        jacobi[:, k, k + 1] = jacobi[:, k + 1, k] = norm
        last, v = v, u * np.repeat(np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0), sizes)
    nodes, vectors = np.linalg.eigh(jacobi)
    share = vectors[:, 0] ** 2
    real = share > 1e-30
    nodes = centre[:, None] + np.where(np.isinf(radius), 0, radius)[:, None] * nodes
    ends = (np.minimum.reduceat(atoms, starts), np.maximum.reduceat(atoms, starts))
    nodes = np.clip(nodes, ends[0][:, None], ends[1][:, None])  # they lie between, but for rounding
    return nodes[real], (mass[:, None] * share)[real]


def compress(
    atoms: Array, weights: Array, low: float = 0.0, width: float = WIDTH, order: int = ORDER
) -> Measure:
    """Replace the atoms of every logarithmic bin by a Gauss rule with the same moments.

    Parameters
    ----------
    atoms, weights
        The measure, shape (k,) each; atoms positive.
    low
        All that lies below is one bin, up to the next edge.
    width
        Of the bins.
    order
        Nodes a bin.

    Returns
    -------
    Measure
        Sorted atoms and weights; bins that hold at most `order` atoms are kept as they are.
    """
    kept = weights > NEGLIGIBLE
    atoms, weights = atoms[kept], weights[kept]
    bins = np.floor(np.log(np.maximum(atoms, low)) / width)
    bins = bins.astype(np.int16 if width >= WIDTH else np.int32)  # short integers are sorted fastest
    ranks = np.argsort(bins, kind="stable")
    atoms, weights, bins = atoms[ranks], weights[ranks], bins[ranks]
    starts = np.append(0, np.flatnonzero(np.diff(bins)) + 1)
    sizes = np.diff(np.append(starts, atoms.size))
    full = np.repeat(sizes > order, sizes)
    ends = np.cumsum(sizes[sizes > order])
    if ends.size:
        rules = _gauss_rules(atoms[full], weights[full], ends - sizes[sizes > order], order)
        atoms, weights = _join((atoms[~full], weights[~full]), rules)
    ranks = np.argsort(atoms)
    return atoms[ranks], weights[ranks]


def coarser(law: Measure, width: float = WIDTH, order: int = ORDER - 2) -> Measure:
    """The same law with fewer nodes, and without its least atoms: what changes tells how much to trust it."""
    likely = law[1] > 1000 * NEGLIGIBLE
    return compress(law[0][likely], law[1][likely], width=width, order=order)


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
    for own_p, own_q in zip(*(_groups(measure, p, q) for measure in (p, q)), strict=True):
        pairs += [(own_p, _join(own_q, _join(below_q, far_q))), (own_q, _join(below_p, far_p))]
        far_p, far_q = _rule(_join(far_p, below_p)), _rule(_join(far_q, below_q))
        below_p, below_q = own_p, own_q
    return pairs


def _groups(measure: Measure, *others: Measure) -> list[Measure]:
    """Cut a measure at edges that it has in common with others; the parts may be empty."""
    first = min(float(m[0].min()) for m in (measure, *others))
    last = max(float(m[0].max()) for m in (measure, *others))
    edges = np.arange(math.floor(math.log(first) / GROUP) + 1, math.floor(math.log(last) / GROUP) + 1)
    cuts = np.searchsorted(measure[0], np.exp(GROUP * edges))
    return list(zip(*(np.split(part, cuts) for part in measure), strict=True))


def _join(p: Measure, q: Measure) -> Measure:
    return np.append(p[0], q[0]), np.append(p[1], q[1])


def _rule(p: Measure) -> Measure:
    return gauss_rule(*p) if p[0].size > ORDER else p


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
    groups, small = [g for g in _groups(values) if g[0].size], [(np.empty(0), np.empty(0))]
    for group in groups:
        small.append(_rule(_join(small[-1], group)))
    beside = [g for g in _groups(sums) if g[0].size]
    matters = _matter(groups, beside, n, l)
    tops = np.array([g[0][-1] for g in groups])
    for (s, q), kept in zip(beside, matters.T, strict=True):
        k = int(np.searchsorted(tops, s[0] * SMALL / n)) if kept.any() else 0
        chosen = [
            small[k] if kept[:k].any() else small[0],
            *(groups[i] for i in range(k, len(groups)) if kept[i]),
        ]
        v, p = (np.concatenate(part) for part in zip(*chosen, strict=True))
        if v.size:
            yield np.divide.outer(v, s).ravel(), np.multiply.outer(p, q).ravel()


def _matter(p: list[Measure], q: list[Measure], n: int, l: int) -> NDArray[np.bool_]:
    """Which pairs of groups can matter for one of the two averages, shape (len(p), len(q))."""
    ends = [np.log([(x[0], x[-1]) for x, _ in groups]) for groups in (p, q)]
    low = np.subtract.outer(ends[0][:, 0], ends[1][:, 1])
    high = np.subtract.outer(ends[0][:, 1], ends[1][:, 0])
    masses = [np.log([w.sum() for _, w in groups]) for groups in (p, q)]
    both, matters = np.add.outer(*masses), np.zeros(low.shape, dtype=bool)
    for k in (l, l + 1):  # the average of D^k (1 - D)^(n - l), concave in the log of the odds

        def term(x: Array, k: int = k) -> Array:
            return np.asarray(k * x - (n + k - l) * np.logaddexp(0, x) + both)

        peak = math.log(k / (n - l)) if k > 0 and l < n else (math.inf if k else -math.inf)
        least = np.minimum(term(low), term(high)).max()
        matters |= term(np.clip(peak, low, high)) >= least + math.log(LITTLE)
    return matters
