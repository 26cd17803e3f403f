"""How well a limited learner may fit an element: memorization limits and label privacy, for any count.

All labels of an element agree and the m labels are equally likely; the *fit* is the chance to answer the
label of an element that was seen l times.  An element never seen is guessed, with fit 1/m.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from longtail import _checks


class Privacy(NamedTuple):
    """Parameters of (epsilon, delta)-label privacy."""

    epsilon: float
    delta: float


def limited_fit(l: int, classes: int, gamma: float) -> float:
    """Largest fit of an element seen `l` times when no example is memorized by more than gamma.

    min(1, 1/m + l gamma), attained: each copy may add gamma to what is known without it.

    Parameters
    ----------
    l
        Number of copies, at least 0.
    classes
        Number m of equally likely labels, at least 2.
    gamma
        Largest memorization score allowed, in [0, 1].

    Examples
    --------
    >>> [round(limited_fit(l, classes=10, gamma=0.5), 9) for l in (0, 1, 2)]
    [0.1, 0.6, 1.0]
    """
    l, m = _checks.whole("l", l), _checks.whole("classes", classes, 2)
    return min(1.0, 1 / m + l * _checks.real("gamma", gamma, 0, 1))


def private_fit(l: int, classes: int, epsilon: float) -> float:
    """Bound the fit of an element seen `l` times under epsilon-label-private prediction: at most this.

    1 - (m - 1) / min over 0 <= k <= l/2 of (e^((l - k) epsilon) + (m - 1) e^(k epsilon)).  For l = 1 it is
    randomized response.  Not in the paper: the book proves the bound, shows it attained for l <= 2 and for
    m = 2, and finds it attained in every case tried by linear programming.  `epsilon` may be infinite.

    Examples
    --------
    >>> [round(private_fit(l, classes=10, epsilon=np.log(6)), 3) for l in (1, 2, 3)]
    [0.4, 0.8, 0.9]
    """
    l, m = _checks.whole("l", l), _checks.whole("classes", classes, 2)
    epsilon = _checks.real("epsilon", epsilon, 0)
    if l == 0 or epsilon == 0:
        return 1 / m
    if epsilon == math.inf:
        return 1.0
    # Least where the two terms below are equal, if that is inside; a tiny epsilon puts it far outside.
    best = max(0.0, l / 2 - math.log(m - 1) / (2 * epsilon))
    near = (min(k, l // 2) for k in (math.floor(best), math.ceil(best)))
    log_least = min(np.logaddexp((l - k) * epsilon, math.log(m - 1) + k * epsilon) for k in near)
    return -math.expm1(math.log(m - 1) - log_least)


def group_privacy(l: int, epsilon: float, delta: float = 0.0) -> Privacy:
    """Label privacy against changing `l` labels: (l epsilon, delta (e^(l epsilon) - 1) / (e^epsilon - 1)).

    The delta is the sum of e^(i epsilon) delta over i < l, at most l e^((l - 1) epsilon) delta.

    Parameters
    ----------
    l
        Number of labels changed, at least 1.
    epsilon, delta
        Privacy against changing one of them.

    Examples
    --------
    >>> group_privacy(3, epsilon=0.0, delta=1e-3)
    Privacy(epsilon=0.0, delta=0.003)
    """
    l = _checks.whole("l", l, 1)
    epsilon, delta = _checks.real("epsilon", epsilon, 0), _checks.real("delta", delta, 0, 1)
    if l == 1 or epsilon == 0 or delta == 0:
        return Privacy(l * epsilon, min(1.0, l * delta))
    # expm1(l epsilon) / expm1(epsilon), in logs because the first may overflow
    steps = (l - 1) * epsilon + math.log(math.expm1(-l * epsilon) / math.expm1(-epsilon))
    return Privacy(l * epsilon, math.exp(min(0.0, math.log(delta) + steps)))
