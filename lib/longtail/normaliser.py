"""The law of a sum of independent draws, as a small discrete measure.

In the iid reading of a prior every element draws its value from the list and is divided by the sum of all;
to know one frequency one needs the law of the sum of the *others*.  It has no closed form, but whatever we
average over it is smooth on a logarithmic scale.  So we keep the law as a discrete measure, double the number
of draws again and again, and after each step replace the atoms of every short logarithmic bin by a Gauss rule
that has the same moments.  Bins that hold only a few atoms stay as they are: small problems come out exact.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]
Measure = tuple[Array, Array]  # atoms > 0 and their weights > 0, both of shape (k,)

WIDTH = 0.25  # of a bin, in units of log: a function smooth on the scale of 1 is nearly a polynomial there
ORDER = 6  # nodes a bin: polynomials up to degree 11 are exact, which leaves an error near 1e-11
NEGLIGIBLE = 1e-20  # probabilities below this are dropped
SURELY = 40  # so many draws expected above a value: none of them comes with probability exp(-40)


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
    centre, mass = np.average(atoms, weights=weights), weights.sum()
    radius = np.abs(atoms - centre).max()
    if radius <= 1e-14 * centre:  # one value, up to rounding
        return np.array([centre]), np.array([mass])
    points, basis = (atoms - centre) / radius, [np.sqrt(weights / mass)]
    diagonal: list[float] = []
    off: list[float] = []
    while True:
        v = points * basis[-1]
        diagonal.append(float(v @ basis[-1]))
        for _ in range(2):  # full reorthogonalisation, twice is enough
            v = v - np.transpose(basis) @ (np.asarray(basis) @ v)
        norm = float(np.linalg.norm(v))
        if len(diagonal) == order or norm < 1e-13:
            break
        off.append(norm)
        basis.append(v / norm)
    nodes, vectors = scipy.linalg.eigh_tridiagonal(np.array(diagonal), np.array(off))
    return centre + radius * nodes, mass * vectors[0] ** 2


def compress(atoms: Array, weights: Array) -> Measure:
    """Replace the atoms of every logarithmic bin by a Gauss rule with the same moments.

    Parameters
    ----------
    atoms, weights
        The measure, shape (k,) each; atoms positive.

    Returns
    -------
    Measure
        Sorted atoms and weights; bins that hold at most `ORDER` atoms are kept as they are.
    """
    kept = weights > NEGLIGIBLE
    order = np.argsort(atoms[kept])
    atoms, weights = atoms[kept][order], weights[kept][order]
    cuts = np.flatnonzero(np.diff(np.floor(np.log(atoms) / WIDTH))) + 1
    bins = zip(np.split(atoms, cuts), np.split(weights, cuts), strict=True)
    with np.errstate(under="ignore"):  # atoms near 1e-300, where nothing is lost
        rules = [(x, w) if x.size <= ORDER else gauss_rule(x, w) for x, w in bins]
    return np.concatenate([x for x, _ in rules]), np.concatenate([w for _, w in rules])


def convolve(p: Measure, q: Measure) -> Measure:
    """Law of the sum of two independent variables with laws `p` and `q`, compressed."""
    atoms, weights = np.add.outer(p[0], q[0]), np.multiply.outer(p[1], q[1])
    return compress(atoms.ravel(), weights.ravel())


def law_of_sum(single: Measure, draws: int) -> Measure:
    """Law of the sum of `draws` >= 1 independent copies of `single`, by repeated doubling.

    Parameters
    ----------
    single
        Law of one copy: atoms and probabilities.
    draws
        Number of copies; the cost grows with its logarithm.

    Returns
    -------
    Measure
        A discrete law whose averages of functions smooth in the logarithm are right to about 1e-10.

    Examples
    --------
    A fair coin worth 1 or 2, thrown three times:

    >>> total, probability = law_of_sum((np.array([1.0, 2.0]), np.array([0.5, 0.5])), 3)
    >>> round(float(total @ probability), 9), round(float(probability[total < 3.5].sum()), 9)
    (4.5, 0.125)
    """
    law = base = compress(*_floored(single, draws))
    for bit in f"{draws:b}"[1:]:
        law = convolve(law, law)
        if bit == "1":
            law = convolve(law, base)
    return law


def _floored(single: Measure, draws: int) -> Measure:
    """Lift the atoms that cannot matter: all `draws` together stay below 1e-17 of a sure part of the sum."""
    order = np.argsort(-single[0])
    atoms, probability = single[0][order], np.cumsum(single[1][order])
    sure = atoms[min(int(np.searchsorted(probability, SURELY / draws)), atoms.size - 1)]
    return np.maximum(single[0], 1e-17 * sure / draws), single[1]
