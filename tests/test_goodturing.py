"""Prior-free estimates: exact values, standard errors against simulation, coverage of the intervals."""

import itertools
import math
from dataclasses import astuple

import numpy as np
import pytest
from longtail import FrequencyPrior, expected_count, goodturing
from longtail import mass_seen as expected_mass
from longtail.goodturing import mass_seen, price
from longtail.learners import limited, private, randomized_response

ZIPF = FrequencyPrior.zipf(2000)


def test_values_on_paper():
    counts = [5, 3, 2, 2, 1, 1, 1, 0]
    assert list(goodturing.occurrences(counts)) == [1, 3, 2, 1, 0, 1]
    assert goodturing.mass_seen(counts, 0).value == pytest.approx(3 / 15)
    assert goodturing.mass_seen(counts, 1).value == pytest.approx(4 / 15)
    assert goodturing.mass_seen(counts, 2).value == pytest.approx(3 / 15)
    assert goodturing.mass_seen(counts, 100).value == 0
    assert goodturing.tau(counts, 1) == pytest.approx(4 / 45)
    assert math.isnan(goodturing.tau(counts, 4))


def test_esty_1983_for_the_unseen_mass():
    counts = np.repeat([1, 2, 7], [40, 11, 9])
    n, once, twice = counts.sum(), 40, 11
    se = goodturing.mass_seen(counts, 0).se
    assert se == pytest.approx(np.sqrt(once * (1 - once / n) + 2 * twice) / n, rel=1e-14)


@pytest.mark.parametrize("l", [0, 1, 2])
def test_bias_and_standard_error_against_simulation(l):
    """The estimate minus the true mass in the same sample has mean O(1/n) and the stated spread."""
    n, runs, rng, D = 2000, 3000, np.random.default_rng(0), ZIPF.frequencies
    gaps, ses = [], []
    for _ in range(runs):
        counts = rng.multinomial(n, D)
        estimate = goodturing.mass_seen(counts, l)
        gaps.append(estimate.value - D[counts == l].sum())
        ses.append(estimate.se)
    spread = np.std(gaps, ddof=1)
    # The identity holds between n and n + 1 draws; plugging in n costs a bias below (l + 2) / n.
    bias = expected_count(ZIPF, n, l + 1) * (l + 1) / n - expected_mass(ZIPF, n, l)
    assert np.mean(gaps) == pytest.approx(bias, abs=4 * spread / np.sqrt(runs))
    assert abs(bias) < (l + 2) / n
    assert spread == pytest.approx(np.sqrt(np.mean(np.square(ses))), rel=4 / np.sqrt(2 * runs))


@pytest.mark.parametrize(
    ("prior", "n"),
    [
        (ZIPF, 2000),
        (FrequencyPrior.zipf(2000), 100),
        (FrequencyPrior.uniform(500), 200),
        (FrequencyPrior.zipf(50), 400),
    ],
    ids=["zipf", "small sample", "uniform", "nearly all seen"],
)
@pytest.mark.parametrize("l", [0, 1])
def test_coverage_of_the_intervals(prior, n, l):
    """95 % intervals hold the true mass in at least 93 % of the samples; they are conservative, not lucky."""
    runs, rng, D = 2000, np.random.default_rng(1), np.repeat(prior.frequencies, prior.multiplicities)
    covered = 0
    for counts in rng.multinomial(n, D, size=runs):
        low, high = goodturing.mass_seen(counts, l).interval()
        covered += low <= D[counts == l].sum() <= high
    se = np.sqrt(0.05 * 0.95 / runs)
    assert covered / runs > 0.95 - 4 * se


ZIPF_LAW = ZIPF.frequencies
EVEN_RANKS = np.where(np.arange(2000) % 2, 0, ZIPF_LAW) / ZIPF_LAW[::2].sum()
TWO_KINDS = np.append(np.full(20, 0.045), np.full(1980, 0.1 / 1980))
HARD = {  # laws of groups, and how many rows of each
    "all alone": ([np.full(5000, 1 / 5000)], [100]),
    "nearly all alone": ([np.full(1300, 1 / 1300)], [100]),
    "five rows": ([np.repeat(1 / 200, 200)], [5]),
    "five rows, Zipf": ([ZIPF_LAW], [5]),
    "five beside many": ([ZIPF_LAW, ZIPF_LAW], [300, 5]),
    "ten beside many": ([ZIPF_LAW, EVEN_RANKS], [300, 10]),
    "ten of other kinds": ([ZIPF_LAW, ZIPF_LAW[::-1]], [300, 10]),
    "heavy and light": ([TWO_KINDS, TWO_KINDS], [200, 10]),
}
CHARGES = {
    "unseen": lambda l: float(l == 0),
    "seen once": lambda l: float(l == 1),
    "private": lambda l: 1 - private(0.5).fit(l, 2) if l else 0.0,
}


@pytest.mark.parametrize("case", HARD)
def test_coverage_where_it_is_hard(case):
    """Rows all alone, tiny groups: of 500 samples at least 95 % are covered, up to 4 standard errors."""
    laws, sizes = HARD[case]
    rng, runs = np.random.default_rng(3), 500
    covered = {(what, g): 0 for what in CHARGES for g in range(len(laws))}
    for _ in range(runs):
        members = np.array([rng.multinomial(n, law) for n, law in zip(sizes, laws, strict=True)])
        counts = members.sum(axis=0)
        for what, charge in CHARGES.items():
            paid = np.array([charge(l) for l in range(counts.max() + 1)])[counts]
            for g, law in enumerate(laws):
                low, high = price(counts[members[g] > 0], charge, members[g][members[g] > 0]).interval()
                covered[what, g] += low <= law @ paid <= high
    assert min(covered.values()) / runs > 0.95 - 4 * np.sqrt(0.05 * 0.95 / runs), covered


def test_interval_when_nothing_was_seen_twice():
    interval = goodturing.mass_seen(np.ones(100, int), 1).interval()
    assert interval.low == 0
    assert 0.02 < interval.high < 0.2
    assert goodturing.mass_seen([5, 5], 0).interval().high < 1


def test_interval_when_all_are_alone_is_no_point():
    """No pair among n: up to 3.69 pairs may have been due, and each takes 2 / n from what is unseen."""
    for estimate in (mass_seen(np.ones(100, int), 0), price(np.ones(100, int), CHARGES["unseen"])):
        assert estimate.interval() == pytest.approx((1 - 2 * 3.689 / 100, 1), abs=1e-4)


def test_prices_never_exceed_the_largest_charge():
    estimate = price([2] * 10, lambda l: 0.3 * (l == 1))
    assert estimate.value == estimate.most == 0.3
    assert estimate.interval().low < 0.3 == estimate.interval().high
    assert price([5, 3], lambda l: 0.0).interval() == (0, 0)


def test_interval_narrows_with_the_level():
    estimate = goodturing.mass_seen(np.repeat([1, 2, 3], 1000), 1)
    widths = [high - low for low, high in (estimate.interval(p) for p in (0.5, 0.9, 0.99))]
    assert all(a < b for a, b in itertools.pairwise(widths))
    low, high = estimate.interval()
    assert high - low == pytest.approx(2 * 1.96 * estimate.se, rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: goodturing.mass_seen([], 0), "counts must be a non-empty"),
        (lambda: goodturing.mass_seen([0, 0], 0), "counts must not all be zero"),
        (lambda: goodturing.mass_seen([1.5], 0), r"counts must be whole numbers, got 1\.5"),
        (lambda: goodturing.mass_seen([1], -1), "l must be at least 0, got -1"),
        (lambda: goodturing.tau([1], 0), "l must be at least 1, got 0"),
        (lambda: goodturing.mass_seen([1], 0).interval(95), r"level must lie in \[0, 1\], got 95"),
        (lambda: goodturing.mass_seen([1], 0).interval(1), "level must lie strictly between 0 and 1, got 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- prices of learners -------------------------------------------------------------------------------------


@pytest.mark.parametrize("l", [0, 1, 2, 5])
def test_price_of_one_count_is_the_mass_seen(l):
    counts = np.random.default_rng(0).zipf(1.8, size=400)
    one, known = price(counts, lambda k: float(k == l)), mass_seen(counts, l)
    assert astuple(one) == pytest.approx(astuple(known), rel=1e-12)


@pytest.mark.parametrize("learner", [limited(0.1), private(1.0), randomized_response(2.0)])
def test_price_of_a_learner_and_its_standard_error(learner):
    """Over samples the estimate hits its own sample's price, and errs as its standard error says."""
    prior, n, m, rng = FrequencyPrior.zipf(400), 600, 5, np.random.default_rng(1)
    D, scores = prior.frequencies, []
    for _ in range(800):
        counts = rng.multinomial(n, D)
        guess = price(counts, lambda l: 1 - learner.fit(l, m) if l else 0.0)
        truth = sum(d * (1 - learner.fit(int(c), m)) for d, c in zip(D, counts, strict=True) if c)
        scores.append((guess.value - truth) / guess.se)
    assert abs(np.mean(scores)) < 4 / np.sqrt(800) + 0.1  # skewness of order 1 / sqrt(number of events)
    assert np.std(scores) == pytest.approx(1, abs=0.1 + 4 / np.sqrt(1600))


def test_price_of_a_group_in_shared_subpopulations():
    """Two groups over the same elements: each estimate is unbiased for its own group."""
    rng, n = np.random.default_rng(2), 300
    P = rng.dirichlet(np.full(200, 0.3), size=2) * np.array([[0.7], [0.3]])
    gaps = []
    for _ in range(3_000):
        members = rng.multinomial(n, P.ravel()).reshape(2, -1)
        counts = members.sum(axis=0)
        if not members[1].any():
            continue
        guess = price(counts, lambda l: float(l == 1), members[1])
        gaps.append(guess.value - P[1][counts == 1].sum() / P[1].sum())
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps)) + 1 / n


def test_members_must_be_part_of_the_counts():
    with pytest.raises(ValueError, match="members must be parts of the 2 counts"):
        price([2, 1], float, members=[0, 2])
    with pytest.raises(ValueError, match="members must be parts of the 2 counts"):
        price([2, 1], float, members=[1])
