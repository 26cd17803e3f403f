"""Mixtures: the clouds are what they say, and coupling is estimated where it is known."""

import numpy as np
import pytest
from longtail import FrequencyPrior
from longtail.margins import (
    coupling_margin,
    independence,
    linear_classifier,
    max_margin,
    sharp_coupling_margin,
)
from longtail.mixtures import coupling, gaussian_mixture, nearest_neighbour, spherical_mixture
from longtail.worlds import World, draw_world
from scipy.optimize import minimize

PRIOR = FrequencyPrior.zipf(40)


def world(seed=0, classes=2):
    return draw_world(PRIOR, classes, seed)


def test_gaussian_clouds_have_the_spread_they_say():
    mixture = gaussian_mixture(world(), d=300, spread=0.5, seed=1)
    which = np.repeat(3, 2_000)
    distance = ((mixture.points(which, seed=2) - mixture.centres[3]) ** 2).sum(axis=1)
    assert distance.mean() == pytest.approx(0.25, abs=4 * 0.25 * np.sqrt(2 / 300 / 2_000))
    assert np.linalg.norm(mixture.centres, axis=1).mean() == pytest.approx(1, abs=0.05)


def test_spherical_clouds_have_the_cosine_they_say():
    mixture = spherical_mixture(world(), d=2_000, cosine=0.5, seed=1)
    a, b = (mixture.points(np.arange(40), seed) for seed in (2, 3))
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, rtol=1e-12)
    products = a @ b.T
    assert np.diag(products).mean() == pytest.approx(0.5, abs=4 / np.sqrt(40 * 2_000))
    assert np.abs(products[~np.eye(40, dtype=bool)]).max() < 5 / np.sqrt(2_000)


def test_sample_follows_the_world():
    mixture = gaussian_mixture(world(), d=3, spread=0.1, seed=1)
    x, y, which = mixture.sample(20_000, seed=2)
    np.testing.assert_array_equal(y, mixture.world.f[which])
    share = np.bincount(which, minlength=40) / 20_000
    np.testing.assert_allclose(share, mixture.world.D, atol=4 * 0.5 / np.sqrt(20_000))
    assert len(np.unique(x, axis=0)) == 20_000


def test_separated_clouds_couple_nearest_neighbours_completely():
    """Diameters below distances: lambda_l = 1 for every l."""
    result = coupling(
        nearest_neighbour, lambda rng: gaussian_mixture(world(rng), 50, 0.05, rng), n=60, samples=5
    )
    np.testing.assert_array_equal(result.value, 1)
    np.testing.assert_array_equal(result.se, 0)


def test_labels_without_geometry_agree_by_chance():
    """One cloud for all: the neighbour of a fresh point is x itself in one of n cases, else anybody."""

    def mixture(rng):
        drawn = spherical_mixture(World(np.full(500, 1 / 500), rng.integers(4, size=500), 4), 5, 1.0, rng)
        return type(drawn)(drawn.world, np.zeros((500, 5)), 1.0, spherical=False)

    result = coupling(nearest_neighbour, mixture, n=50, samples=60, largest=1)
    assert abs(result.value[0] - (1 / 4 + 3 / 4 / 50)) < 4 * result.se[0]
    assert 0.003 < result.se[0] < 0.03


def test_coupling_does_not_depend_on_later_samples():
    def draw(rng):
        return gaussian_mixture(world(rng), 4, 0.6, rng)

    few, again = (coupling(nearest_neighbour, draw, n=30, samples=6, seed=3) for _ in range(2))
    np.testing.assert_array_equal(few.value, again.value)
    assert (coupling(nearest_neighbour, draw, n=30, samples=12, seed=3).pairs > few.pairs).all()


def test_standard_error_of_coupling_by_replication():
    def draw(rng):
        return gaussian_mixture(world(rng), 4, 0.6, rng)

    runs = [coupling(nearest_neighbour, draw, 30, samples=15, largest=1, seed=s) for s in range(60)]
    spread = np.std([r.value[0] for r in runs], ddof=1)
    claimed = np.sqrt(np.mean([r.se[0] ** 2 for r in runs]))
    assert claimed == pytest.approx(spread, rel=4 / np.sqrt(2 * 59))  # a standard deviation from 60 values


def test_nothing_seen_is_nan():
    result = coupling(
        nearest_neighbour, lambda rng: gaussian_mixture(world(rng), 4, 0.6, rng), n=1, samples=2, largest=2
    )
    assert np.isnan(result.value[1])
    assert result.pairs[1] == 0


# -- margins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(5, 3), (20, 30), (40, 400)])
def test_max_margin_meets_the_optimality_conditions(n, d):
    """Some points lie on the margin, and the normal is a non-negative combination of those."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, d))
    y = np.where(x @ rng.standard_normal(d) > 0, 1, -1)
    w, margin = max_margin(x, y)
    distances = y * (x @ w)
    assert np.linalg.norm(w) == pytest.approx(1, rel=1e-12)
    assert margin == pytest.approx(distances.min(), rel=1e-9)
    assert margin > 0
    support = distances < margin * (1 + 1e-6)
    weights = np.linalg.lstsq((x * y[:, None])[support].T, w, rcond=None)[0]
    np.testing.assert_allclose((x * y[:, None])[support].T @ weights, w, atol=1e-8)
    assert weights.min() > -1e-8


def test_max_margin_against_a_general_optimiser():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((12, 6))
    y = np.where(x[:, 0] > 0, 1, -1)
    signed = x * y[:, None]
    found = minimize(
        lambda w: w @ w / 2,
        10 * np.eye(6)[0],
        jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: signed @ w - 1, "jac": lambda w: signed},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert max_margin(x, y).margin == pytest.approx(1 / np.linalg.norm(found.x), rel=1e-5)


def test_independence_by_least_squares():
    rng = np.random.default_rng(0)
    for n, d in ((6, 20), (6, 4)):  # in the second all points lie in the span of the others
        x, fresh = rng.standard_normal((2, n, d))
        for points, result in ((x, independence(x)), (fresh, independence(x, fresh))):
            for i in range(n):
                others = np.delete(x, i, axis=0).T
                projection = others @ np.linalg.lstsq(others, points[i], rcond=None)[0]
                assert result[i] == pytest.approx(np.linalg.norm(projection), rel=1e-9)


def test_independence_of_repeated_and_orthogonal_points():
    np.testing.assert_allclose(independence(np.eye(4)), 0, atol=1e-12)
    np.testing.assert_allclose(independence([[1, 0, 0], [1, 0, 0], [0, 2, 0]]), [1, 1, 0], atol=1e-12)


def test_margin_above_the_bound_couples_every_singleton():
    """The theorem on random instances that meet its hypotheses; the hypotheses are met, and not by all."""
    rng, met = np.random.default_rng(0), 0
    for _ in range(300):
        n, d = 3, int(rng.integers(200, 4_000))
        x = spherical_mixture(World(np.ones(n) / n, rng.integers(2, size=n), 2), d, 0.8, rng)
        points, fresh = x.points(np.arange(n), rng), x.points(np.arange(n), rng)
        y = 2 * x.world.f - 1
        w, margin = max_margin(points, y)
        theta = np.maximum(independence(points), independence(points, fresh))
        needed = [coupling_margin(t, float(p @ q), 1.0) for t, p, q in zip(theta, points, fresh, strict=True)]
        applies = margin > np.array(needed)
        met += applies.sum()
        assert (y * (fresh @ w) > 0)[applies].all()
    assert 100 < met <= 900


def test_sharp_margin_is_attained():
    """Singleton, fresh point and one direction v in three dimensions: at g* the answer is undecided."""
    rng = np.random.default_rng(1)
    for theta, t in rng.uniform((0.05, 0.1), (0.4, 0.9), size=(50, 2)):
        x = np.array([theta, np.sqrt(1 - theta**2), 0])  # v is the first axis
        fresh = np.array([-theta, (t + theta**2) / np.sqrt(1 - theta**2), 0])
        normal = np.array([fresh[1], -fresh[0], 0]) / np.hypot(*fresh[:2])  # undecided about the fresh point
        assert x @ fresh == pytest.approx(t, rel=1e-12)
        assert x @ normal == pytest.approx(sharp_coupling_margin(theta, t), rel=1e-9)


def test_linear_classifier_fits_its_sample():
    mixture = spherical_mixture(world(), 200, 0.5, seed=1)
    x, y, _ = mixture.sample(30, seed=2)
    np.testing.assert_array_equal(linear_classifier(x, y)(x), y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_mixture(world(), 0, 1.0), "d must be at least 1, got 0"),
        (lambda: gaussian_mixture(world(), 2, -1.0), r"spread must lie in \[0, inf\], got -1"),
        (lambda: spherical_mixture(world(), 2, 0.0), r"cosine must lie in \(0, 1\], got 0"),
        (lambda: coupling(nearest_neighbour, None, 5, samples=1), "samples must be at least 2, got 1"),
        (lambda: coupling(nearest_neighbour, None, 0), "n must be at least 1, got 0"),
        (lambda: max_margin([[1.0]], [0]), "y must be 1 labels, each -1 or 1"),
        (lambda: max_margin([[1.0], [1.0]], [1, -1]), "separable through the origin"),
        (lambda: max_margin([[np.nan]], [1]), "x must be a finite, non-empty matrix"),
        (lambda: independence([[1.0, 2.0]], [[1.0]]), "fresh must have the shape of x"),
        (lambda: coupling_margin(1.0, 0.5), "theta must be below norm"),
        (lambda: coupling_margin(0.1, 0.0), "theta must be below norm and tau_squared positive"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("margin", [1.0, 1e-4, 1e-7, 1e-9])
def test_small_margins_keep_their_digits(margin):
    """Three points a little above a line, one of them between the others."""
    x = [[1.0, margin], [-1.0, margin], [0.5, margin]]
    assert max_margin(x, [1, 1, 1]).margin == pytest.approx(margin, rel=1e-6)


def test_zeros_have_no_margin():
    with pytest.raises(ValueError, match="separable through the origin"):
        max_margin(np.zeros((3, 2)), [1, 1, -1])
