"""Sums over the ranks of a named prior at a cost that hardly grows with their number.

A named prior is one `Stretch` or two: ranks on which the log value is a smooth, monotone function.  A sum
over ranks, sum of D^l (1-D)^(n-l), is cut into blocks of consecutive ranks on which the log summand changes
by a few units.  A block of more than `SMALL` ranks is summed by the Gauss rule of the *discrete* uniform law
on its ranks: `ORDER` nodes, positive weights that sum to the number of ranks, exact up to degree
d = 2 ORDER - 1.  Shorter blocks are summed rank by rank, and blocks that cannot matter are left out.

Why it is right.  On an ellipse around the block with half axes of sum r (in units in which its foci, the
ends, lie at -1 and 1) let the log summand stay within c of its value in the middle.  A polynomial of degree d
comes within 2 r^-d / (r - 1) times the largest modulus there (Bernstein).  Weights are positive, so that both
the sum and the rule miss at most the number of ranks times that: the relative error of the block is below
4 e^(2c) r^-d / (r - 1), which is 9e-16 for `ELLIPSE` r = 4 and `CHANGE` c = 4.  All terms are positive, so
that it is also the relative error of the sum.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = Callable[[Array], Array]

ORDER = 16  # nodes a block
SMALL = 64  # blocks of up to so many ranks are summed rank by rank
RATIO = 1.5  # between the last and the first position of a block at most
ELLIPSE = 4.0  # sum of the half axes of the ellipse around a block on which the summand is bounded
BEND = 1.0  # bound on the change of the log value on that ellipse
CHANGE = 4.0  # bound on the change of the log summand there
NEGLIGIBLE = 60.0  # a block so many units of log below another one is left out
TINY = 1e-300  # named priors do not fall below this share of their largest value


@dataclass(frozen=True)
class Stretch:
    """Ranks ``first..last`` with values exp(log(y)) at the positions ``y = rank - shift > 0``.

    Parameters
    ----------
    first, last
        The ranks, counted from the end where the stretch may be singular (y = 0).
    log
        Logarithm of the value, monotone in y, univalent in the right half plane or constant.
    steepness
        ``|y log'(y)|``, nowhere decreasing.
    shift
        0, or 1/2 for mid-quantiles.
    rising
        Whether values grow with the rank (the lower half of a symmetric law).
    """

    first: int
    last: int
    log: Curve
    steepness: Curve
    shift: float = 0.0
    rising: bool = False

    def between(self, low: float, high: float, value: Curve) -> Stretch | None:
        """The part on which ``value(log value)``, increasing, lies in [low, high], both included."""
        sign = 1 if self.rising else -1

        def key(rank: int) -> float:
            return sign * float(value(self.log(np.array([rank - self.shift])))[0])

        ranks, ends = range(self.first, self.last + 1), sorted((sign * low, sign * high))
        first = self.first + bisect_left(ranks, ends[0], key=key)
        last = self.first + bisect_right(ranks, ends[1], key=key) - 1
        return replace(self, first=first, last=last) if first <= last else None


def zipf(N: int, exponent: float) -> list[Stretch]:
    """Values ``rank**-exponent``."""
    return [Stretch(1, N, lambda y: -exponent * np.log(y), lambda y: np.full_like(y, exponent))]


def geometric(N: int, ratio: float) -> list[Stretch]:
    """Values ``ratio**rank``."""
    slope = float(np.log(ratio))
    return [Stretch(1, N, lambda y: y * slope, lambda y: -y * slope)]


def pareto(N: int, shape: float) -> list[Stretch]:
    """Mid-quantiles of a Pareto law."""
    return [Stretch(1, N, lambda y: -np.log(y / N) / shape, lambda y: np.full_like(y, 1 / shape), 0.5)]


def lognormal(N: int, sigma: float) -> list[Stretch]:
    """Mid-quantiles of a log-normal law: its upper half, and its lower half from the bottom up."""

    def steepness(y: Array) -> Array:
        z = scipy.special.ndtri(y / N)
        return np.asarray(sigma * math.sqrt(2 * math.pi) * np.exp(scipy.special.log_ndtr(z) + z * z / 2))

    upper = Stretch(1, (N + 1) // 2, lambda y: -sigma * scipy.special.ndtri(y / N), steepness, 0.5)
    lower = Stretch(1, N // 2, lambda y: sigma * scipy.special.ndtri(y / N), steepness, 0.5, rising=True)
    return [upper, lower] if N > 1 else [upper]


def listed(stretches: list[Stretch]) -> Array:
    """All values, the largest 1, none below `TINY`."""
    ranks = [np.arange(s.first, s.last + 1, dtype=np.float64) for s in stretches]
    logs = np.concatenate([s.log(i - s.shift) for s, i in zip(stretches, ranks, strict=True)])
    return np.asarray(np.exp(np.maximum(logs - logs.max(), math.log(TINY))))


def _lowered(log: Curve, by: float) -> Curve:
    return lambda y: log(y) - by


def floored(stretches: list[Stretch]) -> list[Stretch]:
    """The same stretches divided by the largest value, with flat ones where values fall below `TINY`."""
    top, parts = float(stretches[0].log(np.array([1 - stretches[0].shift]))[0]), []
    for s in (replace(s, log=_lowered(s.log, top)) for s in stretches):
        smooth = s.between(math.log(TINY), math.inf, lambda log: log)
        size = s.last - s.first + 1 - (smooth.last - smooth.first + 1 if smooth else 0)
        if smooth:
            parts.append(smooth)
        if size:
            flat = Stretch(1, size, lambda y: np.full_like(y, math.log(TINY)), np.zeros_like)
            parts.append(flat)
    return parts


# -- one sum ------------------------------------------------------------------------------------------------


def rule(stretch: Stretch, n: int, l: int, odds: Curve) -> tuple[Array, Array]:
    """Nodes and weights for the sums of D^(l+j) (1-D)^(n-l), j = 0 and 1, over a stretch.

    Parameters
    ----------
    stretch
        The ranks; D is proportional to their values.
    n, l
        Whole numbers, 0 <= l <= n.  With n = l = 0 no block is left out: any function that is smooth on the
        scale of 1 in the logarithm of the value can be summed.
    odds
        D / (1 - D) as a function of the log value; not called for when n = l.

    Returns
    -------
    logs, weights
        Log values at the nodes, and positive weights, shape (k,) each.
    """
    low, high = np.array([stretch.first - 1.0]), np.array([float(stretch.last)])
    best = np.full((2, 1), -math.inf)
    short, smooth = [], []
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # a nan means: cut on
        while low.size:
            small = high - low <= SMALL
            lower, upper, fine = _bounds(stretch, low, high, n, l, odds)
            best = np.maximum(best, lower.max(axis=1, keepdims=True))
            matters = ~(upper < best - NEGLIGIBLE).all(axis=0)
            short.append((low[matters & small], high[matters & small]))
            smooth.append((low[matters & fine & ~small], high[matters & fine & ~small]))
            rest = matters & ~fine & ~small
            low, high = _halves(low[rest], high[rest])
    ranks, ones = _ranks(*(np.concatenate(ends) for ends in zip(*short, strict=True)))
    nodes, weights = _gauss(*(np.concatenate(ends) for ends in zip(*smooth, strict=True)))
    logs = stretch.log(np.concatenate([ranks, nodes]) - stretch.shift)
    return logs, np.concatenate([ones, weights])


def _bounds(
    stretch: Stretch, low: Array, high: Array, n: int, l: int, odds: Curve
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Lower and upper bounds of the log of both sums over blocks, and whether the blocks are fine enough."""
    ends = np.array([low + 1, high]) - stretch.shift
    logs = stretch.log(ends.ravel()).reshape(ends.shape)
    o = odds(logs.ravel()).reshape(ends.shape) if n > l else np.zeros_like(logs)
    slopes, count = l - (n - l) * o, np.log(high - low)  # of the log summand in the log value
    heights = count + np.array([j * logs for j in (l, l + 1)]) - (n - l) * np.log1p(o)
    # The log summand is concave in the log value: least at an end, and below its tangents at both.
    width = np.abs(logs[0] - logs[1])
    slopes = np.array([slopes, slopes + 1])
    inside = np.sign(slopes[:, 0]) * np.sign(slopes[:, 1]) < 0
    tangents = (heights + np.abs(slopes) * width).min(axis=1)
    upper = np.where(inside, tangents, heights.max(axis=1))
    return (
        heights.min(axis=1),
        upper,
        _fine(stretch, ends, np.abs(slopes).max(axis=(0, 1)), (n - l) * o.max(axis=0)),
    )


def _fine(stretch: Stretch, ends: Array, slope: Array, bend: Array) -> NDArray[np.bool_]:
    """Whether the summand is bounded around the blocks as far as the error bound asks for."""
    steep, reach = stretch.steepness(ends[1]), (ELLIPSE + 1 / ELLIPSE) / 2
    t = np.minimum(reach * (ends[1] - ends[0]) / (ends[1] + ends[0]), 0.5)  # never so large if near
    move = steep * t / (1 - t) ** 2  # Koebe's distortion theorem
    change = slope * move + 0.6 * bend * np.exp(np.minimum(move, BEND)) * move**2
    near = ends[1] <= RATIO * ends[0]
    return np.asarray((steep == 0) | (near & (move <= BEND) & (change <= CHANGE)))


def _halves(low: Array, high: Array) -> tuple[Array, Array]:
    """Cut blocks near the geometric mean of their ends."""
    cut = np.clip(np.floor(np.sqrt((low + 1) * high)), low + 1, high - 1)
    return np.concatenate([low, cut]), np.concatenate([cut, high])


def _ranks(low: Array, high: Array) -> tuple[Array, Array]:
    """Every rank of the blocks ``low + 1 .. high``, with weight one."""
    sizes = (high - low).astype(np.int64)
    steps = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(low + 1, sizes) + steps, np.ones(steps.size)


def _gauss(low: Array, high: Array) -> tuple[Array, Array]:
    """Gauss rules of the uniform laws on the ranks of blocks ``low + 1 .. high``, more than `SMALL` each."""
    size = high - low
    if not size.size:
        return np.empty(0), np.empty(0)
    x = 2.0 * (SMALL / size) ** 2 - 1
    coefficients = _coefficients()
    both = np.polynomial.chebyshev.chebvander(x, len(coefficients) - 1) @ coefficients
    nodes, weights = both[:, :ORDER], both[:, ORDER:]
    middle = (low + 1 + high) / 2
    return (middle[:, None] + size[:, None] / 2 * nodes).ravel(), (size[:, None] * weights).ravel()


@cache
def _coefficients(degree: int = 10) -> Array:
    """Nodes and weights as Chebyshev polynomials in 1 / size**2, in which they are analytic."""
    x = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    table = np.array([np.concatenate(gram_rule((1 + t) / 2 / SMALL**2)) for t in x])
    return np.asarray(np.polynomial.chebyshev.chebfit(x, table, degree))


def gram_rule(inverse_square: float, order: int = ORDER) -> tuple[Array, Array]:
    """Gauss rule of the uniform law on M equidistant points, by their spacing, centred, M/2 = 1.

    The orthogonal polynomials are Gram's; as 1/M**2 goes to zero they become Legendre's.

    Parameters
    ----------
    inverse_square
        1 / M**2, at most 1 / order**2.
    order
        Number of nodes.

    Examples
    --------
    On 4 points, in units of half their number, the rule with 2 nodes has their second moment:

    >>> nodes, weights = gram_rule(1 / 4**2, order=2)
    >>> round(float(weights @ nodes**2), 6), (2 * 0.75**2 + 2 * 0.25**2) / 4
    (0.3125, 0.3125)
    """
    k = np.arange(1, order)
    off = np.sqrt(k**2 * (1 - k**2 * inverse_square) / (4 * k**2 - 1))
    nodes, vectors = scipy.linalg.eigh_tridiagonal(np.zeros(order), off)
    weights = np.asarray(vectors[0] ** 2)
    return np.asarray(nodes), weights / weights.sum()
