"""Solved worlds: their answers against the formulas, and against simulation with ten thousand worlds."""

from fractions import Fraction

import numpy as np
import pytest
from longtail import FrequencyPrior, expected_count, mass_seen, optimal_error, price_of_not_fitting, tau
from longtail.learners import fits_from, limited, memorizer, private
from longtail.solved import dirichlet_world, enumerated_world, uniform_world

WORLDS = [
    uniform_world(6, 5, 3),
    dirichlet_world(5, 6, 2),
    dirichlet_world(4, 5, 3, a=2),
    enumerated_world([6, 3, 2], 3, 4),
    enumerated_world([6, 3, 2], 3, 4, "fixed"),
]
IDS = ["uniform", "dirichlet", "dirichlet-2", "iid", "fixed"]


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_fractions_add_up(world):
    assert sum(world.masses) == 1
    assert sum(l * count for l, count in enumerate(world.expected_counts)) == world.n


@pytest.mark.parametrize(
    ("world", "prior", "reading"),
    [
        (WORLDS[0], FrequencyPrior.uniform(6), "fixed"),
        (WORLDS[3], FrequencyPrior([6, 3, 2]), "iid"),
        (WORLDS[4], FrequencyPrior([6, 3, 2]), "fixed"),
    ],
)
def test_formulas_agree_to_the_last_digit(world, prior, reading):
    m, n = world.classes, world.n
    for l in range(n + 1):
        assert expected_count(prior, n, l, reading) == pytest.approx(
            float(world.expected_counts[l]), rel=1e-12
        )
        assert mass_seen(prior, n, l, reading) == pytest.approx(float(world.masses[l]), rel=1e-12)
        assert tau(prior, n, l, reading) == pytest.approx(float(world.tau(l)), rel=1e-12)
    best = world.error(memorizer.fit)
    assert optimal_error(prior, n, m, reading) == pytest.approx(float(best), rel=1e-12)
    skips = float(world.error(fits_from(2).fit) - best)
    assert price_of_not_fitting(prior, n, m, reading) == pytest.approx(skips, rel=1e-12)
    for learner in (fits_from(3), limited(0.2), private(0.7)):
        assert learner.error(prior, n, m, reading) == pytest.approx(
            float(world.error(learner.fit)), rel=1e-12
        )


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_ten_thousand_worlds(world):
    """Simulated errors of three learners, and the mean frequency of singletons, within 4 standard errors."""
    rng, runs = np.random.default_rng(5), 10_000
    learners = [memorizer, fits_from(2), limited(0.25)]
    errors, once = np.empty((runs, len(learners))), np.empty((runs, 2))
    for k in range(runs):
        drawn = world.draw(rng)
        sample = drawn.sample(world.n, rng)
        errors[k] = [drawn.error(A(sample, rng)) for A in learners]
        once[k] = drawn.D[sample.counts == 1].sum(), np.count_nonzero(sample.counts == 1)
    exact = np.array([float(world.error(A.fit)) for A in learners])
    assert (np.abs(errors.mean(0) - exact) <= 4 * errors.std(0) / runs**0.5).all()
    residual = once[:, 0] - float(world.tau(1)) * once[:, 1]
    assert abs(residual.mean()) <= 4 * residual.std() / runs**0.5 + 1e-15


def test_dirichlet_posterior_is_laplace():
    world = dirichlet_world(3, 4, 2)
    assert [world.tau(l) for l in range(5)] == [Fraction(1 + l, 7) for l in range(5)]
    assert dirichlet_world(1, 3, 2).expected_counts == (0, 0, 0, 1)


def test_what_cannot_happen_has_no_price():
    with pytest.raises(ValueError, match="l must be a count that can occur in Dirichlet, got 2"):
        dirichlet_world(1, 3, 2).tau(2)
    with pytest.raises(ValueError, match="a must be at least 1, got 0"):
        dirichlet_world(2, 3, 2, a=0)
    with pytest.raises(ValueError, match="N must be at least 1, got 0"):
        uniform_world(0, 3, 2)
