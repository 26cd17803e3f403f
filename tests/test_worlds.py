"""Worlds, learners, and the theorem that ties them to the prices."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from longtail import (
    FrequencyPrior,
    expected_count,
    mass_seen,
    optimal_error,
    price_of_limit,
    price_of_not_fitting,
    price_of_privacy,
)
from longtail.learners import fits_from, fits_singletons_with, memorizer
from longtail.worlds import UNSEEN, compositions, draw_world, enumerate_outcomes

THIRDS = [Fraction(1), Fraction(1, 2), Fraction(1, 3)]


# -- exact worlds ------------------------------------------------------------------------------------------


def test_posterior_depends_on_the_whole_sample():
    """Theory's counterexample, in exact fractions: given the counts of all, E[D(x)] is not tau_1."""
    outcomes = {o.counts: o for o in enumerate_outcomes(THIRDS, 3)}
    assert outcomes[1, 1, 1].posterior[0] == Fraction(1, 3)
    assert float(outcomes[1, 2, 0].posterior[0]) == pytest.approx(0.328800, abs=5e-7)
    once = [o for o in outcomes.values() if o.counts[0] == 1]
    tau_1 = sum(o.probability * o.posterior[0] for o in once) / sum(o.probability for o in once)
    assert float(tau_1) == pytest.approx(0.330861, abs=5e-7)
    assert outcomes[1, 2, 0].posterior[0] < tau_1 < outcomes[1, 1, 1].posterior[0]


@pytest.mark.parametrize("reading", ["fixed", "iid"])
def test_enumeration_agrees_with_the_formulas(reading):
    n, prior = 3, FrequencyPrior([float(v) for v in THIRDS])
    outcomes = enumerate_outcomes(THIRDS, n, reading)
    assert sum(o.probability for o in outcomes) == 1
    assert all(sum(o.posterior) == 1 for o in outcomes)
    for l in range(n + 1):
        count = sum(o.probability * o.counts.count(l) for o in outcomes)
        mass = sum(
            o.probability * sum(d for d, c in zip(o.posterior, o.counts, strict=True) if c == l)
            for o in outcomes
        )
        assert float(count) == pytest.approx(expected_count(prior, n, l, reading), rel=1e-13)
        assert float(mass) == pytest.approx(mass_seen(prior, n, l, reading), rel=1e-13)


def test_compositions():
    assert compositions(3, 1) == [(3,)]
    assert len(compositions(4, 3)) == 15
    assert all(sum(c) == 4 for c in compositions(4, 3))


# -- drawn worlds ------------------------------------------------------------------------------------------


def test_world_and_sample():
    world = draw_world(FrequencyPrior.zipf(300), classes=7, seed=0)
    sample = world.sample(200, seed=1)
    assert sample.counts.sum() == 200
    assert set(world.f) == set(range(7))
    np.testing.assert_array_equal(sample.labels[sample.counts > 0], world.f[sample.counts > 0])
    assert (sample.labels[sample.counts == 0] == UNSEEN).all()
    wrong = (world.f + 1) % 7
    assert world.error(world.f) == 0
    assert world.error(wrong) == pytest.approx(1)
    assert world.errn(wrong, sample, 1) == np.count_nonzero(sample.counts == 1)
    again = draw_world(FrequencyPrior.zipf(300), classes=7, seed=0).sample(200, seed=1)
    np.testing.assert_array_equal(again.counts, sample.counts)


CLASSES, N, RUNS = 10, 500, 400
PRIOR = FrequencyPrior.zipf(N)


def simulated(learner, reading):
    """Errors of a learner in RUNS fresh worlds, shape (RUNS,)."""
    rng, errors = np.random.default_rng(7), []
    for _ in range(RUNS):
        world = draw_world(PRIOR, CLASSES, rng, reading)
        errors.append(world.error(learner(world.sample(N, rng), rng)))
    return np.array(errors)


CASES = {
    "memorizer": (memorizer, lambda r: optimal_error(PRIOR, N, CLASSES, r)),
    "skips singletons": (
        fits_from(2),
        lambda r: optimal_error(PRIOR, N, CLASSES, r) + price_of_not_fitting(PRIOR, N, CLASSES, r),
    ),
    "skips up to pairs": (
        fits_from(3),
        lambda r: sum(mass_seen(PRIOR, N, l, r) for l in range(3)) * (1 - 1 / CLASSES),
    ),
    "gamma = 0.3": (
        fits_singletons_with(1 / CLASSES + 0.3),
        lambda r: optimal_error(PRIOR, N, CLASSES, r) + price_of_limit(PRIOR, N, CLASSES, 0.3, r),
    ),
    "randomized response, epsilon = 2": (
        fits_singletons_with(np.exp(2) / (np.exp(2) + CLASSES - 1)),
        lambda r: optimal_error(PRIOR, N, CLASSES, r) + price_of_privacy(PRIOR, N, CLASSES, 2, reading=r),
    ),
}


@pytest.mark.parametrize("reading", ["fixed", "iid"])
@pytest.mark.parametrize("name", CASES)
def test_learners_pay_what_the_theorem_says(name, reading):
    learner, predicted = CASES[name]
    errors = simulated(learner, reading)
    se = errors.std(ddof=1) / np.sqrt(RUNS)
    assert errors.mean() == pytest.approx(predicted(reading), abs=4 * se)


def test_those_tests_can_tell_the_learners_apart():
    errors = simulated(memorizer, "fixed")
    se = errors.std(ddof=1) / np.sqrt(RUNS)
    targets = [predicted("fixed") for _, predicted in CASES.values()]
    assert min(abs(a - b) for a, b in itertools.combinations(targets, 2)) > 4 * se


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: draw_world(PRIOR, 1), ValueError, "classes must be at least 2, got 1"),
        (lambda: draw_world(PRIOR, 2, 0).sample(0), ValueError, "n must be at least 1, got 0"),
        (lambda: enumerate_outcomes([1, 0], 2), ValueError, "values must be positive rationals"),
        (lambda: enumerate_outcomes([], 2), ValueError, "values must be positive rationals"),
        (lambda: enumerate_outcomes([1, 2], 2, "both"), ValueError, "reading must be"),
        (lambda: fits_from(0), ValueError, "least must be at least 1, got 0"),
        (lambda: fits_singletons_with(1.1), ValueError, r"probability must lie in \[0, 1\], got 1\.1"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
