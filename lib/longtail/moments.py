"""The one sum behind every price, in blocks and in log space.

    S_j = sum over x of E[ D(x)^(l + j) (1 - D(x))^(n - l) ],    j = 0, 1.

Then tau_l = S_1 / S_0, and binomial(n, l) S_0 elements are expected to occur exactly l times among n draws.
In odds o = D(x) / (1 - D(x)) the summand is o^l (1 + o)^-n, which loses no digits at either end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from longtail import _checks
from longtail._checks import Reading
from longtail.measures import Measure
from longtail.priors import FrequencyPrior

Array = NDArray[np.float64]


TOLERANCE = 1e-8  # relative error of the iid reading that we try to stay below
HALVINGS = 2  # of bins, at most, to get there


def moments(prior: FrequencyPrior, n: int, l: int, reading: Reading) -> tuple[float, float, float, float]:
    """Return (s, S_0, S_1, error), the sums above divided by exp(s), and their relative error.

    Parameters
    ----------
    prior
        The frequency prior.
    n, l
        Whole numbers with 0 <= l <= n; see `longtail.price` for checked functions.
    reading
        ``"fixed"`` (no error but rounding, which is not counted) or ``"iid"``: there the error is estimated
        by rules of less care, and bins are halved until it is small.

    Raises
    ------
    TypeError
        If `prior` is no `FrequencyPrior`.
    """
    if not isinstance(prior, FrequencyPrior):
        raise TypeError(f"prior must be a FrequencyPrior, got {prior!r:.80}")
    if _checks.reading(reading) == "fixed" or prior.N == 1:
        return *_sums(prior.odds(n, l), n, l), 0.0
    for halvings in range(HALVINGS + 1):
        fine = _sums(prior.iid_odds(n, l, halvings), n, l)
        error = _difference(fine, _sums(prior.iid_odds(n, l, halvings, careful=False), n, l))
        if error <= TOLERANCE:
            break
    return *fine, error


def _difference(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """Relative difference of two pairs of sums."""
    if not min(a[1], a[2], b[1], b[2]) > 0:
        return math.inf
    return max(abs(math.expm1(math.log(b[j] / a[j]) + b[0] - a[0])) for j in (1, 2))


def _sums(blocks: Iterable[Measure], n: int, l: int) -> tuple[float, float, float]:
    """(s, S_0, S_1): a streaming log-sum-exp over blocks of odds and weights."""
    scale, s0, s1 = -math.inf, 0.0, 0.0
    for odds, weights in blocks:
        # A term of exp(-800) beside a term of 1 is meant to vanish, and a value of zero too when l > 0.
        with np.errstate(under="ignore", divide="ignore"):
            block, terms = _likelihoods(odds, n, l)
            largest = max(scale, block)
            old, new = math.exp(scale - largest), math.exp(block - largest)
            terms *= weights
            s0 = s0 * old + float(terms.sum()) * new
            terms *= odds
            terms /= 1 + odds
            s1 = s1 * old + float(terms.sum()) * new
        scale = largest
    return scale, s0, s1


def _likelihoods(odds: Array, n: int, l: int) -> tuple[float, Array]:
    """Return (s, terms) with terms exp(s) = odds^l (1 + odds)^-n, that is D^l (1 - D)^(n - l)."""
    low, high = float(odds.min()), float(odds.max())
    # Multiplying is cheaper than a logarithm, where the power stays far from underflow.
    direct = 0 < l <= 64 and low > 0 and l * math.log(high / low) < 500
    terms = np.log1p(odds)
    terms *= -n
    if l and not direct:
        terms += l * np.log(odds)
    scale = float(terms.max())
    if scale == -math.inf:  # nothing in this block can be seen
        return scale, np.zeros_like(terms)
    terms -= scale
    np.exp(terms, out=terms)
    if direct:
        terms *= _power(odds / high, l)
        scale += l * math.log(high)
    return scale, terms


def _power(x: Array, exponent: int) -> Array:
    """Return x to a whole power by squaring, several times as fast as the general power."""
    if exponent == 1:
        return x
    half = _power(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half
