"""Membership inference: who can tell from a model which examples it was trained on.

A score says for one model and one example how likely the example was trained on; an attack is good when
members score higher than others.  `lira` needs models of which one knows what they were trained on: an
ensemble of `longtail.ensembles`.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from scipy.stats import beta, rankdata

from longtail import _checks

Floats: TypeAlias = NDArray[np.float64]

LEAST = 1e-6  # variance of confidences below which `lira` does not go: models may agree to the last digit


class Estimate(NamedTuple):
    """An estimate with its standard error."""

    value: float
    se: float


class Rate(NamedTuple):
    """A share with its confidence interval."""

    value: float
    low: float
    high: float


class Roc(NamedTuple):
    """Share of others and of members whose score reaches a threshold, for falling thresholds.

    Attributes
    ----------
    threshold
        The distinct scores, largest first.
    false_positive, true_positive
        Share of others, and of members, with at least that score.
    """

    threshold: Floats
    false_positive: Floats
    true_positive: Floats


def confidence(logits: ArrayLike, labels: ArrayLike) -> Floats:
    """Log-odds that a model gives to the true label, log p_y - log(1 - p_y), computed without cancellation.

    Parameters
    ----------
    logits
        Shape (..., n, classes).
    labels
        Shape (n,).

    Returns
    -------
    Array of shape (..., n).

    Examples
    --------
    >>> confidence([[0.0, 0.0], [3.0, 1.0]], [0, 0])
    array([0., 2.])
    """
    values = np.asarray(logits, dtype=np.float64)
    if values.ndim < 2 or not np.isfinite(values).all():
        raise ValueError(f"logits must be finite, of shape (..., n, classes), got shape {values.shape}")
    true = _checks.labels("labels", labels, values.shape[-1])
    if len(true) != values.shape[-2]:
        raise ValueError(f"labels must have one for each of {values.shape[-2]} examples, got {len(true)}")
    own = np.arange(values.shape[-1]) == true[:, None]
    others = logsumexp(np.where(own, -np.inf, values), axis=-1)
    return np.asarray(values[..., np.arange(len(true)), true] - others)


def loss(confidences: ArrayLike) -> Floats:
    """Cross-entropy from the log-odds of the true label; its negative is the score of the plainest attack."""
    return np.asarray(np.logaddexp(0, -np.asarray(confidences, dtype=np.float64)))


def lira(confidences: ArrayLike, inside: ArrayLike, pooled: bool = False) -> Floats:
    """Likelihood-ratio attack on each model with the help of all others (Carlini et al. 2022).

    For every example two normal laws are fitted to the confidences of the *other* models, those trained on
    it and those not; the score is the log-likelihood ratio of the model under attack.

    Parameters
    ----------
    confidences
        Log-odds of the true label, shape (models, n), see `confidence`.
    inside
        Which model was trained on which example, shape (models, n).
    pooled
        One variance for all examples on either side instead of one for each: better with few models.

    Returns
    -------
    Scores, shape (models, n); NaN where fewer than two other models are on one of the sides.

    Notes
    -----
    Compare scores within a model.  For one example over models they are biased against the attack: each model
    is left out of the mean of its own side.  There let one half of the models teach and attack the other.
    """
    values, trained = _pairs(confidences, inside)
    laws = [_others(values, side, pooled) for side in (trained, ~trained)]
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = [-0.5 * ((values - mean) ** 2 / variance + np.log(variance)) for mean, variance in laws]
    return np.asarray(np.where(np.isfinite(logs[0]) & np.isfinite(logs[1]), logs[0] - logs[1], np.nan))


def _others(values: Floats, side: NDArray[np.bool_], pooled: bool) -> tuple[Floats, Floats]:
    """Mean and variance over all models on one side but the one of the row, shape (models, n) each."""
    centre = np.where(side, values, 0).sum(axis=0) / np.maximum(side.sum(axis=0), 1)
    around = np.where(side, values - centre, 0)  # sums of squares around the mean do not cancel
    number = side.sum(axis=0) - side
    first, second = around.sum(axis=0) - around, (around**2).sum(axis=0) - around**2
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = second - first**2 / number
        variance = np.maximum(squares, 0) / (number - 1)
        if pooled:
            known = number > 1
            variance = np.where(known, squares[known].sum() / (number[known] - 1).sum(), np.nan)
        variance = np.where(number > 1, np.maximum(variance, LEAST), np.nan)
        return centre + first / number, variance


def roc(scores: ArrayLike, inside: ArrayLike) -> Roc:
    """Receiver operating characteristic of an attack; scores and memberships of any one shape."""
    members, others = _sides(scores, inside)
    thresholds = np.unique(np.concatenate([members, others]))[::-1]
    reach = [1 - np.searchsorted(np.sort(s), thresholds, side="left") / s.size for s in (others, members)]
    return Roc(thresholds, *reach)


def auc(scores: ArrayLike, inside: ArrayLike) -> Estimate:
    """Chance that a member scores higher than another example, ties half, with DeLong's standard error.

    The standard error takes the scores as independent; NaN if one side has a single score.

    Examples
    --------
    >>> auc([3.0, 2.0, 1.0, 0.0], [True, True, False, False]).value
    1.0
    """
    members, others = _sides(scores, inside)
    ranks = rankdata(np.concatenate([members, others]))
    above = (ranks[: members.size] - rankdata(members)) / others.size
    below = 1 - (ranks[members.size :] - rankdata(others)) / members.size
    if min(above.size, below.size) < 2:
        return Estimate(float(above.mean()), math.nan)
    variance = sum(side.var(ddof=1) / side.size for side in (above, below))
    return Estimate(float(above.mean()), math.sqrt(variance))


def true_positive_rate(scores: ArrayLike, inside: ArrayLike, at: float, level: float = 0.95) -> Rate:
    """Share of members found when at most a share `at` of others is taken for members.

    The interval is Clopper and Pearson's at the threshold that the data chose.

    Parameters
    ----------
    scores, inside
        As in `roc`.
    at
        Share of others, in [0, 1].
    level
        Of the interval.
    """
    members, others = _sides(scores, inside)
    allowed = math.floor(_checks.real("at", at, 0, 1) * others.size * (1 + 1e-12))  # .29 of 100 are 29
    threshold = -np.inf if allowed == others.size else np.sort(others)[::-1][allowed]
    found = int((members > threshold).sum())
    return Rate(found / members.size, *_binomial(found, members.size, level))


def epsilon_lower_bound(
    scores: ArrayLike, inside: ArrayLike, threshold: float, delta: float = 0.0, level: float = 0.95
) -> float:
    """Lower bound on the epsilon of (epsilon, delta)-differential privacy that the attack proves.

    Whoever calls everything above `threshold` a member finds members at a rate of at most
    e^epsilon times the rate of false alarms plus delta, and likewise for non-members (Kairouz et al. 2015).
    The rates are bounded by Clopper and Pearson's intervals, together at `level`; scores must be
    independent and `threshold` must not come from the same scores.
    """
    members, others = _sides(scores, inside)
    delta = _checks.real("delta", delta, 0, 1)
    # One end of each interval is used, so that both hold together at `level`.
    hit, _ = _binomial(int((members > threshold).sum()), members.size, level)
    _, alarm = _binomial(int((others > threshold).sum()), others.size, level)
    ratios = [(hit - delta) / alarm, (1 - alarm - delta) / (1 - hit)]
    return max([0.0, *(math.log(r) for r in ratios if r > 0)])


def _binomial(found: int, size: int, level: float) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval of a chance."""
    tail = (1 - _checks.real("level", level, 0, 1)) / 2
    low = float(beta.ppf(tail, found, size - found + 1)) if found else 0.0
    high = float(beta.isf(tail, found + 1, size - found)) if found < size else 1.0
    return low, high


def _pairs(values: ArrayLike, inside: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    numbers, trained = np.asarray(values, dtype=np.float64), np.asarray(inside)
    if trained.dtype != bool or numbers.shape != trained.shape or numbers.ndim == 0:
        raise ValueError(
            f"inside must be bool and shaped like the scores {numbers.shape}, "
            f"got {trained.dtype} of shape {trained.shape}"
        )
    return numbers, trained


def _sides(scores: ArrayLike, inside: ArrayLike) -> tuple[Floats, Floats]:
    """Scores of members and of others."""
    values, trained = _pairs(scores, inside)
    if np.isnan(values).any():
        raise ValueError(f"scores must not be NaN, got {int(np.isnan(values).sum())} of them")
    if trained.all() or not trained.any():
        raise ValueError(f"inside must have members and others, got {int(trained.sum())} of {trained.size}")
    return values[trained], values[~trained]
