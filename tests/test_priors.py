"""Frequency priors: their lists, their two readings, and the law of the normaliser."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import FrequencyPrior, expected_count, mass_seen, normaliser, tau
from longtail.measures import compress, gauss_rule
from longtail.moments import _sums, moments
from longtail.normaliser import convolve, law_of_sum
from longtail.worlds import enumerate_outcomes
from scipy.stats import poisson

NAMED = {
    "zipf": FrequencyPrior.zipf(1000),
    "zipf, exponent 2": FrequencyPrior.zipf(1000, 2),
    "uniform": FrequencyPrior.uniform(1000),
    "geometric": FrequencyPrior.geometric(60, 0.8),
    "lognormal": FrequencyPrior.lognormal(1000, 2),
    "pareto": FrequencyPrior.pareto(1000, 1.5),
    "two-point": FrequencyPrior.two_point(100),
    "counts": FrequencyPrior.from_counts([7, 1, 1, 1, 2, 30]),
}


@pytest.mark.parametrize("name", NAMED)
def test_frequencies_sum_to_one_largest_first(name):
    prior = NAMED[name]
    assert prior.frequencies @ prior.multiplicities == pytest.approx(1, rel=1e-14)
    assert (np.diff(prior.values) <= 0).all()
    assert prior.multiplicities.sum() == prior.N
    assert not prior.values.flags.writeable


def test_definitions_of_the_named_priors():
    i = np.arange(1, 6)
    assert FrequencyPrior.zipf(5, 0.7).values == pytest.approx(i**-0.7, rel=1e-14)
    assert FrequencyPrior.geometric(5, 0.5).frequencies == pytest.approx(2.0 ** (5 - i) / 31, rel=1e-14)
    assert FrequencyPrior.pareto(5, 2).values ** 2 == pytest.approx(1 / (2 * i - 1), rel=1e-13)
    assert np.log(FrequencyPrior.lognormal(5, 3).values)[2] == pytest.approx(-3 * 1.2815515655446004)
    assert FrequencyPrior.zipf(5, 0).frequencies == pytest.approx(np.full(5, 0.2))
    two = FrequencyPrior.two_point(100, 0.25)
    assert two.frequencies == pytest.approx([1 / 100, 1 / 10_000])
    assert list(two.multiplicities) == [25, 7500]


def test_extreme_exponents_stay_positive():
    assert FrequencyPrior.zipf(10**6, 50).values[-1] == pytest.approx(1e-300)
    assert FrequencyPrior.geometric(10**5).values[-1] > 0


def test_counts_keep_zeros_and_multiplicities():
    prior = FrequencyPrior.from_counts([0, 0, 3, 1])
    assert prior.N == 4
    assert list(prior.multiplicities) == [1, 1, 2]
    assert expected_count(prior, 5, 0) > 2  # the two that never occur


# -- weight ------------------------------------------------------------------------------------------------


def test_weight_fixed_and_iid():
    prior, n = FrequencyPrior.zipf(2000), 2000
    edges = [0, 1 / (3 * n), 2 / n, 0.02, 1]
    for reading in ("fixed", "iid"):
        parts = [prior.weight(a, b, reading) for a, b in itertools.pairwise(edges)]
        assert sum(parts) == pytest.approx(1, rel=1e-9)
    D = np.array([prior.sample(seed, "iid") for seed in range(400)])
    masses = np.where((edges[1] <= D) & (edges[2] >= D), D, 0).sum(axis=1)
    se = masses.std(ddof=1) / np.sqrt(400)
    assert prior.weight(edges[1], edges[2], "iid") == pytest.approx(masses.mean(), abs=4 * se)
    assert se < 0.01 * masses.mean()


def test_weight_includes_both_ends():
    uniform = FrequencyPrior.uniform(4)
    assert uniform.weight(0.25, 0.25) == 1 == uniform.weight(0.25, 0.25, "iid")
    assert uniform.weight(0.26, 1) == 0 == uniform.weight(0, 0.24)


# -- sampling ----------------------------------------------------------------------------------------------


def test_samples_follow_their_reading():
    prior = FrequencyPrior([4, 2, 1, 1])
    fixed = prior.sample(0)
    assert sorted(fixed) == pytest.approx(sorted([0.5, 0.25, 0.125, 0.125]))
    assert prior.sample(np.random.default_rng(0)) == pytest.approx(fixed)
    draws = np.array([prior.sample(seed, "iid") for seed in range(2000)])
    assert draws.sum(axis=1) == pytest.approx(np.ones(2000))
    se = draws[:, 0].std(ddof=1) / np.sqrt(2000)
    assert draws[:, 0].mean() == pytest.approx(1 / 4, abs=4 * se)  # E[D(x)] = 1/N by symmetry


# -- the iid reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1, Fraction(1, 2), Fraction(1, 3)], [1, 1, 5], [3, Fraction(1, 10)]])
@pytest.mark.parametrize("l", [0, 1, 2])
def test_iid_reading_is_exact_in_tiny_worlds(values, l):
    n = 3
    outcomes = enumerate_outcomes(values, n, "iid")
    seen = [o for o in outcomes if o.counts[0] == l]
    exact = sum(o.probability * o.posterior[0] for o in seen) / sum(o.probability for o in seen)
    assert tau(FrequencyPrior([float(v) for v in values]), n, l, "iid") == pytest.approx(
        float(exact), rel=1e-13
    )


@pytest.mark.parametrize(
    "prior",
    [
        FrequencyPrior.zipf(2000),
        FrequencyPrior.zipf(300, 2),
        FrequencyPrior.zipf(300, 10),
        FrequencyPrior.lognormal(500, 3),
        FrequencyPrior.geometric(50),
    ],
    ids=["zipf", "zipf 2", "zipf 10", "lognormal", "geometric"],
)
@pytest.mark.parametrize("l", [1, 2])
def test_iid_reading_against_monte_carlo(prior, l):
    """An independent route: draw D, average D^(l+1) (1-D)^(n-l) and D^l (1-D)^(n-l) over its elements."""
    n, rng, runs = prior.N, np.random.default_rng(0), 4000
    D = np.array([prior.sample(rng, "iid") for _ in range(runs)])
    likelihood = D**l * (1 - D) ** (n - l)
    below, above = likelihood.sum(axis=1), (D * likelihood).sum(axis=1)
    ratio = above.mean() / below.mean()
    se = (above - ratio * below).std(ddof=1) / np.sqrt(runs) / below.mean()
    assert tau(prior, n, l, "iid") == pytest.approx(ratio, abs=4 * se)
    assert se < 0.02 * ratio  # the check can fail


IID = {
    "zipf": FrequencyPrior.zipf(1000),
    "zipf 10^9": FrequencyPrior.zipf(10**9),
    "zipf 2": FrequencyPrior.zipf(5000, 2),
    "pareto": FrequencyPrior.pareto(1000, 0.5),
    "lognormal": FrequencyPrior.lognormal(10**6, 3),
    "geometric": FrequencyPrior.geometric(100),
}


@pytest.mark.parametrize("name", IID)
@pytest.mark.parametrize("l", [0, 1, 10, 50, 200])
def test_iid_error_estimate_is_honest(name, l):
    """Bins of a quarter of the width: no further off than was said."""
    prior, n = IID[name], max(IID[name].N, 1000)
    scale, s0, s1, error = moments(prior, n, l, "iid")
    if error > 1e-8:  # few worlds have an element that is so common
        assert l == 200
        return
    finest = _sums(prior.iid_odds(n, l, 2), n, l)
    assert s1 / s0 == pytest.approx(finest[2] / finest[1], rel=max(error, 1e-11))
    assert s0 * math.exp(scale - finest[0]) == pytest.approx(finest[1], rel=max(error, 1e-11))
    if l == 200:
        coarse = _sums(prior.iid_odds(n, l, 0, careful=False), n, l)  # the check can fail
        assert abs(coarse[1] * math.exp(coarse[0] - finest[0]) / finest[1] - 1) > 1e-8


def by_characteristic_function(N, n, l, points=1 << 12, top=40.0):
    """S_0 and S_1 of the iid reading of Zipf by Fourier inversion of the law of the sum: another route.

    The characteristic function of one value, to the power N - 1, falls like exp(-pi t / 2): a trapezium rule
    as far as t = 40 leaves nothing out, and one over the sums converges geometrically.
    """
    i = np.arange(1.0, N + 1)
    t = np.arange(points) * top / points
    phi = np.array([np.mean(np.expm1(1j * x / i)) for x in t])
    power = np.exp((N - 1) * np.log1p(phi))
    r = np.linspace(0, 2 * math.pi / t[1], 1 << 14, endpoint=False)[1:]
    r = r[(r > 0.2) & (r < 40)]
    power[0] /= 2
    density = (power @ np.exp(-1j * np.outer(t, r))).real * t[1] / math.pi
    odds = np.divide.outer(1 / i, r)
    term = np.exp(l * np.log(odds) - n * np.log1p(odds)) * density * (r[1] - r[0])
    return float(term.sum()), float((term * odds / (1 + odds)).sum())


@pytest.mark.parametrize("l", [0, 1, 3])
def test_iid_reading_against_fourier(l):
    """Two routes to the law of the sum that share nothing."""
    N = n = 400
    s0, s1 = by_characteristic_function(N, n, l)
    prior = FrequencyPrior.zipf(N)
    assert tau(prior, n, l, "iid") == pytest.approx(s1 / s0, rel=1e-9)
    assert mass_seen(prior, n, l, "iid") == pytest.approx(math.comb(n, l) * s1, rel=1e-9)


def test_iid_reading_of_two_values_at_a_million_million():
    """The sum is a binomial variable, stretched."""
    N = n = 10**12
    prior = FrequencyPrior([1e11, 1], multiplicities=[5, N - 5])
    k = np.arange(80)
    p = poisson.pmf(k, 5)  # off by 5 / N
    R = 1e11 * k + N
    odds = np.array([1e11 / R, 1 / R])
    term = np.exp(np.log(odds) - n * np.log1p(odds)) * p * [[5], [N - 5]]
    expected = (term * odds / (1 + odds)).sum() / term.sum()
    assert tau(prior, n, 1, "iid") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("l", [100_000, 3_000])
def test_iid_reading_says_what_it_cannot_do(l):
    """Peaks narrower than bins, and worlds rarer than what the law keeps."""
    zipf = FrequencyPrior.zipf(100_000)
    with pytest.raises(ArithmeticError, match=rf"for n = 100000, l = {l} they have a relative error of"):
        tau(zipf, 100_000, l, "iid")
    assert tau(zipf, 100_000, l) > 0


def test_least_sum_is_a_bound():
    """Chernoff's: at three draws exactly, and not idle for many."""
    atoms = 1 / np.arange(1.0, 101)
    single = atoms, np.full(100, 0.01)
    assert normaliser.least_sum(single, 3) < 3 * atoms.min()
    for draws in (10**4, 10**9):
        assert 0.7 < normaliser.least_sum(single, draws) / (draws * atoms.mean()) < 1


def test_normaliser_has_the_moments_of_the_sum():
    prior = FrequencyPrior.zipf(1000)
    sums, q = prior.normaliser
    scaled = prior.values / 2  # the library scales by a power of two
    mean, var = 999 * scaled.mean(), 999 * scaled.var()
    assert q.sum() == pytest.approx(1, abs=1e-12)
    assert sums @ q == pytest.approx(mean, rel=1e-12)
    assert (sums - mean) ** 2 @ q == pytest.approx(var, rel=1e-10)
    assert (q > 0).all()


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_gauss_rule_keeps_moments(atoms, order):
    x, w = np.array(atoms), np.linspace(1, 2, len(atoms))
    nodes, weights = gauss_rule(x, w, order)
    assert len(nodes) <= order
    for k in range(2 * len(nodes)):
        assert weights @ nodes**k == pytest.approx(w @ x**k, rel=1e-9)


def test_small_sums_stay_exact():
    law = (np.array([1.0, 10.0]), np.array([0.25, 0.75]))
    total, p = law_of_sum(law, 5)
    for k in range(6):
        near = np.abs(total - (5 + 9 * k)) < 1e-9
        assert p[near].sum() == pytest.approx(math.comb(5, k) * 0.75**k * 0.25 ** (5 - k), rel=1e-12)
    assert convolve(law, law)[1].sum() == pytest.approx(1)


def test_compress_merges_atoms_that_only_rounding_tells_apart():
    atoms = 3.0 + np.arange(100) * 4e-16
    nodes, weights = compress(atoms, np.full(100, 0.01))
    assert nodes.size == 1
    assert weights.sum() == pytest.approx(1)


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FrequencyPrior([]), ValueError, r"values must be a non-empty one-dimensional list"),
        (lambda: FrequencyPrior([[1, 2]]), ValueError, r"values must be a non-empty .* got shape \(1, 2\)"),
        (
            lambda: FrequencyPrior([1, -2]),
            ValueError,
            r"values must be non-negative, got -2\.0 at position 1",
        ),
        (lambda: FrequencyPrior([1, math.nan]), ValueError, r"values must be finite, got nan at position 1"),
        (lambda: FrequencyPrior([math.inf]), ValueError, r"values must be finite, got inf"),
        (lambda: FrequencyPrior([0, 0]), ValueError, r"values must not all be zero, got 2 zeros"),
        (lambda: FrequencyPrior(["a"]), TypeError, r"values must be a list of numbers"),
        (lambda: FrequencyPrior([1], [0]), ValueError, r"multiplicities must not all be zero"),
        (lambda: FrequencyPrior([1, 2], [1]), ValueError, r"multiplicities must be 2 whole numbers >= 1"),
        (
            lambda: FrequencyPrior([1, 2], [1, 1.5]),
            ValueError,
            r"multiplicities must be whole numbers, got 1\.5",
        ),
        (lambda: FrequencyPrior.zipf(0), ValueError, r"N must be at least 1, got 0"),
        (lambda: FrequencyPrior.zipf(2.5), ValueError, r"N must be a whole number, got 2\.5"),
        (lambda: FrequencyPrior.zipf(5, -1), ValueError, r"exponent must lie in \[0, "),
        (lambda: FrequencyPrior.geometric(5, 0), ValueError, r"ratio must be positive, got 0"),
        (lambda: FrequencyPrior.pareto(5, 0), ValueError, r"shape must be positive, got 0"),
        (lambda: FrequencyPrior.two_point(10, 0.01), ValueError, r"atypical must leave at least one element"),
        (lambda: FrequencyPrior.from_counts([1, 2.5]), ValueError, r"counts must be whole numbers, got 2\.5"),
        (lambda: FrequencyPrior.from_counts([]), ValueError, r"counts must be a non-empty"),
        (lambda: FrequencyPrior.from_counts([-1, 2]), ValueError, r"counts must be non-negative, got -1"),
        (lambda: FrequencyPrior.from_counts([1e19]), ValueError, r"counts must be below 2\*\*63"),
        (
            lambda: FrequencyPrior([1, 0]).sample(0, "iid"),
            ValueError,
            r"values must be positive for reading='iid'",
        ),
        (lambda: FrequencyPrior([1, 0]).normaliser, ValueError, r"values must be positive for reading='iid'"),
        (lambda: FrequencyPrior([1]).normaliser, ValueError, r"needs N >= 2"),
        (
            lambda: FrequencyPrior([1]).weight(0.5, 0.2),
            ValueError,
            r"high must lie in \[0\.5, inf\], got 0\.2",
        ),
        (lambda: FrequencyPrior([1, 2]).sample(0, "both"), ValueError, r"reading must be 'fixed' or 'iid'"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
