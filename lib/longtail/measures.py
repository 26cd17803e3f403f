"""Discrete measures on a logarithmic scale: positive atoms with positive weights, kept few by Gauss rules.

What we average is smooth in the logarithm, so the atoms of a short logarithmic bin may be replaced by a Gauss
rule that has the same moments.  Bins that hold only a few atoms stay as they are: small problems come out
exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Measure = tuple[Array, Array]  # atoms > 0 and their weights > 0, both of shape (k,)

WIDTH = 0.25  # of a bin, in units of log: a function smooth on the scale of 1 is nearly a polynomial there
ORDER = 8  # nodes a bin: polynomials up to degree 15 are exact
GROUP = 2.0  # a sum of two atoms so far apart, in log, varies little with the smaller one
NEGLIGIBLE = 1e-20  # probabilities below this are dropped, and so are sums that are smaller as rarely


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
        atoms, weights = join((atoms[~full], weights[~full]), rules)
    ranks = np.argsort(atoms)
    return atoms[ranks], weights[ranks]


def coarser(law: Measure, width: float = WIDTH, order: int = ORDER - 2) -> Measure:
    """The same law with fewer nodes, and without its least atoms: what changes tells how much to trust it."""
    likely = law[1] > 1000 * NEGLIGIBLE
    return compress(law[0][likely], law[1][likely], width=width, order=order)


def groups(measure: Measure, *others: Measure) -> list[Measure]:
    """Cut a measure at edges that it has in common with others; the parts may be empty."""
    first = min(float(m[0].min()) for m in (measure, *others))
    last = max(float(m[0].max()) for m in (measure, *others))
    edges = np.arange(math.floor(math.log(first) / GROUP) + 1, math.floor(math.log(last) / GROUP) + 1)
    cuts = np.searchsorted(measure[0], np.exp(GROUP * edges))
    return list(zip(*(np.split(part, cuts) for part in measure), strict=True))


def join(p: Measure, q: Measure) -> Measure:
    """Put two measures into one list."""
    return np.append(p[0], q[0]), np.append(p[1], q[1])


def rule(p: Measure) -> Measure:
    """One Gauss rule for all of a measure, or the measure itself where that is as short."""
    return gauss_rule(*p) if p[0].size > ORDER else p
