"""What the tail costs: the formulas of Feldman 2020, sections 2 and 4, for uniform labels."""

from __future__ import annotations

import math

from longtail import _checks
from longtail._checks import Reading
from longtail.moments import moments
from longtail.priors import FrequencyPrior

LEAST_DIGITS, TINY = 1e-7, 1e-15


def _sample_size(n: int, l: int = 0) -> tuple[int, int]:
    n, l = _checks.whole("n", n, 1), _checks.whole("l", l)
    if l > n:
        raise ValueError(f"l must be at most n = {n}, got {l}")
    return n, l


def _log_binomial(n: int, l: int) -> float:
    if min(l, n - l) <= 1000:
        return math.log(math.comb(n, l))
    entropy = l * math.log(n / l) - (n - l) * math.log1p(-l / n)
    rest = _stirling(n) - _stirling(l) - _stirling(n - l)
    return entropy + math.log(n / (2 * math.pi * l * (n - l))) / 2 + rest


def _stirling(k: int) -> float:
    """Return log k! - (k + 1/2) log k + k - log(2 pi) / 2, right to the last digit for k > 1000."""
    return 1 / (12 * k) - 1 / (360 * k**3)


def _check_resolved(error: float, n: int, l: int, value: float = 1.0) -> None:
    """Refuse numbers of the iid reading that have neither 7 digits nor a place among the first 15."""
    if error > LEAST_DIGITS and value * max(1.0, error) > TINY:
        raise ArithmeticError(
            f"reading='iid' needs averages that are smooth in the normaliser; for n = {n}, l = {l} they have"
            f" a relative error of {error:.0e} (use reading='fixed', or a smaller l)"
        )


def tau(prior: FrequencyPrior, n: int, l: int = 1, reading: Reading = "fixed") -> float:
    """Expected frequency of an element that occurs exactly `l` times among `n` draws.

    Feldman 2020, Lemma 2.1; an identity, tau_l = E[D(x) | x occurs l times], by Bayes' rule.
    ``tau(prior, n)`` is tau_1, the price of leaving one singleton unfitted.

    Parameters
    ----------
    prior
        The frequency prior.
    n
        Sample size, at least 1.
    l
        Number of occurrences, 0 <= l <= n.
    reading
        ``"fixed"`` or ``"iid"``, see `FrequencyPrior`.

    Returns
    -------
    float
        A frequency in [0, 1], right to 12 digits in the fixed reading and to 8 in the iid one.  Where the
        event has probability zero because one element holds all the mass, its frequency 1 comes back.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the kind or in the range named above.
    ArithmeticError
        If fewer than 7 digits of the iid reading could be had: for very large l, or very rare events.

    Examples
    --------
    >>> n = 50_000
    >>> round(n * tau(FrequencyPrior.zipf(n), n), 6)
    0.471676
    """
    n, l = _sample_size(n, l)
    _, s0, s1, error = moments(prior, n, l, reading)
    _check_resolved(error, n, l)
    return s1 / s0


def expected_count(prior: FrequencyPrior, n: int, l: int, reading: Reading = "fixed") -> float:
    """Expected number of elements that occur exactly `l` times in a sample of size `n`: E[Phi_l].

    Examples
    --------
    >>> round(expected_count(FrequencyPrior.uniform(2), n=2, l=1), 9)
    1.0
    """
    n, l = _sample_size(n, l)
    scale, s0, _, error = moments(prior, n, l, reading)
    count = s0 * math.exp(scale + _log_binomial(n, l))
    _check_resolved(error, n, l, count / prior.N)
    return count


def mass_seen(prior: FrequencyPrior, n: int, l: int, reading: Reading = "fixed") -> float:
    """Expected mass of the elements that occur exactly `l` times: tau_l E[Phi_l].

    ``l=0`` is the unseen mass, ``l=1`` the mass of the singletons; `longtail.goodturing.mass_seen` estimates
    the same from counts alone.

    Examples
    --------
    >>> n = 50_000
    >>> round(mass_seen(FrequencyPrior.zipf(n), n, 0), 6)
    0.170395
    """
    n, l = _sample_size(n, l)
    scale, _, s1, error = moments(prior, n, l, reading)
    mass = s1 * math.exp(scale + _log_binomial(n, l))
    _check_resolved(error, n, l, mass)
    return mass


def singleton_fraction(prior: FrequencyPrior, n: int, reading: Reading = "fixed") -> float:
    """Expected share of the sample that was seen once: E[Phi_1] / n.

    Examples
    --------
    >>> n = 50_000
    >>> round(singleton_fraction(FrequencyPrior.zipf(n), n), 6)
    0.170396
    """
    n, _ = _sample_size(n)
    return expected_count(prior, n, 1, reading) / n


def optimal_error(prior: FrequencyPrior, n: int, classes: int, reading: Reading = "fixed") -> float:
    """Smallest expected error of any learner under uniform labels: the unseen mass times 1 - 1/classes.

    Attained by memorizing every label and guessing on what was not seen (Feldman 2020, section 2.3).

    Examples
    --------
    >>> n = 50_000
    >>> round(optimal_error(FrequencyPrior.zipf(n), n, classes=10), 6)
    0.153355
    """
    guess = 1 / _checks.whole("classes", classes, 2)
    return mass_seen(prior, n, 0, reading) * (1 - guess)


def price_of_not_fitting(prior: FrequencyPrior, n: int, classes: int, reading: Reading = "fixed") -> float:
    """Excess error of a learner that guesses on every singleton: tau_1 E[Phi_1] (1 - 1/classes).

    From Theorem 2.3 of Feldman 2020, with equality for the learner that fits everything else: at least this
    much error above `optimal_error`.

    Examples
    --------
    >>> n = 50_000
    >>> round(price_of_not_fitting(FrequencyPrior.zipf(n), n, classes=10), 6)
    0.072335
    """
    return price_of_limit(prior, n, classes, 0.0, reading)


def price_of_limit(
    prior: FrequencyPrior, n: int, classes: int, gamma: float, reading: Reading = "fixed"
) -> float:
    """Least excess error of a gamma-memorization-limited learner.

    It is tau_1 E[Phi_1] max(0, 1 - 1/classes - gamma), a lower bound on the excess error (Feldman 2020,
    section 4.2).  For uniform labels it is attained when the limit holds for singletons; a limit on every
    example costs more as soon as gamma < (1 - 1/classes) / 2, see the book.

    Parameters
    ----------
    prior, n, reading
        As in `tau`.
    classes
        Number of equally likely labels, at least 2.
    gamma
        Largest memorization score allowed, in [0, 1].

    Examples
    --------
    >>> round(price_of_limit(FrequencyPrior.zipf(5_000), 50_000, classes=10, gamma=0.5), 3)
    0.015
    """
    fit = 1 / _checks.whole("classes", classes, 2) + _checks.real("gamma", gamma, 0, 1)
    return _price_at_fit(prior, n, fit, reading)


def price_of_privacy(
    prior: FrequencyPrior,
    n: int,
    classes: int,
    epsilon: float,
    delta: float = 0.0,
    tight: bool = True,
    reading: Reading = "fixed",
) -> float:
    """Least excess error of (epsilon, delta)-label-private prediction: tau_1 E[Phi_1] (1 - fit).

    A lower bound on the excess error.  `fit` bounds the chance that a private prediction on a singleton is
    its label.  For m classes Feldman 2020, Theorem 4.8, gives min(1, e^epsilon / m + delta); the tight bound
    is (e^epsilon + (m - 1) delta) / (e^epsilon + m - 1), attained on singletons by randomized response that
    answers the label itself with probability delta.

    Parameters
    ----------
    prior, n, reading
        As in `tau`.
    classes
        Number m of equally likely labels, at least 2.
    epsilon
        Privacy parameter, non-negative; infinity means no privacy and no price.
    delta
        In [0, 1].
    tight
        The tight bound (default) or the paper's.

    Examples
    --------
    At epsilon = ln 6 the price is one and a half times the paper's:

    >>> zipf = FrequencyPrior.zipf(5_000)
    >>> tight, paper = (price_of_privacy(zipf, 10_000, 10, math.log(6), tight=t) for t in (True, False))
    >>> round(tight / paper, 9)
    1.5
    """
    m = _checks.whole("classes", classes, 2)
    shrink = math.exp(-_checks.real("epsilon", epsilon, 0))  # e^-epsilon does not overflow
    delta = _checks.real("delta", delta, 0, 1)
    if tight:
        fit = (1 + (m - 1) * delta * shrink) / (1 + (m - 1) * shrink)
    else:
        fit = 1.0 if shrink * m <= 1 else 1 / (shrink * m) + delta
    return _price_at_fit(prior, n, fit, reading)


def _price_at_fit(prior: FrequencyPrior, n: int, fit: float, reading: Reading) -> float:
    """Mass of the singletons times the chance that one of them is predicted wrongly."""
    return mass_seen(prior, n, 1, reading) * max(0.0, 1 - fit)
